"""UnitNormalization from scratch: values over their Euclidean length."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec import layers as specs

LARGEST_INVERSE = 1e12
"""Keras' limit for one over a length (keras/src/layers/normalization/unit_normalization.py, epsilon)."""


class UnitNormalizationCache(NamedTuple):
    """What came out, and one over each length, 1 along the axes."""

    y: Array
    inverse: Array


class UnitNormalization(Layer):
    """``x / sqrt(sum(x**2))``; values of length 0 stay 0, and dx is 1e12 dy there, as in Keras on TensorFlow."""

    spec: specs.UnitNormalization

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        # (n, ...) -> 1 along the axes
        squares = np.square(x).sum(axis=self.spec.axes(x.ndim), keepdims=True)
        with np.errstate(divide="ignore"):
            inverse = np.minimum(1 / np.sqrt(squares), x.dtype.type(LARGEST_INVERSE))
        y = x * inverse
        return y, UnitNormalizationCache(y, inverse)

    def backward(
        self, params: Variables, cache: UnitNormalizationCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        y, inverse = cache
        along = (dy * y).sum(axis=self.spec.axes(dy.ndim), keepdims=True)
        return (dy - y * along) * inverse, {}
