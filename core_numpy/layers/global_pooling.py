"""The global poolings from scratch: one number a channel, its mean or its maximum over the image."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec.layers.pooling import GlobalPooling2D


class GlobalAveragePooling2D(Layer):
    """The mean of each channel over the image."""

    spec: GlobalPooling2D

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        # (n, h, w, c) -> (n, c), or (n, 1, 1, c)
        return x.mean(axis=(1, 2), keepdims=self.spec.keepdims), x.shape

    def backward(
        self, params: Variables, cache: tuple[int, ...], dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        _, height, width, _ = cache
        # (n, c) or (n, 1, 1, c) -> (n, h, w, c)
        share = (dy / dy.dtype.type(height * width)).reshape(len(dy), 1, 1, -1)
        return np.broadcast_to(share, cache).copy(), {}


class GlobalMaxPooling2DCache(NamedTuple):
    """Images x (n, h, w, c) and their maxima y (n, c), or (n, 1, 1, c)."""

    x: Array
    y: Array


class GlobalMaxPooling2D(Layer):
    """The largest value of each channel; equals share the gradient evenly, as TensorFlow's reduce_max."""

    spec: GlobalPooling2D

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        # (n, h, w, c) -> (n, c), or (n, 1, 1, c)
        y = x.max(axis=(1, 2), keepdims=self.spec.keepdims)
        return y, GlobalMaxPooling2DCache(x, y)

    def backward(
        self, params: Variables, cache: GlobalMaxPooling2DCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        # (n, h, w, c) == (n, 1, 1, c)
        wins = (cache.x == cache.y.reshape(len(dy), 1, 1, -1)).astype(dy.dtype)
        return wins * (dy.reshape(len(dy), 1, 1, -1) / wins.sum(axis=(1, 2), keepdims=True)), {}
