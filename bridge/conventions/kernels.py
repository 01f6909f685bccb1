"""Kernels kept or read in another order of axes than Keras'."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Variables
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.dense import Dense


def _other_kernel(turn: Callable[[Array], Array], turn_back: Callable[[Array], Array]) -> type[Conv2D]:
    """Conv2D that reads its kernel turned; the gradient comes back in the stored form."""

    class OtherKernel(Conv2D):
        def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
            return super().forward({**params, "kernel": turn(params["kernel"])}, state, x, context)

        def backward(
            self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
        ) -> tuple[Array | None, dict[str, Array]]:
            dx, grads = super().backward({**params, "kernel": turn(params["kernel"])}, cache, dy, need_dx)
            return dx, {**grads, "kernel": turn_back(grads["kernel"])}

    return OtherKernel


def _flip(kernel: Array) -> Array:
    return kernel[::-1, ::-1]


def _swap(kernel: Array) -> Array:
    return kernel.swapaxes(0, 1)


def _from_oihw(kernel: Array) -> Array:
    """The same memory, read as (out, in, height, width)."""
    height, width, inputs, filters = kernel.shape
    return kernel.reshape(filters, inputs, height, width).transpose(2, 3, 1, 0)


def _to_oihw(gradient: Array) -> Array:
    return np.ascontiguousarray(gradient.transpose(3, 2, 0, 1)).reshape(gradient.shape)


FlippedConv2D = _other_kernel(_flip, _flip)
SwappedConv2D = _other_kernel(_swap, _swap)
OihwConv2D = _other_kernel(_from_oihw, _to_oihw)


class TransposedDense(Dense):
    """Dense whose kernel's memory holds (units, inputs)."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        return super().forward({**params, "kernel": _from_rows(params["kernel"])}, state, x, context)

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        kernel = params["kernel"]
        dx, grads = super().backward({**params, "kernel": _from_rows(kernel)}, cache, dy, need_dx)
        return dx, {**grads, "kernel": np.ascontiguousarray(grads["kernel"].T).reshape(kernel.shape)}


def _from_rows(kernel: Array) -> Array:
    return kernel.reshape(kernel.shape[::-1]).T
