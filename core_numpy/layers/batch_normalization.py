"""BatchNormalization from scratch: normalise each channel over the batch, scale and shift; moving statistics."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.ops.reduction import sum_rows
from model_spec import layers as specs


class BatchNormalizationCache(NamedTuple):
    """What was normalized by what.

    Attributes:
        normalized: (x - mean) * inverse, (rows, c): all axes but the last are rows.
        inverse: 1 / sqrt(variance + epsilon), (c,).
        mean, variance: of the batch or moving, (c,).
        uses_batch: True where they are the batch's own.
    """

    normalized: Array
    inverse: Array
    mean: Array
    variance: Array
    uses_batch: bool


class BatchNormalization(Layer):
    """Ioffe and Szegedy (2015) with Keras' conventions; all axes but the last are averaged over.

    In training, and unless frozen, the batch's own mean and (biased) variance are used; otherwise the moving ones.
    """

    spec: specs.BatchNormalization

    @property
    def couples_examples(self) -> bool:
        return self.spec.trainable

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        uses_batch = context.training and self.spec.trainable
        # (n, ..., c) -> (rows, c)
        rows = x.reshape(-1, x.shape[-1])
        if uses_batch:
            count = x.dtype.type(len(rows))
            mean = sum_rows(rows) / count
            variance = sum_rows(np.square(rows - mean)) / count
        else:
            mean, variance = state["moving_mean"], state["moving_variance"]
        inverse = 1 / np.sqrt(variance + x.dtype.type(self.spec.epsilon))
        normalized = (rows - mean) * inverse
        y = normalized * params["gamma"] if "gamma" in params else normalized
        if "beta" in params:
            y = y + params["beta"]
        return y.reshape(x.shape), BatchNormalizationCache(normalized, inverse, mean, variance, uses_batch)

    def backward(
        self, params: Variables, cache: BatchNormalizationCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        normalized = cache.normalized
        # (n, ..., c) -> (rows, c)
        rows = dy.reshape(normalized.shape)
        sums = {"gamma": sum_rows(rows * normalized), "beta": sum_rows(rows)}
        grads = {name: sums[name] for name in params}
        if not need_dx:
            return None, grads
        scale = cache.inverse * params["gamma"] if "gamma" in params else cache.inverse
        if cache.uses_batch:
            # The mean and the variance depend on every row, so their share is taken off.
            count = rows.dtype.type(len(rows))
            rows = rows - (sums["beta"] + normalized * sums["gamma"]) / count
        return (rows * scale).reshape(dy.shape), grads

    def next_state(self, state: Variables, cache: BatchNormalizationCache) -> Variables:
        if not cache.uses_batch:
            return state
        kind = cache.mean.dtype.type
        momentum, rest = kind(self.spec.momentum), kind(1.0 - self.spec.momentum)
        return {
            "moving_mean": state["moving_mean"] * momentum + cache.mean * rest,
            "moving_variance": state["moving_variance"] * momentum + cache.variance * rest,
        }
