"""Losses and metrics of model_spec as the Keras objects ``compile`` takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_models.runtime import keras
from model_spec import ModelSpec, layers, losses


@keras.saving.register_keras_serializable(package="keras_models")
class HalfSumSquaredError(keras.losses.Loss):
    """``0.5 * sum((output - target)**2)`` over all outputs of an example, mean over the batch (not in Keras)."""

    def __init__(self, name: str = "half_sum_squared_error", reduction: str = "sum_over_batch_size", **options: Any):
        super().__init__(name=name, reduction=reduction, **options)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each example, shape (batch,)."""
        squares = keras.ops.square(y_pred - y_true)
        return 0.5 * keras.ops.sum(squares, axis=tuple(range(1, len(squares.shape))))


_PLAIN: dict[type[losses.Loss], Any] = {
    kind: getattr(keras.losses, kind.__name__)
    for kind in (
        losses.MeanSquaredError,
        losses.MeanAbsoluteError,
        losses.LogCosh,
        losses.KLDivergence,
        losses.Hinge,
        losses.SquaredHinge,
        losses.CategoricalHinge,
    )
}
"""Losses that Keras has under the same name, without options."""


def keras_loss(loss: losses.Loss, one_hot: bool, spec: ModelSpec) -> Any:
    """Return the ``keras.losses`` object of a loss; call it inside ``floatx``, whose width it takes.

    Args:
        loss: a loss of model_spec.
        one_hot: True where the targets of a cross-entropy are rows, False where they are integer classes.
        spec: the network, whose last activation decides whether ``from_logits`` can hold.
    """
    # Keras finds the logits behind a last softmax or sigmoid by itself, takes them for either cross-entropy (a sigmoid
    # in front of the categorical one is ignored in favour of a softmax), and warns where from_logits says so too.
    fused = _last_activation(spec) in ("softmax", "sigmoid")
    if isinstance(loss, losses.CategoricalCrossentropy):
        from_logits = bool(loss.from_logits) and not fused
        if not one_hot:
            return keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
        return keras.losses.CategoricalCrossentropy(from_logits=from_logits, label_smoothing=loss.label_smoothing)
    if isinstance(loss, losses.BinaryCrossentropy):
        return keras.losses.BinaryCrossentropy(
            from_logits=bool(loss.from_logits) and not fused, label_smoothing=loss.label_smoothing
        )
    if isinstance(loss, losses.Huber):
        return keras.losses.Huber(loss.delta)
    if type(loss) in _PLAIN:
        return _PLAIN[type(loss)]()
    if isinstance(loss, losses.HalfSumSquaredError):
        return HalfSumSquaredError()
    known = ", ".join(sorted({rule.__name__ for rule in losses.LOSSES.values()}))
    raise ValueError(f"unknown loss {loss!r}; supported are {known}")


def _last_activation(spec: ModelSpec) -> str:
    """The activation the network ends with; a layer that hands on the very tensor it got does not count as an end."""
    for layer in reversed(spec.layers):
        activation = getattr(layer, "activation", None)
        passes = isinstance(layer, layers.Activation) and activation == "linear"
        if not passes and getattr(layer, "rate", None) != 0:
            return activation or "linear"
    return "linear"


def keras_metrics(loss: losses.Loss, one_hot: bool) -> list[Any]:
    """Return the metrics of a loss: one named "accuracy" where the targets are classes or bits, else none."""
    if isinstance(loss, losses.CategoricalCrossentropy):
        kind = keras.metrics.CategoricalAccuracy if one_hot else keras.metrics.SparseCategoricalAccuracy
        return [kind(name="accuracy")]
    if isinstance(loss, losses.BinaryCrossentropy):
        return [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.5)]
    return []


def weights_for(loss: losses.Loss, sample_weight: np.ndarray | None, output_shape: tuple[int, ...]) -> Any:
    """Return the weights in a shape that multiplies Keras' per-example losses.

    Keras keeps all axes of the output but the last for mean squared error and binary cross-entropy, and lines a
    one-axis weight up with the LAST of them; the added axes make it one weight per example again.
    """
    if sample_weight is None or isinstance(loss, (losses.CategoricalCrossentropy, losses.HalfSumSquaredError)):
        return sample_weight
    return sample_weight.reshape((len(sample_weight),) + (1,) * (len(output_shape) - 1))
