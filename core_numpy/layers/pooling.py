"""The window poolings from scratch: MaxPooling2D and AveragePooling2D."""

from __future__ import annotations

from typing import Any, NamedTuple

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.ops.pooling import (
    average_pooling2d,
    average_pooling2d_backward,
    max_pooling2d,
    max_pooling2d_backward,
)
from core_numpy.ops.windows import Windows
from model_spec.layers.pooling import Pooling2D


class WindowPooling(Layer):
    """The common part of both: where the window stops."""

    spec: Pooling2D

    def windows(self, x: Array) -> Windows:
        """Where the pool stops on images x (n, h, w, c)."""
        return Windows((x.shape[1], x.shape[2]), self.spec.pool_size, self.spec.strides, self.spec.padding)


class MaxPooling2DCache(NamedTuple):
    """The winning cell of each window, of y's shape, and where the windows stand."""

    winner: Array
    windows: Windows


class MaxPooling2D(WindowPooling):
    """The largest value of each window; the first of equals takes the gradient."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        windows = self.windows(x)
        # (n, h, w, c) -> (n, out h, out w, c)
        y, winner = max_pooling2d(x, windows)
        return y, MaxPooling2DCache(winner, windows)

    def backward(
        self, params: Variables, cache: MaxPooling2DCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        return max_pooling2d_backward(cache.winner, dy, cache.windows) if need_dx else None, {}


class AveragePooling2D(WindowPooling):
    """The mean of each window; "same" counts real cells only."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        windows = self.windows(x)
        # (n, h, w, c) -> (n, out h, out w, c)
        return average_pooling2d(x, windows), windows

    def backward(
        self, params: Variables, cache: Windows, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        return average_pooling2d_backward(dy, cache) if need_dx else None, {}
