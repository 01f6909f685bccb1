"""A tensor that is right up to one constant: which constant, and what it most often comes from."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from bridge.judge.bounds import Expected
from bridge.judge.tensor import Place, judge

Array = np.ndarray

_LARGEST_DENOMINATOR = 64


def constant_factor(found: Array, expected: Expected, place: Place, batch: int) -> str | None:
    """Words for the constant by which all of ``found`` is off, or None where it is not off by one.

    Args:
        found: what a layer gave.
        expected: the truth and its error.
        place: where it was taken.
        batch: number of examples: a mean in place of a sum, or the other way round, is off by it.
    """
    found, truth = np.asarray(found, np.float64), np.asarray(expected.value)
    square = float(np.vdot(truth, truth))
    if not np.isfinite(found).all() or square == 0 or truth.size < 2:
        return None
    factor = float(np.vdot(truth, found)) / square
    if factor == 0 or not np.isfinite(factor):
        return None
    # What is left after division is held against the same bound; dividing rounds once more
    divided = replace(expected, variance=expected.variance + np.square(truth) * np.finfo(place.dtype).eps ** 2)
    if not judge(found / factor, truth, divided, place, "", "").agrees:
        return None
    return f"{_written(factor)}{_reason(factor, batch)}"


def _written(factor: float) -> str:
    fraction = Fraction(factor).limit_denominator(_LARGEST_DENOMINATOR)
    if abs(float(fraction) - factor) > 1e-4 * abs(factor):
        return f"{factor:.6g} times the true value"
    return f"{fraction} of the true value" if fraction.denominator > 1 else f"{fraction} times the true value"


def _reason(factor: float, batch: int) -> str:
    def near(value: float) -> bool:
        return abs(factor - value) <= 1e-4 * abs(value)

    if batch > 1 and near(1 / batch):
        return f": a mean in place of a sum over the batch of {batch}"
    if batch > 1 and near(batch):
        return f": a sum in place of a mean over the batch of {batch}"
    if near(-1):
        return ": the sign is the other way round"
    if near(2):
        return ": twice"
    if near(0.5):
        return ": half"
    return ""
