"""Train both backends from the same weights on the same batches, and say whether they learned the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import class_figures, regression
from benchmarks.regression import RegressionComparison
from benchmarks.tables import Table
from benchmarks.trained import SIGNIFICANCE, TrainedBackend, TrainedPair, mcnemar
from bridge.progress import Show, silent
from core_numpy import NumpyModel
from model_spec import Callback, ModelSpec, TrainingSpec
from model_spec.verdict import Verdict, combine

Array = np.ndarray


@dataclass(frozen=True)
class AccuracyComparison(TrainedPair):
    """Two classifiers trained alike; ``p_value`` is that of the exact McNemar test.

    Attributes:
        only: how many test examples only the first, and only the second, got right.
        largest_probability_difference: over all test examples and classes.
    """

    only: tuple[int, int]
    largest_probability_difference: float

    @property
    def different_answers(self) -> list[dict[str, int]]:
        """The test examples that get different classes from the two, with the true one."""
        first, second = (backend.probabilities.argmax(axis=1) for backend in self.backends)
        return [
            {"index": int(i), "label": int(self.labels[i]), "first": int(first[i]), "second": int(second[i])}
            for i in np.flatnonzero(first != second)
        ]

    def confusion(self) -> dict[str, list[list[int]]]:
        """{backend: counts, true classes in rows and answers in columns}."""
        from sklearn.metrics import confusion_matrix

        classes = np.arange(self.backends[0].probabilities.shape[1])
        return {
            backend.name: confusion_matrix(self.labels, backend.probabilities.argmax(axis=1), labels=classes).tolist()
            for backend in self.backends
        }

    def class_figures(self) -> dict[str, dict[str, Any]]:
        """{backend: {"per_class": a dict a class, "calibration": ...}} of backends that are finite."""
        return {
            backend.name: {
                "per_class": class_figures.per_class(self.labels, backend.probabilities),
                "calibration": class_figures.calibration(self.labels, backend.probabilities),
            }
            for backend in self.backends
            if backend.name not in self.diverged
        }

    def table(self) -> Table:
        """A row a backend."""
        table = Table(["backend", "test accuracy", "test loss", "epochs", "seconds", ""])
        for backend in self.backends:
            history = backend.history
            figures = [f"{backend.test['accuracy']:.4f}", f"{backend.test['loss']:.4f}", str(len(history.epoch))]
            table.rows.append([backend.name, *figures, f"{history.seconds:.1f}", self._stop(history)])
        return table

    def explanation(self) -> str:
        """The counts of McNemar's test."""
        return f"right on one side only {self.only[0]} and {self.only[1]}, "

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists and numbers."""
        return super().to_dict() | {
            "only_one_right": list(self.only),
            "different_answers": self.different_answers,
            "confusion": self.confusion(),
            "class_figures": self.class_figures(),
            "largest_probability_difference": self.largest_probability_difference,
        }


class Announce(Callback):
    """Hands each finished epoch to a function, for progress lines."""

    def __init__(self, name: str, epochs: int, show: Show) -> None:
        self.name, self.epochs, self.show = name, epochs, show

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        figures = " ".join(f"{key}={value:.4f}" for key, value in (logs or {}).items())
        self.show(f"epochs, {self.name} {figures}", epoch + 1, self.epochs)


def train_both(
    spec: ModelSpec,
    training: TrainingSpec,
    train: tuple[Array, Array],
    test: tuple[Array, Array],
    seed: int = 0,
    show: Show = silent,
    directory: Path | None = None,
) -> TrainedPair:
    """Train a NumpyModel and a KerasModel from one seed (the same weights, batches and dropout masks).

    Args:
        spec: the network.
        training: how to train.
        train: (x, y); the validation part is split off as ``training`` says.
        test: (x, y); y integer classes, or floats (n, targets) for a regression.
        seed: of both models.
        show: see :class:`bridge.progress.Show`.
        directory: where a checkpoint of each is kept after every epoch, and taken up where there is one.
    """
    from keras_models import KerasModel

    trained = []
    for name, kind in (("NumPy", NumpyModel), ("Keras", KerasModel)):
        model: Any = kind(spec, seed=seed)
        announce = Announce(name, training.epochs, show)
        kept = None if directory is None else directory / f"{name.lower()}.npz"
        history = model.fit(*train, training, callbacks=[announce], verbose=0, checkpoint=kept, resume=kept is not None)
        trained.append(TrainedBackend(name, model, history, *figures_on(model, *test)))
    first, second = trained
    if is_regression(test[1]):
        chance = regression.p_value(test[1], first.probabilities, second.probabilities)
        return RegressionComparison(spec, training, (first, second), test[1], chance)
    right = [backend.probabilities.argmax(axis=1) == test[1] for backend in trained]
    only, p_value = mcnemar(*right)
    difference = float(np.abs(first.probabilities - second.probabilities).max())
    return AccuracyComparison(spec, training, (first, second), test[1], p_value, only, difference)


def is_regression(y: Array) -> bool:
    """True for targets that are values: classes are integers wherever data are read."""
    return y.dtype.kind == "f"


def figures_on(model: Any, x: Array, y: Array) -> tuple[dict[str, float], Array]:
    """(figures, output) of a model: "loss" and "accuracy", also where its loss has none; of a regression see there."""
    output = model.predict(x)
    if is_regression(y):
        return {"loss": float(model.evaluate(x, y)["loss"]), **regression.figures(y, output)}, output
    return {"accuracy": float((output.argmax(axis=1) == y).mean())} | model.evaluate(x, y), output


def paired_p_value(results: Sequence[TrainedPair]) -> float:
    """The chance of differences as one-sided as these over several seeds, if both backends were equally good.

    Wilcoxon's signed-rank test; fewer than 8 seeds cannot bring it below 0.01.
    """
    from scipy.stats import wilcoxon

    differences = np.array([result.difference for result in results])
    return float(wilcoxon(differences).pvalue) if differences.any() else 1.0


def accuracy_verdict(results: Sequence[TrainedPair]) -> Verdict:
    """What :func:`agree` says of trainings that stayed finite; otherwise what became of those that did not."""
    found = [result.verdict for result in results if result.verdict != Verdict.AGREE and result.diverged]
    return combine(found or [Verdict.AGREE if agree(results) else Verdict.DIFFER])


def agree(results: Sequence[TrainedPair]) -> bool:
    """True unless every seed's test set calls the same backend better, or the seeds together do.

    One seed cannot tell: McNemar's test knows how a test set scatters, but not how far two trainings of one network
    part by rounding alone. A backend that is worse is worse from every seed.
    """
    worse = {np.sign(result.difference) for result in results if not result.agrees}
    everywhere = len(worse) == 1 and not any(result.agrees for result in results)
    return not everywhere and (len(results) == 1 or paired_p_value(results) >= SIGNIFICANCE)


def spread(results: Sequence[TrainedPair]) -> dict[str, dict[str, float]]:
    """{backend: mean, standard deviation, least and most of the test accuracies, or of R^2} over several seeds."""
    found = {}
    for side, backend in enumerate(results[0].backends):
        values = np.array([result.backends[side].test[results[0].score] for result in results])
        found[backend.name] = {
            "mean": float(values.mean()),
            "deviation": float(values.std(ddof=1)) if len(values) > 1 else 0.0,
            "least": float(values.min()),
            "most": float(values.max()),
        }
    return found


@contextmanager
def blas_threads(threads: int) -> Iterator[None]:
    """Let NumPy's linear algebra use this many threads inside the block."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads):
        yield
