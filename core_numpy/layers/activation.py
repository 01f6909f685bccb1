"""Activation from scratch: one function on every value, and its derivative."""

from __future__ import annotations

from typing import Any

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.ops.activations import FUNCTIONS
from model_spec import layers as specs


class Activation(Layer):
    """An activation function as a layer; Dense and Conv2D are lowered to their linear part and one of these."""

    spec: specs.Activation

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        y = FUNCTIONS[self.spec.activation].forward(x)
        return y, (x, y)

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        x, y = cache
        return FUNCTIONS[self.spec.activation].backward(x, y, dy) if need_dx else None, {}
