"""How often a prediction is right."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array
from core_numpy.losses import check_targets
from model_spec import losses as rules
from model_spec.inputs import numeric
from model_spec.validation import positive_integer


def correct(predictions: Array, targets: Array, loss: rules.Loss) -> Array | None:
    """True for each right prediction, or None where the loss has no notion of right.

    Cross-entropy: the largest output is the target class (the first of equals). Binary cross-entropy: each output is
    on the target's side of 0.5 (one entry an output, as Keras' BinaryAccuracy counts).

    Raises:
        ValueError: targets whose shape would only broadcast.
    """
    if isinstance(loss, rules.CategoricalCrossentropy):
        labels = _classes(predictions, targets)
        return predictions.argmax(axis=-1) == labels
    if isinstance(loss, rules.BinaryCrossentropy):
        check_targets(predictions, targets)
        return (predictions > 0.5) == targets
    return None


def _classes(predictions: Array, labels: Array) -> Array:
    """Labels (n,) or one-hot rows (n, classes) as classes (n,)."""
    check_targets(predictions, labels, allow_classes=True)
    return labels if labels.ndim == 1 else labels.argmax(axis=-1)


def _checked(predictions: Array, labels: Array) -> tuple[Array, Array]:
    """Predictions (n, classes) and classes (n,) of which a share can be right."""
    predictions, labels = numeric("predictions", predictions), numeric("labels", labels)
    if predictions.ndim != 2 or not predictions.size:
        raise ValueError(f"predictions must have shape (examples, classes) and hold rows, got {predictions.shape}")
    if np.isnan(predictions).any():
        raise ValueError("predictions contain NaN, which is neither right nor wrong; leave these rows out")
    return predictions, _classes(predictions, labels)


def accuracy(predictions: Array, labels: Array) -> float:
    """Share of rows whose largest value is at the label; of equal values the first one counts.

    Args:
        predictions: shape (n, classes), without NaN.
        labels: classes (n,) or one-hot rows (n, classes).

    Raises:
        ValueError: for anything else, and for labels that are no class.

    >>> accuracy(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 0]))
    0.5
    """
    predictions, classes = _checked(predictions, labels)
    return float((predictions.argmax(axis=-1) == classes).mean())


def top_k_accuracy(predictions: Array, labels: Array, k: int = 5) -> float:
    """Share of rows whose label is among the k largest values; a tie at the edge counts as inside, as in TensorFlow.

    Args:
        predictions: shape (n, classes), without NaN.
        labels: classes (n,) or one-hot rows (n, classes).
        k: 1 to the number of classes.

    Raises:
        ValueError: for anything else, and for labels that are no class.

    >>> top_k_accuracy(np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]), np.array([1, 2]), k=2)
    0.5
    """
    predictions, classes = _checked(predictions, labels)
    if positive_integer("k", k) > predictions.shape[1]:
        raise ValueError(f"k must be at most the number of classes, {predictions.shape[1]}, got {k}")
    at_label = np.take_along_axis(predictions, classes[:, None], axis=1)
    return float(((predictions > at_label).sum(axis=1) < k).mean())
