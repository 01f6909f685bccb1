"""Dropout from scratch: in training, drop each value with probability ``rate`` and scale the others up."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec import layers as specs


class Dropout(Layer):
    """Inverted dropout: inference needs no scaling."""

    spec: specs.Dropout

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        rate = self.spec.rate
        if not context.training or rate == 0:
            return x, None
        if context.masks is None:
            raise ValueError("Dropout in training needs a source of masks; give Context(training=True, masks=...)")
        # 1 along the axes whose values are dropped together
        keep = context.masks.keep_mask((len(x), *self.spec.mask_shape(x.shape[1:])), rate, x.dtype)
        # A product with a scaled mask: selecting by a boolean mask is many times slower.
        scaled = keep * x.dtype.type(1.0 / (1.0 - rate))
        return x * scaled, scaled

    def backward(
        self, params: Variables, cache: Array | None, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        return dy if cache is None else np.multiply(dy, cache), {}
