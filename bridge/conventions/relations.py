"""How a tensor that is wrong relates to the right one: a factor, a permutation, a missing or an added term."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from bridge.conventions.outcome import close
from core_numpy.contract import Array

_LARGEST_DENOMINATOR = 64

_TIMES = "multiplied with, or not divided by, "


@dataclass(frozen=True)
class Surroundings:
    """What a wrong tensor may have to do with.

    Attributes:
        batch: number of examples.
        counts: {words: number} that a factor may be, such as {"the 9 cells of a window": 9}.
        terms: {words: array} that may have been added or left out; broadcast to the tensor.
        vectors: {words: array} that a row or channel may be off by.
        others: {tensor: array} right tensors that may stand in its place.
        sums_over_batch: whether it is a sum over the examples, as the gradient of a parameter is.
    """

    batch: int
    counts: Mapping[str, float] = field(default_factory=dict)
    terms: Mapping[str, Array] = field(default_factory=dict)
    vectors: Mapping[str, Array] = field(default_factory=dict)
    others: Mapping[str, Array] = field(default_factory=dict)
    sums_over_batch: bool = True


def relation(tensor: str, found: Array, truth: Array, tolerance: float, around: Surroundings) -> str | None:
    """A sentence about what ``found`` is, or None where no relation to the truth is known.

    Args:
        tensor: what it is.
        found: what a layer gave, of any shape.
        truth: what it should be.
        tolerance: share of the largest value by which equal arrays may differ.
        around: what it may have to do with.
    """
    if found.shape != truth.shape:
        words = _other_shape(found, truth, tolerance, around)
        return None if words is None else f"{tensor} {words}"
    if close(found, truth, tolerance):
        return None
    if not np.isfinite(found).all():
        return None
    return next((f"{tensor} {words}" for words in _ways(found, truth, tolerance, around)), None)


def _ways(found: Array, truth: Array, tolerance: float, around: Surroundings) -> Iterator[str]:
    if not found.any():
        yield "is zero everywhere: it is never computed, or from variables that were zero when they were copied"
        return
    scale = float(np.abs(truth).max(initial=0))
    if scale == 0:
        return
    factor = _factor(found, truth)
    if truth.size > 1 and factor is not None and not is_one(factor) and close(found, factor * truth, tolerance):
        yield f"is {factor_in_words(factor, around)}"
        return
    for name, other in around.others.items():
        if close(found, other, tolerance) and other.any():
            yield f"is the {name}: two tensors have changed places"
    yield from _of_all(found, truth, tolerance, around)
    yield from _rearranged(found, truth, tolerance)
    for name, rounding in (("cut off", np.trunc), ("rounded", np.rint), ("rounded down", np.floor)):
        if np.array_equal(found, rounding(truth)):
            yield f"is {name} to whole numbers: integer arithmetic"
    yield from _terms(found, truth, tolerance, around)
    yield from _slices(found, truth, tolerance, around)


def _of_all(found: Array, truth: Array, tolerance: float, around: Surroundings) -> Iterator[str]:
    """One number, the sum of what should be summed for each unit: with or without a factor."""
    total = float(truth.sum())
    if found.size > 1 and np.ptp(found) > tolerance * float(np.abs(found).max()) or truth.size < 2 or not total:
        return
    factor = float(found.flat[0]) / total
    words = "is one number, summed over all axes, the last one too: sum over the batch alone, axis=0"
    if abs(factor - 1) <= 1e3 * tolerance:
        yield words
        return
    numbers = around.batch * truth.size
    counts = {**around.counts, f"its {truth.size} entries": truth.size, f"the {numbers} numbers it is of": numbers}
    if reason := _reason(factor, Surroundings(around.batch, counts)):
        yield f"{words}; and that is {number(factor)} times what it would be{reason}"


def _factor(found: Array, truth: Array) -> float | None:
    square = float(np.vdot(truth, truth))
    factor = float(np.vdot(truth, found)) / square if square else 0.0
    return factor if factor and np.isfinite(factor) else None


def is_one(factor: float) -> bool:
    """True where a factor reads as 1: it says nothing of what is wrong."""
    return abs(factor - 1) <= 1e-6


def number(value: float) -> str:
    """A constant as one writes it: a fraction where it is a simple one.

    >>> number(0.25), number(-2.0), number(0.123456)
    ('1/4', '-2', '0.123456')
    """
    fraction = Fraction(value).limit_denominator(_LARGEST_DENOMINATOR)
    return str(fraction) if abs(float(fraction) - value) <= 1e-6 * abs(value) else f"{value:.6g}"


def factor_in_words(factor: float, around: Surroundings) -> str:
    """ "1/4 of the true value: a mean in place of a sum over the batch of 4"."""
    fraction = Fraction(factor).limit_denominator(_LARGEST_DENOMINATOR)
    simple = abs(float(fraction) - factor) <= 1e-6 * abs(factor)
    if simple and fraction.denominator > 1:
        value = f"{fraction} of the true value"
    else:
        value = f"{fraction if simple else format(factor, '.6g')} times the true value"
    return value + _reason(factor, around)


def _reason(factor: float, around: Surroundings) -> str:
    def near(value: float) -> bool:
        return abs(factor - value) <= 1e-6 * abs(value)

    batch = around.batch
    end = ", and the sign is the other way round" if factor < 0 else ""
    if near(-1):
        return ": the sign is the other way round"
    of_the_batch = (
        (1 / batch, f"a mean in place of a sum over the batch of {batch}"),
        (batch, f"a sum in place of a mean over the batch of {batch}"),
    )
    reasons = [
        words
        for value, words in (
            *(of_the_batch if around.sums_over_batch else ()),
            (2, "twice"),
            (0.5, "half"),
            *((each, f"{_TIMES * (each > 1)}{words}") for words, each in around.counts.items()),
            *((1 / each, f"divided by {words}") for words, each in around.counts.items() if each > 1),
            *((each / 2, f"half, times {words}") for words, each in around.counts.items() if each > 2),
            *((2 / each, f"twice, divided by {words}") for words, each in around.counts.items() if each > 2),
            (1 / np.log(2), "a logarithm to base 2"),
            (1 / np.log(10), "a logarithm to base 10"),
            *(() if around.sums_over_batch else of_the_batch),
        )
        if value not in (1, 0) and abs(abs(factor) - value) <= 1e-6 * abs(value)
    ]
    # Several that are of one size cannot be told apart
    return f": {', or '.join(dict.fromkeys(reasons))}{end}" if reasons else ""


def _rearranged(found: Array, truth: Array, tolerance: float) -> Iterator[str]:
    """Axes in another order, flipped, or the same memory read in another order."""
    axes = range(truth.ndim)
    for order in itertools.permutations(axes):
        turned = truth.transpose(order)
        changed = list(order) != list(axes)
        if changed and turned.shape == truth.shape and close(found, turned, tolerance):
            yield "is transposed" if truth.ndim == 2 else f"has its axes in the order {order}"
        elif changed and close(found, turned.reshape(truth.shape), tolerance):
            yield (
                "holds the transposed values in the memory of the untransposed: reshaped in place of transposed"
                if truth.ndim == 2
                else f"holds the values in the order of axes {order}: reshaped in place of transposed"
            )
    for chosen in itertools.chain.from_iterable(itertools.combinations(axes, count) for count in (1, 2)):
        if close(found, np.flip(truth, chosen), tolerance):
            yield f"is flipped along axis {' and '.join(map(str, chosen))}"
    for axis in axes:
        for by in (1, -1):
            if truth.shape[axis] > 2 and close(found, np.roll(truth, by, axis), tolerance):
                yield f"is shifted by one along axis {axis}"


def _terms(found: Array, truth: Array, tolerance: float, around: Surroundings) -> Iterator[str]:
    """A term that is added, left out or doubled, with its factor."""
    difference = found - truth
    for name, term in around.terms.items():
        try:
            whole = np.broadcast_to(term, truth.shape)
        except ValueError:
            continue
        factor = _factor(difference, np.asarray(whole))
        if factor is None or truth.size < 3:
            continue
        # What is left of two numbers that cancel is as exact as they were
        if not (np.abs(difference - factor * whole) <= 10 * tolerance * np.abs(truth).max()).all():
            continue
        if np.abs(factor * whole).max() <= 100 * tolerance * np.abs(truth).max():
            continue
        if abs(factor + 1) < 1e-6:
            yield f"lacks {name}"
        elif abs(factor - 1) < 1e-6:
            yield f"has {name} added once too often"
        elif around.batch > 1:  # of one example, a number of its own may be any sum over it
            yield f"has {number(factor)} times {name} added"


def _slices(found: Array, truth: Array, tolerance: float, around: Surroundings) -> Iterator[str]:
    """Rows or channels that are off by a factor each."""
    for axis in range(truth.ndim - 1, -1, -1):
        others = tuple(each for each in range(truth.ndim) if each != axis)
        if truth.size // truth.shape[axis] < 2 and truth.ndim > 1:
            continue
        squares, products = np.square(truth).sum(axis=others), (truth * found).sum(axis=others)
        if not (squares > 0).all():
            continue
        factors = products / squares
        shape = [-1 if each == axis else 1 for each in range(truth.ndim)]
        if truth.ndim > 1 and not close(found, truth * factors.reshape(shape), tolerance):
            continue
        for name, vector in around.vectors.items():
            if vector.shape == factors.shape and np.ptp(vector) > 0:
                for value, words in ((vector, f"is multiplied by {name}"), (1 / vector, f"is divided by {name}")):
                    if close(factors, value, 100 * tolerance):
                        yield f"{words} along axis {axis}"
        wrong = np.flatnonzero(np.abs(factors - 1) > 1e-4)
        if truth.ndim > 1 and 0 < len(wrong) < len(factors) and np.ptp(factors[wrong]) < 1e-4:
            at = ", ".join(map(str, wrong[:4])) + (", ..." if len(wrong) > 4 else "")
            value = factors[wrong[0]]
            what = "zero" if abs(value) < 1e-9 else f"{number(float(value))} times the true value"
            yield f"is {what} at index {at} of axis {axis}, and right elsewhere"


def _other_shape(found: Array, truth: Array, tolerance: float, around: Surroundings) -> str | None:
    shape = f"has shape {found.shape} in place of {truth.shape}"
    if found.shape == (around.batch, *truth.shape) and close(found.sum(axis=0), truth, tolerance):
        return f"{shape}: the sum over the batch is missing"
    if found.ndim == truth.ndim + 1 and found.shape[-1] == truth.shape[-1]:
        summed = found.reshape(-1, *found.shape[found.ndim - truth.ndim :]).sum(axis=0)
        if close(summed, truth, tolerance):
            return f"{shape}: the sum over the batch is missing"
    if found.ndim == truth.ndim and found.size == truth.size:
        for order in itertools.permutations(range(truth.ndim)):
            if close(found, truth.transpose(order), tolerance):
                return f"{shape}: its axes are in the order {order}"
    if found.size == truth.size and close(found.reshape(truth.shape), truth, tolerance):
        return f"{shape}: the values are right, and not given back in the input's shape"
    if found.ndim == truth.ndim and all(a <= b for a, b in zip(found.shape, truth.shape, strict=True)):
        if close(found, truth[tuple(slice(size) for size in found.shape)], tolerance):
            axes = [axis for axis in range(found.ndim) if found.shape[axis] < truth.shape[axis]]
            square = (
                " (height and width taken for equal)" if found.ndim == 4 and found.shape[1] == found.shape[2] else ""
            )
            return f"{shape}: its values are right, and the last of axis {axes[0]} are missing{square}"
    if found.ndim == truth.ndim == 4 and (offsets := _border_left(found, truth, tolerance)) is not None:
        (top, bottom), (left, right) = offsets
        return (
            f"{shape}: its values are right, and the padding is left on it, {top} and {bottom} rows, {left} and "
            f"{right} columns: cut the border off"
        )
    if found.size == 1:
        return next((f"{shape}: it {words}" for words in _of_all(found, truth, tolerance, around)), None)
    return None


def _border_left(found: Array, truth: Array, tolerance: float) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """((top, bottom), (left, right)) of a border around the true values, or None."""
    rows, columns = (found.shape[axis] - truth.shape[axis] for axis in (1, 2))
    if min(rows, columns) < 0 or (found.shape[0], found.shape[3]) != (truth.shape[0], truth.shape[3]):
        return None
    for top, left in itertools.product(range(rows + 1), range(columns + 1)):
        inner = found[:, top : top + truth.shape[1], left : left + truth.shape[2]]
        if close(inner, truth, tolerance):
            return (top, rows - top), (left, columns - left)
    return None
