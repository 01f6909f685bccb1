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


def _student(count: int) -> Any:
    """Student's t distribution for the mean of this many values."""
    try:
        from scipy.stats import t
    except ImportError:
        raise ImportError('intervals need scipy: pip install "crosscheck[data]"') from None
    return t(count - 1)


def interval_of_one_more(values: Sequence[float]) -> tuple[float, float]:
    """Where one more run would lie with 95 % probability: mean -+ t * deviation * sqrt(1 + 1/n), n at least 2."""
    middle = mean(values)
    quantile = float(_student(len(values)).ppf((1 + CONFIDENCE) / 2))
    half = quantile * deviation(values) * math.sqrt(1 + 1 / len(values))
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
        p_value: how often chance alone brings a mean as far from zero (paired t test, both sides); 1 where every pair
            is equal, NaN for a single pair.
    """

    mean: float
    low: float
    high: float
    p_value: float

    @property
    def misses_zero(self) -> bool:
        """True where the 95 % interval does not hold zero, as 1 of 20 does by chance."""
        return self.p_value < 1 - CONFIDENCE

    @property
    def can_miss_zero(self) -> bool:
        """False for a single pair, and where every pair is equal."""
        return self.p_value < 1

    @property
    def differs(self) -> bool:
        """True where the mean reaches 0.3 points, or its interval misses zero.

        Two trainings part by rounding, so a single pair has its size only.
        """
        return self.misses_zero or abs(self.mean) >= LARGEST_DIFFERENCE

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
        return Paired(middle, math.nan, math.nan, math.nan)
    error = deviation(differences) / math.sqrt(len(differences))
    if error == 0:
        return Paired(middle, middle, middle, 1.0 if middle == 0 else 0.0)
    student = _student(len(differences))
    half = float(student.ppf((1 + CONFIDENCE) / 2)) * error
    return Paired(middle, middle - half, middle + half, 2 * float(student.sf(abs(middle) / error)))
