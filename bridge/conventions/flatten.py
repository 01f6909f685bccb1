"""Flatten in the order of frameworks that keep channels in front."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Variables
from core_numpy.layers.reshaping import Reshape


class ChannelsFirstFlatten(Reshape):
    """Flatten of images in (channels, height, width) order; other inputs have one order only."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        if x.ndim != 4:
            return super().forward(params, state, x, context)
        # (n, h, w, c) -> (n, c, h, w) -> (n, c * h * w)
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2)).reshape(len(x), -1), x.shape

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        if len(cache) != 4:
            return super().backward(params, cache, dy, need_dx)
        n, height, width, channels = cache
        dx = dy.reshape(n, channels, height, width).transpose(0, 2, 3, 1)
        return (np.ascontiguousarray(dx) if need_dx else None), {}
