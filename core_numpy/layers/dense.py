"""Dense from scratch: ``y = x @ kernel + bias`` and its gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.ops.reduction import sum_rows
from model_spec import layers as specs


class DenseCache(NamedTuple):
    """What the kernel was multiplied with: x as a matrix (rows, inputs)."""

    rows: Array


class Dense(Layer):
    """The linear part of a Dense layer; its activation is a layer of its own (see ``build.lower``)."""

    spec: specs.Dense

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        kernel = params["kernel"]
        # (..., inputs) -> (rows, inputs) @ (inputs, units) -> (..., units)
        rows = x.reshape(-1, kernel.shape[0])
        y = (rows @ kernel).reshape(*x.shape[:-1], kernel.shape[1])
        if "bias" in params:
            y += params["bias"]
        return y, DenseCache(rows)

    def backward(
        self, params: Variables, cache: DenseCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        kernel = params["kernel"]
        # (..., units) -> (rows, units)
        dy_rows = dy.reshape(-1, kernel.shape[1])
        grads = {"kernel": cache.rows.T @ dy_rows}
        if "bias" in params:
            grads["bias"] = sum_rows(dy_rows)
        return (dy_rows @ kernel.T).reshape(*dy.shape[:-1], kernel.shape[0]) if need_dx else None, grads
