"""Activation from scratch: one function on every value, and its derivative."""

from __future__ import annotations

from typing import Any, NamedTuple

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.ops.activations import FUNCTIONS
from model_spec import layers as specs


class ActivationCache(NamedTuple):
    """Input and output, of one shape."""

    x: Array
    y: Array


class Activation(Layer):
    """An activation function as a layer; Dense and Conv2D are lowered to their linear part and one of these."""

    spec: specs.Activation

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        y = FUNCTIONS[self.spec.activation].forward(x)
        return y, ActivationCache(x, y)

    def backward(
        self, params: Variables, cache: ActivationCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        return FUNCTIONS[self.spec.activation].backward(cache.x, cache.y, dy) if need_dx else None, {}
