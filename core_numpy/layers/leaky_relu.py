"""LeakyReLU from scratch: negative values and their gradients times a fixed slope."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec import layers as specs


class LeakyReLUCache(NamedTuple):
    """Where the input is positive."""

    positive: Array


class LeakyReLU(Layer):
    """``x`` where x > 0, else ``slope * x``."""

    spec: specs.LeakyReLU

    def kept(self, value: float, dtype: np.dtype) -> Any:
        """A constant as TensorFlow keeps it: as a float32 attribute, in float64 networks too."""
        return dtype.type(np.float32(value))

    def slope(self, dtype: np.dtype) -> Any:
        """The slope as it is computed with."""
        return self.kept(self.spec.negative_slope, dtype)

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        positive = x > 0
        return np.where(positive, x, self.slope(x.dtype) * x), LeakyReLUCache(positive)

    def backward(
        self, params: Variables, cache: LeakyReLUCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        return np.where(cache.positive, dy, self.slope(dy.dtype) * dy) if need_dx else None, {}
