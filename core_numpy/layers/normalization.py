"""Normalization from scratch: a difference and a quotient, with statistics that are given."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec import layers as specs
from model_spec.layers.normalization import LEAST_DEVIATION


class Normalization(Layer):
    """``(x - mean) / max(sqrt(variance), 1e-7)``."""

    spec: specs.Normalization

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        deviation = np.maximum(np.sqrt(self.along_axes(state["variance"], x)), x.dtype.type(LEAST_DEVIATION))
        return (x - self.along_axes(state["mean"], x)) / deviation, deviation

    def backward(
        self, params: Variables, cache: Array, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        return dy / cache if need_dx else None, {}

    def along_axes(self, value: Array, x: Array) -> Array:
        """A statistic in the shape in which it stands along its axes of x."""
        axes = self.spec.axes(x.ndim)
        return value.reshape([size if axis in axes else 1 for axis, size in enumerate(x.shape)])
