"""How often a prediction is right."""

from __future__ import annotations

import numpy as np

from core_numpy.losses import check_targets
from model_spec import losses as rules

Array = np.ndarray


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


def accuracy(predictions: Array, labels: Array) -> float:
    """Share of rows whose largest value is at the label, labels (n,) or one-hot (n, classes).

    >>> accuracy(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 0]))
    0.5
    """
    labels = _classes(predictions, labels)
    return float((predictions.argmax(axis=-1) == labels).mean())


def top_k_accuracy(predictions: Array, labels: Array, k: int = 5) -> float:
    """Share of rows whose label is among the k largest values; a tie at the edge counts as inside, as in TensorFlow.

    >>> top_k_accuracy(np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]), np.array([1, 2]), k=2)
    0.5
    """
    labels = _classes(predictions, labels)
    at_label = np.take_along_axis(predictions, labels[:, None], axis=1)
    return float(((predictions > at_label).sum(axis=1) < k).mean())
