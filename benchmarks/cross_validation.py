"""k-fold cross-validation of either backend, with scikit-learn's own splitters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_spec import TrainingSpec

Array = np.ndarray


@dataclass(frozen=True)
class CrossValidation:
    """Test figures of every fold, {"loss": [...], "accuracy": [...]}."""

    folds: dict[str, list[float]]

    @property
    def mean(self) -> dict[str, float]:
        """Mean of each figure over the folds."""
        return {name: float(np.mean(values)) for name, values in self.folds.items()}

    @property
    def spread(self) -> dict[str, float]:
        """Standard deviation of each figure over the folds (n - 1 in the denominator)."""
        return {name: float(np.std(values, ddof=1)) for name, values in self.folds.items()}


def cross_validate(
    make_model: Callable[[], Any], x: Array, y: Array, training: TrainingSpec, splitter: Any = None
) -> CrossValidation:
    """Train a fresh model on each split and judge it on the rest.

    Args:
        make_model: returns an untrained model, e.g. ``lambda: NumpyModel(spec, seed=0)`` or ``KerasModel(...)``.
        x: inputs (examples, *input shape).
        y: targets; integer classes where the splitter stratifies.
        training: how to train each fold.
        splitter: any splitter of scikit-learn; None takes ``StratifiedKFold(5, shuffle=True, random_state=0)``.
    """
    if splitter is None:
        try:
            from sklearn.model_selection import StratifiedKFold
        except ImportError:
            raise ImportError('cross-validation needs scikit-learn: pip install "crosscheck[data]"') from None
        splitter = StratifiedKFold(5, shuffle=True, random_state=0)
    folds: dict[str, list[float]] = {}
    for train, test in splitter.split(x, y):
        model = make_model()
        model.fit(x[train], y[train], training, verbose=0)
        for name, value in model.evaluate(x[test], y[test]).items():
            folds.setdefault(name, []).append(value)
    return CrossValidation(folds)
