"""Which units a foreign Dropout drops: the mask that is seen, whether its share is the rate's, and if not, why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from core_numpy.contract import Array
from model_spec import Dropout
from model_spec.shapes import Shape

ALIKE = "the same units are dropped at every call"

_UNITS = 100_000
"""How many units a share is taken from where its cause is looked for: shares 0.02 apart are told apart."""

_CHANCE = 1e-9
"""How often a mask that a rate has drawn may be called wrong."""

_SHARE_DEVIATIONS = 6.0
"""Standard deviations of a share of that many units beyond which it is not that of a slip."""


@dataclass(frozen=True)
class KeptUnits:
    """The mask a foreign Dropout was seen to drop by, as a source of masks."""

    kept: Array

    def keep_mask(self, shape: tuple[int, ...], rate: float, dtype: np.dtype, start: int = 0) -> Array:
        """The rows of the mask from ``start`` on."""
        return self.kept[start : start + shape[0]]


def examples_that_show(layer: Dropout, shape: Shape) -> int:
    """How many examples it takes until some unit of them is kept, but for a chance of one in a billion."""
    units = int(np.prod(layer.mask_shape(shape)))
    return int(np.ceil(np.log(_CHANCE) / (units * np.log(layer.rate)))) if 0 < layer.rate < 1 else 1


def kept_units(layer: Dropout, x: Array, y: Array) -> KeptUnits:
    """What was kept of x (examples, *shape), with one entry for units that are dropped together."""
    shared = tuple(axis for axis, size in enumerate(layer.mask_shape(x.shape[1:]), start=1) if size < x.shape[axis])
    # What is dropped together was kept where any of it was, or is zero anyway
    return KeptUnits((y != 0).any(axis=shared, keepdims=True) | (x == 0).all(axis=shared, keepdims=True))


def wrong_mask(layer: Dropout, kept: Array, forward: Callable[[Array], Array], shape: Shape, dtype: str) -> str:
    """Words for a mask that the rate cannot have drawn, or "".

    What was seen may be too few units to tell; then more are asked for, twice.

    Args:
        layer: the claim.
        kept: True for what was kept.
        forward: the foreign layer in training, of which more is asked.
        shape: of one example.
        dtype: of its inputs.
    """
    if not 0 < layer.rate < 1:
        return ""
    masks = [kept]
    ones = np.ones((_UNITS // int(np.prod(layer.mask_shape(shape))) + 2, *shape), dtype)
    try:
        masks += [kept_units(layer, ones, forward(ones)).kept for _ in range(2)]
    except Exception:  # a layer made for one batch size may raise anything
        pass
    # Units that are dropped together have a share by chance: where there are many, it is seen whether they are
    for mask in masks[1:2] or masks:
        if _is_one_for_all(layer.rate, mask):
            return "all examples of the batch lose the same units"
        if words := _dropped_together(layer.rate, mask):
            return words
        if is_another_share(layer.rate, 1 - float(mask.mean()), mask.size):
            said = f"{1 - mask.mean():.3g} of {mask.size} values were dropped, the rate is {layer.rate:g}"
            return said + _why_such_a_share(layer.rate, forward, shape, dtype)
    return ALIKE if len(masks) > 2 and drops_alike(layer.rate, *masks[1:]) else ""


def is_another_share(rate: float, share: float, count: int) -> bool:
    """Whether the rate drops such a share of so many independent units by no chance, by Chernoff's bound.

    Of n units a share s or one further away has a chance of at most 2 exp(-n (s ln(s/r) + (1-s) ln((1-s)/(1-r)))).
    """
    unlikely = sum(part * np.log(part / wanted) for part, wanted in ((share, rate), (1 - share, 1 - rate)) if part > 0)
    return bool(count * unlikely > -np.log(_CHANCE / 2))


def _dropped_together(rate: float, kept: Array) -> str:
    """Words for neighbours along an axis that are dropped alike more often than independent ones, or "".

    Two independent units are alike with a chance of r^2 + (1-r)^2; pairs without a common unit are independent too.
    Where the rate itself is another one, that is no reason to say so: the larger of the two chances counts.
    """
    share = 1 - float(kept.mean())
    by_chance = max(each**2 + (1 - each) ** 2 for each in (rate, share))
    if not 0 < by_chance < 1:
        return ""
    whole, said = [], ""
    for axis in range(kept.ndim - 1, -1, -1):
        along = np.moveaxis(kept, axis, 0)
        for start in (0, 1):
            first, second = along[start:-1:2], along[start + 1 :: 2]
            alike = float((first == second).mean()) if first.size else 0.0
            if alike > by_chance and is_another_share(by_chance, alike, first.size):
                said = said or (
                    f"neighbours along {_axis(kept, axis)} are dropped together: {alike:.3g} of {first.size} pairs are "
                    f"alike, of independent ones {by_chance:.3g} would be"
                )
        if len(along) > 1 and (along == along[:1]).all():
            whole.append(axis)
    if said and whole:
        shape = ", ".join("1" if axis in whole else str(size) for axis, size in enumerate(kept.shape[1:], start=1))
        axes = " and ".join(_axis(kept, axis) for axis in reversed(whole))
        one = " (whole examples)" if len(whole) == kept.ndim - 1 else ""
        return f"all units along {axes} are dropped together{one}: its mask is of shape (examples, {shape})"
    return said


def _axis(kept: Array, axis: int) -> str:
    names = {2: ("features",), 4: ("rows", "columns", "channels")}.get(kept.ndim, ())
    return f"axis {axis} ({('examples', *names)[axis]})" if axis <= len(names) else f"axis {axis}"


def _is_one_for_all(rate: float, kept: Array) -> bool:
    by_chance = np.logaddexp(len(kept) * np.log(rate), len(kept) * np.log1p(-rate)) * kept[0].size
    return len(kept) > 1 and bool(by_chance < np.log(_CHANCE)) and bool((kept == kept[:1]).all())


def drops_alike(rate: float, first: Array, second: Array) -> bool:
    """Whether two masks have the same zeros, and so many independent units have not by chance."""
    by_chance = np.log(rate**2 + (1 - rate) ** 2) * first.size if 0 < rate < 1 else 0.0
    return bool(by_chance < np.log(_CHANCE)) and np.array_equal(first != 0, second != 0)


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
