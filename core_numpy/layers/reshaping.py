"""Layers without parameters that move, pad or rescale values: Flatten, Reshape, ZeroPadding2D, Rescaling."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec import layers as specs


class Reshape(Layer):
    """The same values in another shape; Flatten is this layer with one axis."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        # (n, *input shape) -> (n, *output shape)
        return x.reshape(len(x), *self.spec.output_shape(x.shape[1:])), x.shape

    def backward(
        self, params: Variables, cache: tuple[int, ...], dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        return dy.reshape(cache) if need_dx else None, {}


class ZeroPadding2D(Layer):
    """A border of zeros around the image."""

    spec: specs.ZeroPadding2D

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        # (n, h, w, c) -> (n, top + h + bottom, left + w + right, c)
        return np.pad(x, ((0, 0), *self.spec.padding, (0, 0))), x.shape

    def backward(
        self, params: Variables, cache: tuple[int, ...], dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        (top, _), (left, _) = self.spec.padding
        _, height, width, _ = cache
        return dy[:, top : top + height, left : left + width] if need_dx else None, {}


class Rescaling(Layer):
    """``x * scale + offset``, by one number each or one for each channel."""

    spec: specs.Rescaling

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        # (n, ..., c) by () or (c,)
        return x * np.asarray(self.spec.scale, x.dtype) + np.asarray(self.spec.offset, x.dtype), None

    def backward(
        self, params: Variables, cache: None, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        return dy * np.asarray(self.spec.scale, dy.dtype) if need_dx else None, {}
