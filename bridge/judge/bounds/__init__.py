"""How far two correct implementations may differ: rounding variances carried through every layer."""

from bridge.judge.bounds.network import (
    Expected,
    ExpectedGradients,
    RoundingModel,
    channel_sums,
    conserved,
    value_name,
)
from bridge.judge.rounding import KINK_SAFETY, SAFETY, UNDERFLOW, UNIT_ROUNDOFF

__all__ = [
    "KINK_SAFETY",
    "SAFETY",
    "UNDERFLOW",
    "UNIT_ROUNDOFF",
    "Expected",
    "ExpectedGradients",
    "RoundingModel",
    "channel_sums",
    "conserved",
    "value_name",
]
