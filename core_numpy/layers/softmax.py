"""Softmax from scratch: that of the last axis, with another axis in its place."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.ops.softmax import softmax, softmax_backward
from model_spec import layers as specs


class SoftmaxCache(NamedTuple):
    """The probabilities, their axis last."""

    probabilities: Array


class Softmax(Layer):
    """Probabilities along one axis."""

    spec: specs.Softmax

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        axis = self.spec.position(x.ndim)
        probabilities = softmax(np.moveaxis(x, axis, -1))
        return np.moveaxis(probabilities, -1, axis), SoftmaxCache(probabilities)

    def backward(
        self, params: Variables, cache: SoftmaxCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        axis = self.spec.position(dy.ndim)
        dx = softmax_backward(cache.probabilities, np.moveaxis(dy, axis, -1))
        return np.moveaxis(dx, -1, axis), {}
