"""RepeatVector from scratch: rows are repeated, and their gradients summed."""

from __future__ import annotations

from typing import Any

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec import layers as specs


class RepeatVector(Layer):
    """A row as equal steps."""

    spec: specs.RepeatVector

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        # (n, features) -> (n, steps, features)
        return x[:, None].repeat(self.spec.n, axis=1), None

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        # (n, steps, features) -> (n, features)
        return dy.sum(axis=1) if need_dx else None, {}
