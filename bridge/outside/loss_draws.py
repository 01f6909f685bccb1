"""Random batches for a loss, drawn so that every branch of its rule is reached and something is compared."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array
from core_numpy.ops.activations import sigmoid
from core_numpy.ops.softmax import softmax
from model_spec import losses as rules

_PARTS = 2**24
"""Shares that are multiples of 1 / 2**24 are float32 numbers, and so is every sum of them up to 1."""


def drawn(rule: rules.Loss, logits: bool, batch: int, outputs: int, seed: int, draw: int) -> tuple[Array, Array]:
    """Outputs (batch, outputs) and targets like them, or classes (batch,); all of them float32 numbers."""
    random = np.random.default_rng([seed, draw, 7])
    y = random.standard_normal((batch, outputs)) * 1.5
    if isinstance(rule, rules.CategoricalCrossentropy):
        t: Array = random.integers(0, outputs, batch)
        return _single(y) if logits else _shares(y), t
    if isinstance(rule, rules.BinaryCrossentropy):
        t = random.integers(0, 2, y.shape).astype(np.float64)
        return _single(y if logits else sigmoid(y)), t
    if isinstance(rule, rules.KLDivergence):
        return _shares(y), _shares(random.standard_normal(y.shape))
    if isinstance(rule, rules.CategoricalHinge):
        return _single(y), np.eye(outputs)[random.integers(0, outputs, batch)]
    if isinstance(rule, (rules.Hinge, rules.SquaredHinge)):
        t = random.choice([-1.0, 1.0], y.shape)
        if draw % 2 == 0:
            t.flat[0] = -1.0 if y.flat[0] > 0 else 1.0  # a wrong sign: its loss is not 0
        return _single(y), t
    t = random.standard_normal(y.shape)
    if isinstance(rule, rules.Huber):
        # Differences on both sides of delta, whatever its size; one at least in every second batch
        y, t = y * rule.delta, t * rule.delta
        t.flat[0] = y.flat[0] + rule.delta * (2.0 if draw % 2 == 0 else 0.5)
    return _single(y), _single(t)


def _single(values: Array) -> Array:
    return values.astype(np.float32).astype(np.float64)


def _shares(logits: Array) -> Array:
    """Rows of probabilities whose sum is 1 exactly: dividing by it, as Keras does, changes nothing."""
    parts = np.maximum(np.round(softmax(logits) * _PARTS), 1.0)
    largest = parts.argmax(axis=-1)
    parts[np.arange(len(parts)), largest] += _PARTS - parts.sum(axis=-1)
    return np.asarray(parts / _PARTS)
