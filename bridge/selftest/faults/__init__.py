"""Known faults, planted one at a time in the NumPy side, to prove that the judge would have noticed."""

from bridge.selftest.faults.catalogue import FAULTS, find, plant
from bridge.selftest.faults.change import Change, ChangedLayer
from bridge.selftest.faults.fault import Fault

__all__ = ["FAULTS", "Change", "ChangedLayer", "Fault", "find", "plant"]
