"""UpSampling2D from scratch: cells are repeated, and their gradients summed."""

from __future__ import annotations

from typing import Any

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec import layers as specs


class UpSampling2D(Layer):
    """Each cell as a block of equal cells."""

    spec: specs.UpSampling2D

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        down, across = self.spec.size
        # (n, h, w, c) -> (n, h * down, w * across, c)
        return x.repeat(down, axis=1).repeat(across, axis=2), x.shape

    def backward(
        self, params: Variables, cache: tuple[int, ...], dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        (down, across), (n, height, width, channels) = self.spec.size, cache
        # (n, h * down, w * across, c) -> (n, h, down, w, across, c) -> (n, h, w, c)
        return dy.reshape(n, height, down, width, across, channels).sum(axis=(2, 4)), {}
