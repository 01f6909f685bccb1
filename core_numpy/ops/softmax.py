"""Softmax on the last axis, its logarithm, and one-hot rows."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array

SHORT_ROW = 32
"""Numbers of a row up to which rows are summed faster where they stand beside each other, as columns.

Measured: 1000 rows of 10 logits take 34 us in place of 99, of 32 half the time; rows of 100 gain nothing.
"""


def log_softmax(logits: Array) -> Array:
    """``logits - log(sum(exp(logits)))`` without overflow, same shape."""
    if logits.ndim == 2 and logits.shape[1] <= SHORT_ROW:
        logits = np.asfortranarray(logits)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def softmax(logits: Array) -> Array:
    """``exp(logits) / sum(exp(logits))`` without overflow, same shape.

    >>> softmax(np.array([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def softmax_backward(y: Array, dy: Array) -> Array:
    """Pull dy back through ``y = softmax(logits)``: ``y * (dy - sum(dy * y))``."""
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


def one_hot(labels: Array, classes: int, dtype: str | np.dtype = "float32") -> Array:
    """Integer classes (n,) as rows with a single 1, (n, classes).

    >>> one_hot(np.array([1, 0]), 3).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    labels = np.asarray(labels)
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(f"labels must be 0..{classes - 1}, got {labels.min()}..{labels.max()}")
    rows = np.zeros((*labels.shape, classes), dtype)
    np.put_along_axis(rows, labels[..., None], 1, axis=-1)
    return rows
