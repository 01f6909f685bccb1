"""The judgement of one tensor: equal, within rounding, a tie, a convention or a bug, with the numbers behind it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bridge.judge.bounds import KINK_SAFETY, SAFETY, UNDERFLOW, Expected
from core_numpy.contract import Array
from model_spec.verdict import Verdict, plain

EXACT, ROUNDING, TIE, CONVENTION, BUG, VACUOUS = "EXACT", "ROUNDING", "TIE", "CONVENTION", "BUG", "VACUOUS"
DIVERGED = "DIVERGED"
LARGEST_CORRELATION = 1000.0
"""The most that errors shared by the terms of a sum can add to its bound: sqrt(n) for n terms, of which no sum here has
a million."""

AGREEING = (EXACT, ROUNDING, TIE)


@dataclass(frozen=True)
class Place:
    """Where in a comparison a tensor was taken.

    Attributes:
        dtype: precision of both sides.
        mode: "inference" or "training".
        path: Keras' numeric path, "eager", "graph" or "xla", or "fast", NumPy's other tier.
        stage: "forward", "loss gradient" or "pullback"; with "local " before it, of one layer alone.
    """

    dtype: str
    mode: str
    path: str
    stage: str


@dataclass(frozen=True)
class Row(Place):
    """One tensor of one comparison.

    Attributes:
        tensor: what it is, e.g. "conv2d" (an output), "gradient of conv2d/kernel".
        layer: the layer whose forward or backward produced it, or "loss".
        verdict: EXACT (the two sides are equal), ROUNDING (they differ by no more than the derived bound), TIE (the
            other side of a kink or a maximum explains what is beyond it), CONVENTION (a known one explains all that
            differs; given by the report, which searches for it), BUG (nothing does), VACUOUS (reference and both sides
            are all zero, so the check proves nothing), or DIVERGED (both sides hold the same NaN or infinity in the
            same places, and agree elsewhere).
        error: largest absolute difference.
        error_over_scale: that, over the reference's largest absolute value.
        error_over_bound: largest ratio of difference to derived bound; at most 1 is rounding.
        index: where the ratio is largest.
        values: first side, second side and float64 truth at that place.
        nearer: which side's root-mean-square distance to the truth is smaller, "first", "second" or "equal".
        distance_ratio: the first side's distance to the truth over the second's.
        failing: number of entries beyond the bound.
        size: number of entries.
    """

    tensor: str
    layer: str
    verdict: str
    error: float
    error_over_scale: float
    error_over_bound: float
    index: tuple[int, ...]
    values: tuple[float, float, float]
    nearer: str
    distance_ratio: float
    failing: int
    size: int

    @property
    def agrees(self) -> bool:
        """True where the difference has an innocent explanation."""
        return self.verdict in AGREEING

    @property
    def conclusion(self) -> Verdict:
        """What this tensor says about the comparison as a whole."""
        if self.agrees:
            return Verdict.AGREE
        return {VACUOUS: Verdict.NOTHING_COMPARED, DIVERGED: Verdict.BOTH_DIVERGED}.get(self.verdict, Verdict.DIFFER)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers and strings; a ratio that is not finite becomes a string."""
        entry: dict[str, Any] = plain(asdict(self))
        return entry


def bound(expected: Expected, dtype: str) -> Array:
    """Largest difference of two correct implementations, by rounding alone."""
    return SAFETY * (np.sqrt(2 * expected.variance) + UNDERFLOW[dtype])


def judge(first: Any, second: Any, expected: Expected, place: Place, tensor: str, layer: str) -> Row:
    """Compare one tensor of two implementations; ``layer`` is the one to blame for it.

    Raises:
        ValueError: the two have different shapes, or one holds something else than real numbers.
    """
    first, second = _numbers(first, tensor), _numbers(second, tensor)
    truth = np.asarray(expected.value)
    if first.shape != second.shape or first.shape != truth.shape:
        raise ValueError(
            f"{tensor}: the two sides have shapes {first.shape} and {second.shape}, "
            f"the specification says {truth.shape}; compare models of one specification"
        )
    same = _same_not_finite(first, second)
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0, np.abs(first - second))
    allowed = bound(expected, place.dtype)
    # What a tie explains asks for no other explanation
    unexplained = np.where(difference <= allowed + KINK_SAFETY * np.sqrt(expected.kink), 0, difference / allowed)
    largest = float(np.max(unexplained, initial=0)) if np.isfinite(difference).all() else np.inf
    if 1 < largest < LARGEST_CORRELATION:
        # Larger than independent errors explain: do errors that many positions share?
        expected = expected.with_correlations()
        allowed = bound(expected, place.dtype)
    # A NaN on either side makes the difference NaN, which must count as beyond any bound
    ratio = np.where(np.isnan(difference), np.inf, difference / allowed)
    scale = float(np.abs(truth).max(initial=0))
    failing = ratio > 1
    verdict = EXACT if not difference.any() else ROUNDING
    if failing.any():
        widened = allowed + KINK_SAFETY * np.sqrt(expected.kink)
        explained = difference <= widened
        verdict = TIE if bool(explained[failing].all()) else BUG
        if verdict == BUG:
            failing = ~explained
            ratio = np.where(explained, 0, ratio)
    if same.any() and verdict != BUG:
        verdict = DIVERGED
    if scale == 0 and not first.any() and not second.any():
        verdict = VACUOUS
    worst = np.unravel_index(int(np.argmax(ratio)), ratio.shape) if ratio.size else ()
    nearer, distance_ratio = _nearer(first, second, truth)
    error = float(np.max(np.where(np.isnan(difference), np.inf, difference), initial=0))
    return Row(
        **asdict(place),
        tensor=tensor,
        layer=layer,
        verdict=verdict,
        error=error,
        error_over_scale=error / scale if scale else float("inf") * error if error else 0.0,
        error_over_bound=float(ratio.max(initial=0)),
        index=tuple(int(i) for i in worst),
        values=(float(first[worst]), float(second[worst]), float(truth[worst])),
        nearer=nearer,
        distance_ratio=distance_ratio,
        failing=int(failing.sum()),
        size=first.size,
    )


def _numbers(value: Any, tensor: str) -> Array:
    """What one side gave, in float64."""
    array = np.asarray(value)
    if array.dtype.kind not in "buif" or np.ma.is_masked(value):
        found = "masked values" if np.ma.is_masked(value) else f"dtype {array.dtype}"
        raise ValueError(f"{tensor}: a side gives {found}; models must give arrays of real numbers")
    return array.astype(np.float64)


def _same_not_finite(first: Array, second: Array) -> Array:
    """Where both sides are NaN, or infinite with one sign."""
    return (np.isnan(first) & np.isnan(second)) | (np.isinf(first) & (first == second))


def _nearer(first: Array, second: Array, truth: Array) -> tuple[str, float]:
    measured = [float(np.sqrt(np.mean(np.square(side - truth)))) for side in (first, second)]
    # A side that is not finite is infinitely far
    distances = [distance if np.isfinite(distance) else np.inf for distance in measured]
    if distances[0] == distances[1]:
        return "equal", 1.0
    ratio = distances[0] / distances[1] if distances[1] else float("inf")
    return ("first" if distances[0] < distances[1] else "second"), ratio
