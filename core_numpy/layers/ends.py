"""The ends of networks with several inputs or outputs: a part of a row in its own shape, a row of several values."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec.layers import ends as specs

Parts = tuple[Array, ...]


class InputPart(Layer):
    """Values ``start`` to ``start + size`` of a row, in another shape; the gradient is zero for all others."""

    spec: specs.InputPart

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        part = x[:, self.spec.start : self.spec.start + self.spec.size]
        # (n, size) -> (n, *shape)
        return np.ascontiguousarray(part.reshape(len(x), *self.spec.shape)), x.shape

    def backward(
        self, params: Variables, cache: tuple[int, ...], dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        dx = np.zeros(cache, dy.dtype)
        dx[:, self.spec.start : self.spec.start + self.spec.size] = dy.reshape(len(dy), -1)
        return dx, {}


class Outputs(Layer):
    """All values of each example in one row, one input behind the other; the gradient is cut at the same places."""

    spec: specs.Outputs

    def forward(self, params: Variables, state: Variables, x: Parts, context: Context) -> tuple[Array, Any]:  # type: ignore[override]
        # (n, ...), (n, ...) -> (n, total)
        return np.concatenate([part.reshape(len(part), -1) for part in x], axis=1), [part.shape for part in x]

    def backward(  # type: ignore[override]
        self, params: Variables, cache: list[tuple[int, ...]], dy: Array, need_dx: bool = True
    ) -> tuple[Parts | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        ends = np.cumsum([int(np.prod(shape[1:])) for shape in cache])[:-1]
        parts = np.split(dy, ends, axis=1)
        return tuple(part.reshape(shape) for part, shape in zip(parts, cache, strict=True)), {}


ENDS: dict[str, type[Layer]] = {"InputPart": InputPart, "Outputs": Outputs}
