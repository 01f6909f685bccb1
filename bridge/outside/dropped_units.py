"""Which units a foreign Dropout drops: the mask that is seen, whether its share is the rate's, and if not, why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from core_numpy.contract import Array
from model_spec import Dropout
from model_spec.shapes import Shape

_UNITS = 100_000
"""How many units a share is taken from where its cause is looked for: shares 0.02 apart are told apart."""

_SHARE_DEVIATIONS = 6.0
"""Standard deviations of a binomial share beyond which a dropout mask cannot have come from the rate."""


@dataclass(frozen=True)
class KeptUnits:
    """The mask a foreign Dropout was seen to drop by, as a source of masks."""

    kept: Array

    def keep_mask(self, shape: tuple[int, ...], rate: float, dtype: np.dtype, start: int = 0) -> Array:
        """The rows of the mask from ``start`` on."""
        return self.kept[start : start + shape[0]]


def kept_units(layer: Dropout, x: Array, y: Array) -> KeptUnits:
    """What was kept of x (examples, *shape), with one entry for units that are dropped together."""
    shared = tuple(axis for axis, size in enumerate(layer.mask_shape(x.shape[1:]), start=1) if size < x.shape[axis])
    # What is dropped together was kept where any of it was, or is zero anyway
    return KeptUnits((y != 0).any(axis=shared, keepdims=True) | (x == 0).all(axis=shared, keepdims=True))


def wrong_mask(layer: Dropout, kept: Array, forward: Callable[[Array], Array], shape: Shape, dtype: str) -> str:
    """Words for a mask that the rate cannot have drawn, or "".

    Args:
        layer: the claim.
        kept: True for what was kept.
        forward: the foreign layer in training, of which more is asked where the share is wrong.
        shape: of one example.
        dtype: of its inputs.
    """
    rate = layer.rate
    share, deviation = 1 - float(kept.mean()), np.sqrt(rate * (1 - rate) / kept.size)
    if abs(share - rate) > _SHARE_DEVIATIONS * deviation:
        said = f"{share:.3g} of {kept.size} values were dropped, the rate is {rate:g}"
        return said + _why_such_a_share(rate, forward, shape, dtype)
    if len(kept) > 1 and kept[0].size > 16 and 0 < rate < 1 and (kept == kept[:1]).all():
        return "all examples of the batch lose the same units"
    return ""


def _why_such_a_share(rate: float, forward: Callable[[Array], Array], shape: Shape, dtype: str) -> str:
    """Words for a share of dropped units that one slip explains and no other; from many more units."""
    ones = np.ones((_UNITS // int(np.prod(shape)) + 1, *shape), dtype)
    try:
        dropped = float((forward(ones) == 0).mean())
    except Exception:  # a layer made for one batch size may raise anything
        return ""
    slips = {
        1 - rate: f": the rate is taken for the share that is kept, {1 - rate:g}",
        NormalDist().cdf(rate): ": the mask compares normal numbers (randn) with the rate, not uniform ones (rand)",
        1 - NormalDist().cdf(rate): ": the mask compares normal numbers (randn) with the rate, and drops above it",
    }
    near = [
        words
        for share, words in slips.items()
        if abs(dropped - share) <= _SHARE_DEVIATIONS * np.sqrt(share * (1 - share) / ones.size)
    ]
    return near[0] if len(near) == 1 else ""
