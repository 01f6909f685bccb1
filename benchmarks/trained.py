"""Two backends trained alike, whatever they learned: who left the finite numbers, and whether the others agree."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from benchmarks.tables import Table, as_html
from model_spec import History, ModelSpec, TrainingSpec
from model_spec.verdict import Verdict

Array = np.ndarray

SIGNIFICANCE = 0.01
"""Below this probability a difference is not chance."""


def mcnemar(first: Array, second: Array) -> tuple[tuple[int, int], float]:
    """The exact McNemar test of two sides, from which examples (n,) each got right.

    Returns:
        How many only the first, and only the second, got right; the chance of this if both were equally good.
    """
    from scipy.stats import binomtest

    only = int((first & ~second).sum()), int((second & ~first).sum())
    return only, float(binomtest(only[0], sum(only), 0.5).pvalue) if sum(only) else 1.0


@dataclass(frozen=True)
class TrainedBackend:
    """One backend after training.

    Attributes:
        name: of the backend.
        model: trained.
        history: of the training.
        test: the figures on the test set: "loss" and "accuracy", or "loss", "r2", "rmse" and "mae".
        probabilities: its output on the test set (n, classes), or the values it predicts (n, targets).
    """

    name: str
    model: Any
    history: History
    test: dict[str, float]
    probabilities: Array

    def to_dict(self) -> dict[str, Any]:
        """History and test figures as plain dicts, lists and numbers."""
        return {"name": self.name, "history": self.history.to_dict(), "test": self.test}


@dataclass(frozen=True)
class TrainedPair(ABC):
    """Two backends trained alike; classifiers and regressions add their own figures.

    Attributes:
        spec: the network.
        training: the run.
        backends: NumPy and Keras, trained.
        labels: the truth of the test examples: classes (n,), or values (n, targets).
        p_value: the chance of so large a difference if both were equally good.
    """

    spec: ModelSpec
    training: TrainingSpec
    backends: tuple[TrainedBackend, TrainedBackend]
    labels: Array
    p_value: float

    score: ClassVar[str] = "accuracy"
    """The figure of ``TrainedBackend.test`` that says how good a backend is; larger is better."""

    @property
    def diverged(self) -> tuple[str, ...]:
        """Names of the backends whose outputs or loss are not finite."""
        return tuple(
            backend.name
            for backend in self.backends
            if not (np.isfinite(backend.probabilities).all() and np.isfinite(backend.test["loss"]))
        )

    @property
    def verdict(self) -> Verdict:
        """AGREE where they differ by no more than chance; BOTH DIVERGED where both backends did."""
        if self.diverged:
            return Verdict.BOTH_DIVERGED if len(self.diverged) == len(self.backends) else Verdict.DIFFER
        return Verdict.AGREE if self.p_value >= SIGNIFICANCE else Verdict.DIFFER

    @property
    def agrees(self) -> bool:
        """True where the verdict is AGREE."""
        return self.verdict == Verdict.AGREE

    @property
    def difference(self) -> float:
        """The first one's score minus the second one's."""
        return self.backends[0].test[self.score] - self.backends[1].test[self.score]

    @property
    def unfinished(self) -> str:
        """A sentence where a backend still got better at its last epoch, or ""."""
        names = [one.name for one in self.backends if one.name not in self.diverged and _still_falls(one.history)]
        if not names:
            return ""
        return (
            f"{' and '.join(names)} still learned at the last epoch: "
            f"more epochs, or a higher learning rate, would give another result"
        )

    @abstractmethod
    def table(self) -> Table:
        """A row a backend."""

    def word(self) -> str:
        """Whether they differ by more than chance."""
        if self.diverged:
            return f"  {self.verdict}: {' and '.join(self.diverged)} left the finite numbers; lower the learning rate"
        chance = "no more than chance" if self.agrees else "MORE than this test set explains"
        found = f"  difference {self.difference:+.4f}: {self.explanation()}p = {self.p_value:.3g}, {chance}"
        return f"{found}\n  {self.unfinished}" if self.unfinished else found

    def explanation(self) -> str:
        """What the p-value is found from, before it in the sentence."""
        return ""

    def _stop(self, history: History) -> str:
        return "" if history.stopped_epoch is None else f"stopped early, best epoch {(history.best_epoch or 0) + 1}"

    def _repr_html_(self) -> str:
        return as_html([self.table(), self.word()])

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists and numbers."""
        return {
            "backends": [backend.to_dict() for backend in self.backends],
            "difference": self.difference,
            "unfinished": self.unfinished,
            "p_value": self.p_value,
            "verdict": self.verdict,
            "agrees": self.agrees,
        }


_FALL = 0.02
"""Share of the loss by which the last tenth of the epochs lowered it where a training was cut short."""


def _still_falls(history: History) -> bool:
    """Whether the loss was at its lowest in the last epoch, and clearly below that of a tenth of the epochs before."""
    losses = history.history.get("val_loss") or history.history["loss"]
    if history.stopped_epoch is not None or len(losses) < 2:
        return False
    before = losses[-1 - max(len(losses) // 10, 1)]
    return bool(losses[-1] <= min(losses) and losses[-1] < (1 - _FALL) * before)
