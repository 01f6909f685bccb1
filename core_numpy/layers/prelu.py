"""PReLU from scratch: negative values times learned slopes, and the gradients of both."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec import layers as specs


class PReLUCache(NamedTuple):
    """What the gradients depend on: the input."""

    x: Array


class PReLU(Layer):
    """``max(x, 0) + alpha * min(x, 0)``; where x is 0 no gradient passes, as in Keras."""

    spec: specs.PReLU

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        return np.maximum(x, 0) + params["alpha"] * np.minimum(x, 0), PReLUCache(x)

    def backward(
        self, params: Variables, cache: PReLUCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        x = cache.x
        # (n, ...) -> alpha's shape: 1 along the shared axes
        slopes = (dy * np.minimum(x, 0)).sum(axis=(0, *(self.spec.shared_axes or ())), keepdims=True)[0]
        dx = np.where(x > 0, dy, np.where(x < 0, params["alpha"] * dy, dy.dtype.type(0))) if need_dx else None
        return dx, {"alpha": slopes}
