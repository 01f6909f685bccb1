"""Known faults, planted one at a time in the NumPy side, to prove that the judge would have noticed."""

from bridge.faults.catalogue import FAULTS, find
from bridge.faults.change import Change, ChangedLayer
from bridge.faults.fault import Fault

__all__ = ["FAULTS", "Change", "ChangedLayer", "Fault", "find"]
