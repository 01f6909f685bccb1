"""Networks that predict values: R^2, RMSE and MAE in place of accuracy, and which ends and losses such data take."""

from __future__ import annotations

from dataclasses import dataclass
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

_RANGES = {"softmax": (0.0, 1.0), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, np.inf)}
"""What activations give at most: targets beyond can never be reached."""


@dataclass(frozen=True)
class RegressionComparison(TrainedPair):
    """Two regressions trained alike; ``p_value`` is that of Welch's t-test of their squared errors on the test set."""

    score: ClassVar[str] = "r2"

    def table(self) -> Table:
        """A row a backend; RMSE and MAE in the unit of the targets."""
        table = Table(["backend", "test R^2", "RMSE", "MAE", "test loss", "epochs", "seconds", ""])
        for backend in self.backends:
            figures = [f"{backend.test['r2']:.4f}", *(f"{backend.test[name]:.4g}" for name in ("rmse", "mae", "loss"))]
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
        return super().to_dict() | {"largest_difference_of_predictions": apart}


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


def p_value(targets: Array, first: Array, second: Array) -> float:
    """The chance of squared errors so far apart if both were equally good: Welch's t-test over the test examples."""
    from scipy.stats import ttest_ind

    errors = [np.square(outputs.astype(np.float64) - targets).mean(axis=1) for outputs in (first, second)]
    if len(targets) < 2 or not all(np.isfinite(each).all() for each in errors) or np.array_equal(*errors):
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
