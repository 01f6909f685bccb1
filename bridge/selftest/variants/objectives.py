"""Right variants of losses and penalties: other formulas, other orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bridge.selftest.faults.change import LossFunctions
from bridge.selftest.faults.fault import Declarations
from bridge.selftest.variants.variant import Variant
from core_numpy.contract import Array
from core_numpy.ops.softmax import softmax

Function = Callable[[Array, Array], tuple[Array, Array]]


def _instead(function: Function) -> Callable[[LossFunctions], LossFunctions]:
    return lambda right: lambda rule, from_logits: function


variants = Declarations(Variant)
loss = variants.of("loss", _instead, shows="losses")
penalty = variants.of("penalty", lambda function: lambda right: function, shows="losses", probe="penalties")


def _rows(targets: Array, like: Array) -> Array:
    return np.eye(like.shape[1], dtype=like.dtype)[targets]


@loss("cross-entropy-from-probabilities", "-log(softmax)")
def _from_probabilities(logits: Array, targets: Array) -> tuple[Array, Array]:
    p = softmax(logits)
    return -np.log(p[np.arange(len(p)), targets]), p - _rows(targets, p)


@loss("cross-entropy-log-sum-exp", "log-sum-exp minus the logit")
def _log_sum_exp_last(logits: Array, targets: Array) -> tuple[Array, Array]:
    peak = logits.max(axis=1)
    total = peak + np.log(np.exp(logits - peak[:, None]).sum(axis=1))
    return total - logits[np.arange(len(logits)), targets], np.exp(logits - total[:, None]) - _rows(targets, logits)


@loss("cross-entropy-over-rows", "one-hot rows, reversed sum")
def _summed_over_rows(logits: Array, targets: Array) -> tuple[Array, Array]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    logarithms = shifted - np.log(np.exp(shifted)[:, ::-1].sum(axis=1, keepdims=True))
    rows = _rows(targets, logits)
    return -np.einsum("nc,nc->n", rows, logarithms), np.exp(logarithms) * rows.sum(axis=1, keepdims=True) - rows


loss("cross-entropy-of-given-logits", "log-sum-exp minus the logit", probe="logits")(_log_sum_exp_last)


def _smoothed(targets: Array) -> Array:
    kind = targets.dtype.type
    return targets * kind(0.8) + kind(0.1)


@loss("binary-by-softplus", "t softplus(-z) + (1 - t) softplus(z), gradient sigmoid(z) - t", probe="smoothed")
def _binary_by_softplus(logits: Array, targets: Array) -> tuple[Array, Array]:
    targets = _smoothed(targets)
    losses = targets * np.logaddexp(0, -logits) + (1 - targets) * np.logaddexp(0, logits)
    kind = logits.dtype.type
    return losses.mean(axis=1).astype(kind), (1 / (1 + np.exp(-logits)) - targets) / kind(logits.shape[1])


@loss("squares-by-product", "a product of differences", probe="regression")
def _squares_by_product(outputs: Array, targets: Array) -> tuple[Array, Array]:
    share = outputs.dtype.type(1 / outputs.shape[1])
    difference = targets - outputs
    return np.einsum("no,no->n", difference, difference) * share, -(difference + difference) * share


@loss("squares-divided-first", "each square divided before the sum", probe="regression")
def _squares_expanded_sum(outputs: Array, targets: Array) -> tuple[Array, Array]:
    difference = (outputs - targets)[:, ::-1]
    count = outputs.dtype.type(outputs.shape[1])
    losses = np.add.reduce(difference**2 / count, axis=1)
    return losses, np.ascontiguousarray((2 / count * difference)[:, ::-1])


@penalty("penalty-reversed", "the last weight first")
def _reversed_penalty(rule: Any, value: Array) -> tuple[float, Array]:
    l1, l2 = (value.dtype.type(getattr(rule, name, 0.0)) for name in ("l1", "l2"))
    total = value.dtype.type(0)
    for entry in value.ravel()[::-1]:
        total += l1 * abs(entry) + l2 * entry * entry
    return float(total), l2 * value + l2 * value + l1 * np.sign(value)


@penalty("penalty-by-product", "a vector product and a norm")
def _penalty_by_product(rule: Any, value: Array) -> tuple[float, Array]:
    l1, l2 = (value.dtype.type(getattr(rule, name, 0.0)) for name in ("l1", "l2"))
    flat = value.ravel()
    return float(l2 * (flat @ flat) + l1 * np.linalg.norm(flat, 1)), 2 * (l2 * value) + np.copysign(l1, value)
