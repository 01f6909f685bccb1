"""Permute from scratch: a transposition, and its inverse for the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec import layers as specs


class Permute(Layer):
    """The axes of each example in another order."""

    spec: specs.Permute

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        # (n, a, b, ...) -> (n, axes in the order of dims)
        return np.ascontiguousarray(x.transpose(0, *self.spec.dims)), None

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        back = np.argsort((0, *self.spec.dims))
        return np.ascontiguousarray(dy.transpose(back)) if need_dx else None, {}
