"""Networks that predict values: R^2, RMSE and MAE in place of accuracy, and which ends and losses such data take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from benchmarks.tables import Table
from benchmarks.trained import TrainedPair
from model_spec import ModelSpec, losses

Array = np.ndarray

LOSSES = (
    losses.MeanSquaredError,
    losses.HalfSumSquaredError,
    losses.MeanAbsoluteError,
    losses.Huber,
    losses.LogCosh,
)
"""Losses of values, as opposed to those of classes and probabilities."""

CONFIDENCE = 0.95
RESAMPLES = 1000
"""Test sets drawn for an interval."""

_RANGES = {"softmax": (0.0, 1.0), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, np.inf)}
"""What activations give at most: targets beyond can never be reached."""


@dataclass(frozen=True)
class RegressionComparison(TrainedPair):
    """Two regressions trained alike; ``p_value`` is that of Welch's t-test of their squared errors on the test set."""

    score: ClassVar[str] = "r2"

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """{backend: (low, high)} of R^2; see :func:`r2_interval`."""
        return {backend.name: r2_interval(self.labels, [backend.probabilities]) for backend in self.backends}

    def table(self) -> Table:
        """A row a backend; RMSE and MAE in the unit of the targets."""
        table = Table(["backend", "test R^2", "95 % interval", "RMSE", "MAE", "test loss", "epochs", "seconds", ""])
        for backend in self.backends:
            low, high = self.intervals[backend.name]
            r2 = [f"{backend.test['r2']:.4f}", f"{low:.4f} to {high:.4f}"]
            figures = [*r2, *(f"{backend.test[name]:.4g}" for name in ("rmse", "mae", "loss"))]
            history = backend.history
            epochs = [str(len(history.epoch)), f"{history.seconds:.1f}", self._stop(history)]
            table.rows.append([backend.name, *figures, *epochs])
        return table

    def explanation(self) -> str:
        """Names the test."""
        return "Welch's t-test of the squared errors, "

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists and numbers."""
        apart = float(np.abs(np.subtract(*(backend.probabilities for backend in self.backends))).max())
        return super().to_dict() | {"largest_difference_of_predictions": apart, "r2_intervals": self.intervals}


def figures(targets: Array, outputs: Array) -> dict[str, float]:
    """R^2, RMSE and MAE of predictions.

    Args:
        targets: true values (n, targets).
        outputs: predicted ones (n, targets).

    Returns:
        "r2": the share of the targets' variance that is explained, mean over the targets as in scikit-learn; "rmse" and
        "mae" in the unit of the targets. All are NaN where an output is not finite.

    Examples:
        >>> figures(np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [2.0]]))["r2"]
        0.5
    """
    if not np.isfinite(outputs).all():
        return dict.fromkeys(("r2", "rmse", "mae"), np.nan)
    from sklearn.metrics import r2_score

    errors = outputs.astype(np.float64) - targets
    return {
        "r2": float(r2_score(targets, outputs)) if len(targets) > 1 else np.nan,
        "rmse": float(np.sqrt(np.square(errors).mean())),
        "mae": float(np.abs(errors).mean()),
    }


def r2_interval(targets: Array, outputs: Sequence[Array]) -> tuple[float, float]:
    """95 % interval of R^2 on a test set of this size: the percentiles of a bootstrap over the test examples.

    Args:
        targets: true values (n, targets).
        outputs: what is predicted, (n, targets) for each seed; the interval is that of the mean R^2.

    Returns:
        (low, high), the same in every call; NaN where an output is not finite, or for fewer than two examples.

    Examples:
        >>> targets = np.arange(20.0)[:, None]
        >>> low, high = r2_interval(targets, [targets + np.tile([[2.0], [-2.0]], (10, 1))])
        >>> low < 0.88 < high
        True
    """
    count = len(targets)
    if count < 2 or not all(np.isfinite(each).all() for each in outputs):
        return np.nan, np.nan
    # The mean over seeds of 1 - errors / spread is that of the mean errors
    squares = np.mean([np.square(each.astype(np.float64) - targets) for each in outputs], axis=0)
    random, found = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        rows = random.integers(count, size=count)
        spread, errors = targets[rows].var(axis=0, dtype=np.float64), squares[rows].mean(axis=0)
        # As in scikit-learn where all targets are equal
        found.append(np.where(spread > 0, 1 - errors / np.where(spread > 0, spread, 1), errors == 0).mean())
    low, high = np.quantile(found, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _squared_errors(targets: Array, *outputs: Array) -> list[Array]:
    """The mean squared error of each example (n,)."""
    return [np.square(each.astype(np.float64) - targets).mean(axis=1) for each in outputs]


def paired_p_value(targets: Array, first: Array, second: Array) -> float:
    """The chance of squared errors so far apart if both were equally good: the paired t-test over the test examples."""
    from scipy.stats import ttest_1samp

    one, other = _squared_errors(targets, first, second)
    apart = one - other
    if len(targets) < 2 or not np.isfinite(apart).all() or not apart.any():
        return 1.0
    if np.ptp(apart) <= 1e-9 * np.abs(apart).max():
        return 0.0  # they differ by the same everywhere
    return float(ttest_1samp(apart, 0.0).pvalue)


def p_value(targets: Array, first: Array, second: Array) -> float:
    """The chance of squared errors so far apart if both were equally good: Welch's t-test over the test examples."""
    from scipy.stats import ttest_ind

    errors = _squared_errors(targets, first, second)
    if len(targets) < 2 or not all(np.isfinite(each).all() for each in errors) or np.array_equal(errors[0], errors[1]):
        return 1.0
    found = float(ttest_ind(*errors, equal_var=False).pvalue)
    return found if np.isfinite(found) else 0.0


def check_end(spec: ModelSpec, data: str, targets: Array) -> None:
    """See that a network can give such targets.

    Args:
        spec: the network.
        data: name of the data set, for the message.
        targets: of the training rows (n, targets).

    Raises:
        ValueError: another number of outputs, or a last activation whose range the targets leave; with what to write.
    """
    count = targets.shape[1]
    advice = f"end the network with Dense({count}) without an activation"
    last: Any = spec.layers[-1]
    name = getattr(last, "activation", None)
    name = name if isinstance(name, str) else type(name or last).__name__.lower()
    what = f"data set {data!r} has {'a value' if count == 1 else f'{count} values'} to predict (a regression)"
    if name == "softmax":
        raise ValueError(f"model {spec.name!r} ends in softmax, which gives probabilities of classes; {what}: {advice}")
    if spec.output_shape != (count,):
        raise ValueError(f"model {spec.name!r} gives output {spec.output_shape}; {what}: {advice}")
    low, high = _RANGES.get(name, (-np.inf, np.inf))
    least, most = float(targets.min()), float(targets.max())
    if least < low or most > high:
        raise ValueError(
            f"model {spec.name!r} ends in {name}, which gives {low:g}..{high:g}; {what} in "
            f"{least:g}..{most:g}: {advice}"
        )


def check_loss(loss: Any, data: str) -> None:
    """See that a loss is one of values.

    Raises:
        ValueError: a loss of classes; with those that fit.
    """
    if not isinstance(loss, LOSSES):
        raise ValueError(
            f"loss {type(loss).__name__} is one of classes, data set {data!r} has values to predict (a regression); "
            f"take mean_squared_error, mean_absolute_error, huber or log_cosh"
        )
