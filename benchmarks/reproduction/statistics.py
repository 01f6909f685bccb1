"""What a handful of seeds says: mean and spread, a published figure beside them, and differences in pairs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

CONFIDENCE = 0.95

LARGEST_DIFFERENCE = 0.003
"""0.3 points: a mean difference of paired accuracies must stay below."""

WIDE_SPREAD = 0.02
"""Two points: where the accuracies of a row's seeds lie further apart, it takes more seeds."""


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return statistics.fmean(values)


def deviation(values: Sequence[float]) -> float:
    """The standard deviation with n - 1 in the denominator; 0 for equal values, NaN for a single one."""
    return statistics.stdev(values) if len(values) > 1 else math.nan


def _quantile(count: int) -> float:
    try:
        from scipy.stats import t
    except ImportError:
        raise ImportError('intervals need scipy: pip install "crosscheck[data]"') from None
    return float(t.ppf((1 + CONFIDENCE) / 2, count - 1))


def interval_of_one_more(values: Sequence[float]) -> tuple[float, float]:
    """Where one more run would lie with 95 % probability: mean -+ t * deviation * sqrt(1 + 1/n), n at least 2."""
    middle = mean(values)
    half = _quantile(len(values)) * deviation(values) * math.sqrt(1 + 1 / len(values))
    return middle - half, middle + half


def finite(value: float) -> float | None:
    """The value, or None for NaN."""
    return None if math.isnan(value) else value


def half_a_digit(printed: str) -> float:
    """Half of the last printed digit's unit.

    >>> half_a_digit("0.30")
    0.005
    """
    return 0.5 * 10 ** -len(printed.partition(".")[2])


def published_verdict(values: Sequence[float], published: Any, late: Sequence[float] = ()) -> str:
    """Where the published figure lies beside ours: "within", "above" or "below"; "one run" where n is 1.

    Args:
        values: ours, one a seed.
        published: a number; a string such as "0.30", rounded by who printed it; or a range [low, high].
        late: for a range: what ours are taken from, the last epochs of all seeds.

    A number is held against the 95 % interval of one more run, a range against the range of ours.
    """
    if isinstance(published, (list, tuple)):
        low, high = (float(end) for end in published)
        ours = [*values, *late]
        return _beside(low, high, min(ours), max(ours))
    rounding = half_a_digit(published) if isinstance(published, str) else 0.0
    value = float(published)
    if len(values) < 2:
        return "one run"
    return _beside(value - rounding, value + rounding, *interval_of_one_more(values))


def _beside(low: float, high: float, our_low: float, our_high: float) -> str:
    # Sums of equal numbers may be off by a last bit
    slack = 1e-12
    if low > our_high + slack:
        return "above"
    return "below" if high < our_low - slack else "within"


@dataclass(frozen=True)
class Paired:
    """NumPy minus Keras, seed by seed.

    Attributes:
        mean: of the differences.
        low, high: 95 % interval of the mean; the mean itself where all differences are equal, NaN for a single pair.
        agrees: True where zero lies within, or nobody can tell from a single pair, and the mean is below 0.3 points.
    """

    mean: float
    low: float
    high: float
    agrees: bool

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers; None in the place of NaN, which JSON does not know."""
        return {name: finite(value) for name, value in asdict(self).items()}


def paired(first: Sequence[float], second: Sequence[float]) -> Paired:
    """The differences first - second of runs that belong together.

    Raises:
        ValueError: not as many of the one as of the other, or none.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"pairs need two values each, got {len(first)} and {len(second)} values")
    differences = [one - other for one, other in zip(first, second, strict=True)]
    middle = mean(differences)
    if len(differences) == 1:
        # One pair has no interval to lie outside of: two trainings part by rounding, and only the size can tell
        return Paired(middle, math.nan, math.nan, abs(middle) < LARGEST_DIFFERENCE)
    half = _quantile(len(differences)) * deviation(differences) / math.sqrt(len(differences))
    low, high = middle - half, middle + half
    return Paired(middle, low, high, low <= 0 <= high and abs(middle) < LARGEST_DIFFERENCE)
