"""BatchNormalization from scratch: normalise each channel over the batch, scale and shift; moving statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.ops.reduction import sum_rows
from model_spec import layers as specs


class BatchNormalization(Layer):
    """Ioffe and Szegedy (2015) with Keras' conventions; all axes but the last are averaged over.

    In training, and unless frozen, the batch's own mean and (biased) variance are used; otherwise the moving ones.
    """

    spec: specs.BatchNormalization

    @property
    def couples_examples(self) -> bool:
        return self.spec.trainable

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        batch_statistics = context.training and self.spec.trainable
        # (n, ..., c) -> (rows, c)
        rows = x.reshape(-1, x.shape[-1])
        if batch_statistics:
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
        return y.reshape(x.shape), (normalized, inverse, mean, variance, batch_statistics)

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        normalized, inverse, _, _, batch_statistics = cache
        # (n, ..., c) -> (rows, c)
        rows = dy.reshape(normalized.shape)
        sums = {"gamma": sum_rows(rows * normalized), "beta": sum_rows(rows)}
        grads = {name: sums[name] for name in params}
        if not need_dx:
            return None, grads
        scale = inverse * params["gamma"] if "gamma" in params else inverse
        if batch_statistics:
            # The mean and the variance depend on every row, so their share is taken off.
            count = rows.dtype.type(len(rows))
            rows = rows - (sums["beta"] + normalized * sums["gamma"]) / count
        return (rows * scale).reshape(dy.shape), grads

    def next_state(self, state: Variables, cache: Any) -> Variables:
        _, _, mean, variance, batch_statistics = cache
        if not batch_statistics:
            return state
        kind = mean.dtype.type
        momentum, rest = kind(self.spec.momentum), kind(1.0 - self.spec.momentum)
        return {
            "moving_mean": state["moving_mean"] * momentum + mean * rest,
            "moving_variance": state["moving_variance"] * momentum + variance * rest,
        }
