"""Cropping2D from scratch: a slice, and zeros around its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec import layers as specs


class Cropping2D(Layer):
    """The inside of an image."""

    spec: specs.Cropping2D

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        (top, bottom), (left, right) = self.spec.cropping
        _, height, width, _ = x.shape
        # (n, h, w, c) -> (n, h - top - bottom, w - left - right, c)
        return x[:, top : height - bottom, left : width - right], None

    def backward(
        self, params: Variables, cache: None, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        # (n, h - top - bottom, w - left - right, c) -> (n, h, w, c)
        return np.pad(dy, ((0, 0), *self.spec.cropping, (0, 0))) if need_dx else None, {}
