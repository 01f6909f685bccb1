"""ELU from scratch: negative values become ``alpha * (exp(x) - 1)``."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec import layers as specs


class ELUCache(NamedTuple):
    """Where the input is positive, and ``exp(x) - 1`` of the rest."""

    positive: Array
    negative: Array


class ELU(Layer):
    """``x`` where x > 0, else ``alpha * (exp(x) - 1)``; the slope there is ``alpha * exp(x)``."""

    spec: specs.ELU

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        positive, negative = x > 0, np.expm1(np.minimum(x, 0))
        return np.where(positive, x, x.dtype.type(self.spec.alpha) * negative), ELUCache(positive, negative)

    def backward(
        self, params: Variables, cache: ELUCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        return np.where(cache.positive, dy, dy.dtype.type(self.spec.alpha) * dy * (cache.negative + 1)), {}
