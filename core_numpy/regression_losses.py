"""Losses of values and margins from scratch: absolute, Huber, log-cosh, Kullback-Leibler and the hinges.

Formulas of keras/src/losses/losses.py, subgradients as TensorFlow's. Every function takes (outputs, targets) and
returns (losses, gradients) as in :mod:`core_numpy.losses`.
"""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array
from core_numpy.ops.activations import softplus
from model_spec.losses import LOG_2

_CLIP = 1e-7  # keras.config.epsilon()


def _mean(losses: Array, gradients: Array) -> tuple[Array, Array]:
    """The mean over all positions of an example: (n, ...) -> (n,)."""
    count = losses[0].size
    return losses.reshape(len(losses), -1).mean(axis=1), gradients / gradients.dtype.type(count)


def mean_absolute_error(outputs: Array, targets: Array) -> tuple[Array, Array]:
    """``abs(output - target)``, mean over outputs; where they are equal the gradient is 0."""
    difference = outputs - targets
    return _mean(np.abs(difference), np.sign(difference))


def huber(outputs: Array, targets: Array, delta: float = 1.0) -> tuple[Array, Array]:
    """``d**2 / 2`` where abs(d) <= delta, else ``delta abs(d) - delta**2 / 2`` (Huber, 1964), mean over outputs."""
    difference = outputs - targets
    limit, half = difference.dtype.type(delta), difference.dtype.type(0.5)
    size = np.abs(difference)
    losses = np.where(size <= limit, half * np.square(difference), limit * size - half * np.square(limit))
    return _mean(losses, np.clip(difference, -limit, limit))


def log_cosh(outputs: Array, targets: Array) -> tuple[Array, Array]:
    """``log(cosh(d))`` as ``abs(d) + softplus(-2 abs(d)) - log(2)``, mean over outputs; its gradient is tanh(d)."""
    difference = outputs - targets
    size = np.abs(difference)
    losses = size + softplus(-2 * size) - difference.dtype.type(LOG_2)
    return _mean(losses, np.tanh(difference))


def kl_divergence(outputs: Array, targets: Array) -> tuple[Array, Array]:
    """``sum(t log(t / p))`` over the last axis, both clipped to 1e-7 .. 1; a clipped p passes no gradient."""
    low, high = outputs.dtype.type(_CLIP), outputs.dtype.type(1)
    shares, clipped = np.clip(targets, low, high), np.clip(outputs, low, high)
    inside = (outputs >= low) & (outputs <= high)
    # (n, ..., classes) -> (n, ...)
    losses = (shares * np.log(shares / clipped)).sum(axis=-1)
    return _mean(losses, -shares / clipped * inside)


def _margins(outputs: Array, targets: Array) -> tuple[Array, Array]:
    """Targets of -1 and 1 (0 stands for -1), and ``max(1 - t y, 0)``."""
    signs = np.where(targets == 0, targets.dtype.type(-1), targets)
    return signs, np.maximum(1 - signs * outputs, 0)


def hinge(outputs: Array, targets: Array) -> tuple[Array, Array]:
    """``max(1 - t y, 0)``, t of -1 and 1, mean over outputs; on the margin the gradient is still -t."""
    signs, margins = _margins(outputs, targets)
    return _mean(margins, -signs * (1 - signs * outputs >= 0))


def squared_hinge(outputs: Array, targets: Array) -> tuple[Array, Array]:
    """``max(1 - t y, 0)**2``, t of -1 and 1, mean over outputs."""
    signs, margins = _margins(outputs, targets)
    return _mean(np.square(margins), -2 * margins * signs)


def categorical_hinge(outputs: Array, targets: Array) -> tuple[Array, Array]:
    """``max(max((1 - t) y) - sum(t y) + 1, 0)`` over the last axis; equal maxima share the gradient evenly."""
    others = (1 - targets) * outputs
    # (n, ..., classes) -> (n, ..., 1)
    largest = others.max(axis=-1, keepdims=True)
    margins = largest - (targets * outputs).sum(axis=-1, keepdims=True) + 1
    winners = (others == largest).astype(outputs.dtype)
    slopes = (1 - targets) * winners / winners.sum(axis=-1, keepdims=True) - targets
    return _mean(np.maximum(margins, 0)[..., 0], slopes * (margins >= 0))
