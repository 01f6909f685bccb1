"""Conv2D from scratch: the windows of the image laid out in rows, then one matrix product (im2col)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.ops.convolution import conv2d, conv2d_backward
from core_numpy.ops.reduction import sum_rows
from core_numpy.ops.windows import Windows
from model_spec import layers as specs


class Conv2DCache(NamedTuple):
    """The laid-out windows (n, out h, out w, kernel h, kernel w, c), and where they stand in the image."""

    columns: Array
    windows: Windows

    @property
    def rows(self) -> Array:
        """What the kernel was multiplied with, a window a row: (n * out h * out w, kernel h * kernel w * c)."""
        return self.columns.reshape(-1, math.prod(self.columns.shape[3:]))


class Conv2D(Layer):
    """The linear part of a Conv2D layer; its activation is a layer of its own (see ``build.lower``)."""

    spec: specs.Conv2D

    def windows(self, x: Array) -> Windows:
        """Where the kernel stops on images x (n, h, w, c)."""
        spec = self.spec
        return Windows((x.shape[1], x.shape[2]), spec.kernel_size, spec.strides, spec.padding, spec.dilation_rate)

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        windows = self.windows(x)
        # (n, h, w, c) -> (n, out h, out w, filters)
        y, columns = conv2d(x, params["kernel"], windows)
        if "bias" in params:
            y += params["bias"]
        return y, Conv2DCache(columns, windows)

    def backward(
        self, params: Variables, cache: Conv2DCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        dx, dkernel = conv2d_backward(params["kernel"], cache.columns, dy, cache.windows, need_dx)
        grads = {"kernel": dkernel}
        if "bias" in params:
            # (n, out h, out w, filters) -> (filters,)
            grads["bias"] = sum_rows(dy.reshape(-1, dy.shape[-1]))
        return dx, grads
