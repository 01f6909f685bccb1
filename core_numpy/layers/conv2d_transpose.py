"""Conv2DTranspose from scratch: what a convolution does to gradients of its input, done to values."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.ops.reduction import sum_rows
from core_numpy.ops.windows import Windows, col2im, im2col
from model_spec import layers as specs


class Conv2DTransposeCache(NamedTuple):
    """The input (n, h, w, c), and where its cells' kernels stand in the output."""

    x: Array
    windows: Windows


class Conv2DTranspose(Layer):
    """The linear part of a Conv2DTranspose layer; its activation is a layer of its own (see ``build.lower``)."""

    spec: specs.Conv2DTranspose

    def windows(self, x: Array) -> Windows:
        """Where the kernel stops on the OUTPUT of images x (n, h, w, c)."""
        spec = self.spec
        height, width, _ = spec.output_shape(x.shape[1:])
        return Windows((height, width), spec.kernel_size, spec.strides, spec.padding)

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        kernel, windows = params["kernel"], self.windows(x)
        # (n * h * w, c) @ (c, kernel h * kernel w * filters)
        flat = x.reshape(-1, x.shape[-1]) @ kernel.reshape(-1, x.shape[-1]).T
        # (n, h, w, kernel h, kernel w, filters) -> (n, out h, out w, filters)
        y = col2im(flat.reshape(*x.shape[:3], *kernel.shape[:3]), windows)
        if "bias" in params:
            y = y + params["bias"]
        return y, Conv2DTransposeCache(x, windows)

    def backward(
        self, params: Variables, cache: Conv2DTransposeCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        kernel, x = params["kernel"], cache.x
        rows = self.gradient_rows(dy, cache.windows)
        # (kernel h * kernel w * filters, n * h * w) @ (n * h * w, c)
        grads = {"kernel": (rows.T @ x.reshape(-1, x.shape[-1])).reshape(kernel.shape)}
        if "bias" in params:
            # (n, out h, out w, filters) -> (filters,)
            grads["bias"] = sum_rows(dy.reshape(-1, dy.shape[-1]))
        return (rows @ kernel.reshape(-1, x.shape[-1])).reshape(x.shape) if need_dx else None, grads

    @staticmethod
    def gradient_rows(dy: Array, windows: Windows) -> Array:
        """The part of dy that each cell of x reached, a cell a row: (n * h * w, kernel h * kernel w * filters)."""
        columns = im2col(dy, windows)
        return columns.reshape(-1, math.prod(columns.shape[3:]))
