"""How far two correct implementations may differ: rounding variances carried through every layer."""

from bridge.bounds.network import Expected, ExpectedGradients, RoundingModel, value_name
from bridge.bounds.rounding import KINK_SAFETY, SAFETY, UNIT_ROUNDOFF

__all__ = [
    "KINK_SAFETY",
    "SAFETY",
    "UNIT_ROUNDOFF",
    "Expected",
    "ExpectedGradients",
    "RoundingModel",
    "value_name",
]
