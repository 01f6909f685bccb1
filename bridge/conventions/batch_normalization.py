"""Batch normalization with another place for epsilon, or another variance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Variables
from core_numpy.layers.batch_normalization import BatchNormalization, BatchNormalizationCache
from core_numpy.ops.reduction import sum_rows


class OutsideEpsilonBatchNormalization(BatchNormalization):
    """(x - mean) / (sqrt(variance) + epsilon)."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        return _normalize(self, params, state, x, context, root_first=True, unbiased=False)

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        # The derivative of 1 / (sqrt(v) + e) has sqrt(v) where that of 1 / sqrt(v + e) has the whole denominator
        root = np.sqrt(cache.variance)
        return _with_variance_share(super().backward, params, cache, dy, need_dx, 1 / (cache.inverse * root) - 1)


class UnbiasedBatchNormalization(BatchNormalization):
    """The batch's variance divided by n - 1."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        return _normalize(self, params, state, x, context, root_first=False, unbiased=True)

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        # d variance / dx has n - 1 in place of n
        count = len(cache.normalized)
        return _with_variance_share(super().backward, params, cache, dy, need_dx, count / max(count - 1, 1) - 1)


def _with_variance_share(
    backward: Callable[..., Any], params: Variables, cache: Any, dy: Array, need_dx: bool, more: Any
) -> tuple[Array | None, dict[str, Array]]:
    """Keras' backward with the part of dx that goes through the batch's variance grown by the share ``more``."""
    normalized, inverse = cache.normalized, cache.inverse
    dx, grads = backward(params, cache, dy, need_dx)
    if dx is None or not cache.uses_batch:
        return dx, grads
    rows = dy.reshape(normalized.shape)
    scale = inverse * params["gamma"] if "gamma" in params else inverse
    share = scale * normalized * sum_rows(rows * normalized) / rows.dtype.type(len(rows))
    return dx - (share * more).astype(dx.dtype).reshape(dy.shape), grads


def _normalize(
    layer: BatchNormalization,
    params: Variables,
    state: Variables,
    x: Array,
    context: Context,
    root_first: bool,
    unbiased: bool,
) -> tuple[Array, Any]:
    uses_batch = context.training and layer.spec.trainable
    rows = x.reshape(-1, x.shape[-1])
    mean, variance = state["moving_mean"], state["moving_variance"]
    if uses_batch:
        mean = rows.mean(axis=0)
        variance = np.square(rows - mean).sum(axis=0) / (len(rows) - unbiased)
    epsilon = x.dtype.type(layer.spec.epsilon)
    inverse = 1 / (np.sqrt(variance) + epsilon) if root_first else 1 / np.sqrt(variance + epsilon)
    normalized = (rows - mean) * inverse
    y = normalized * params["gamma"] if "gamma" in params else normalized
    y = y + params["beta"] if "beta" in params else y
    return y.reshape(x.shape), BatchNormalizationCache(normalized, inverse, mean, variance, uses_batch)
