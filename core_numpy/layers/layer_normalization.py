"""LayerNormalization from scratch: normalise the values of each example, scale and shift."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec import layers as specs


class LayerNormalizationCache(NamedTuple):
    """What was normalized by what.

    Attributes:
        normalized: (x - mean) * inverse, of x's shape.
        inverse: 1 / sqrt(variance + epsilon), 1 along the normalized axes.
        mean: of the same shape.
    """

    normalized: Array
    inverse: Array
    mean: Array


class LayerNormalization(Layer):
    """Ba, Kiros and Hinton (2016) with Keras' conventions: ``gamma (x - mean) / sqrt(variance + epsilon) + beta``."""

    spec: specs.LayerNormalization

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        axes = self.spec.axes(x.ndim)
        # (n, ...) -> 1 along the axes
        mean = x.mean(axis=axes, keepdims=True)
        centred = x - mean
        variance = np.square(centred).mean(axis=axes, keepdims=True)
        inverse = 1 / np.sqrt(variance + x.dtype.type(self.spec.epsilon))
        normalized = centred * inverse
        y = normalized * self.along_axes(params["gamma"], x.ndim) if "gamma" in params else normalized
        if "beta" in params:
            y = y + self.along_axes(params["beta"], x.ndim)
        return y, LayerNormalizationCache(normalized, inverse, mean)

    def backward(
        self, params: Variables, cache: LayerNormalizationCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        normalized, axes = cache.normalized, self.spec.axes(dy.ndim)
        others = tuple(axis for axis in range(dy.ndim) if axis not in axes)
        # (n, ...) -> the shape of gamma
        grads = {
            name: (dy * normalized if name == "gamma" else dy).sum(axis=others).reshape(value.shape)
            for name, value in params.items()
        }
        if not need_dx:
            return None, grads
        scaled = dy * self.along_axes(params["gamma"], dy.ndim) if "gamma" in params else dy
        # The mean and the variance depend on every value, so their share is taken off
        shared = scaled.mean(axis=axes, keepdims=True)
        along = (scaled * normalized).mean(axis=axes, keepdims=True)
        return (scaled - shared - normalized * along) * cache.inverse, grads

    def along_axes(self, value: Array, rank: int) -> Array:
        """A parameter in the shape in which it stands along its axes of an array with ``rank`` axes."""
        shape = [1] * rank
        for axis, size in zip(self.spec.axes(rank), value.shape, strict=True):
            shape[axis] = size
        return value.reshape(shape)
