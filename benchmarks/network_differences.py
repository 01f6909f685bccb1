"""Which of several networks differ by more than chance on one test set: paired tests with Holm's correction."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks import regression
from benchmarks.tables import Table
from benchmarks.trained import SIGNIFICANCE, TrainedPair, mcnemar


@dataclass(frozen=True)
class NetworkDifference:
    """Two networks trained on one backend.

    Attributes:
        first, second: their names.
        backend: "NumPy" or "Keras".
        difference: the first one's test score minus the second one's, first seed: accuracy, or R^2.
        p_value: the chance of so large a difference if both were equally good, of all pairs together (Holm, 1979).
    """

    first: str
    second: str
    backend: str
    difference: float
    p_value: float

    @property
    def exceeds_chance(self) -> bool:
        """True where it is too large for chance."""
        return self.p_value < SIGNIFICANCE


def differences(trained: Sequence[TrainedPair]) -> list[NetworkDifference]:
    """Every pair of networks that were tested on the same examples and stayed finite, on each backend.

    Exact McNemar tests of classes, paired t-tests of the squared errors of regressions. First seeds alone: they know
    how a test set scatters, not how far two trainings of one network part.
    """
    found = []
    for (one, other), side in itertools.product(itertools.combinations(trained, 2), (0, 1)):
        first, second = one.backends[side], other.backends[side]
        if first.name in one.diverged or second.name in other.diverged or not np.array_equal(one.labels, other.labels):
            continue
        outputs = first.probabilities, second.probabilities
        test = regression.paired_p_value if one.score == regression.RegressionComparison.score else _of_classes
        difference = first.test[one.score] - second.test[one.score]
        chance = test(one.labels, *outputs)
        found.append(NetworkDifference(one.spec.name, other.spec.name, first.name, difference, chance))
    corrected = holm([each.p_value for each in found])
    return [replace(each, p_value=p_value) for each, p_value in zip(found, corrected, strict=True)]


def _of_classes(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    return mcnemar(first.argmax(axis=1) == labels, second.argmax(axis=1) == labels)[1]


def holm(p_values: Sequence[float]) -> list[float]:
    """Probabilities of several tests, corrected so that the chance of any false finding stays what one test's was.

    Examples:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at])):
        largest = max(largest, min((len(p_values) - rank) * p_values[at], 1.0))
        corrected[at] = largest
    return corrected


def table(found: Sequence[NetworkDifference], score: str) -> Table:
    """A row a pair and backend."""
    result = Table(["networks", "side", score, "p (Holm)", ""], title="differences between networks")
    for each in found:
        chance = "MORE than chance" if each.exceeds_chance else "no more than chance"
        figures = [f"{each.difference:+.4f}", f"{each.p_value:.3g}", chance]
        result.rows.append([f"{each.first} - {each.second}", each.backend, *figures])
    return result
