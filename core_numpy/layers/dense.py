"""Dense from scratch: ``y = x @ kernel + bias`` and its gradients."""

from __future__ import annotations

from typing import Any

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.ops.reduction import sum_rows
from model_spec import layers as specs


class Dense(Layer):
    """The linear part of a Dense layer; its activation is a layer of its own (see ``build.lower``)."""

    spec: specs.Dense

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
