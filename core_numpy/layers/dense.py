"""Dense from scratch: ``y = x @ kernel + bias`` and its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Layer, Seeds, Variables
from core_numpy.ops.reduction import sum_rows
from model_spec import layers as specs
from model_spec.shapes import Shape


class Dense(Layer):
    """The linear part of a Dense layer; its activation is a layer of its own (see ``build.lower``)."""

    spec: specs.Dense

    def build(self, input_shape: Shape, seeds: Seeds, dtype: np.dtype) -> tuple[dict[str, Array], dict[str, Array]]:
        rules = {"kernel": self.spec.kernel_initializer, "bias": self.spec.bias_initializer}
        shapes = self.spec.parameter_shapes(input_shape)
        from core_numpy.initializers import initialize  # a layer that is loaded draws nothing

        return {name: initialize(rules[name], shape, seeds(name), dtype) for name, shape in shapes.items()}, {}

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        kernel = params["kernel"]
        # (..., inputs) -> (rows, inputs) @ (inputs, units) -> (..., units)
        y = (x.reshape(-1, kernel.shape[0]) @ kernel).reshape(*x.shape[:-1], kernel.shape[1])
        if "bias" in params:
            y += params["bias"]
        return y, x

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        x, kernel = cache, params["kernel"]
        # (..., inputs) -> (rows, inputs), (..., units) -> (rows, units)
        rows, dy_rows = x.reshape(-1, kernel.shape[0]), dy.reshape(-1, kernel.shape[1])
        grads = {"kernel": rows.T @ dy_rows}
        if "bias" in params:
            grads["bias"] = sum_rows(dy_rows)
        return (dy_rows @ kernel.T).reshape(x.shape) if need_dx else None, grads
