"""Dense on both layouts, written for columns: rows are the same matrices transposed, which BLAS takes as they are."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array, Layer, Variables
from core_numpy.engine.block import Block, Room
from core_numpy.engine.layout import empty, zeros


class Dense(Block):
    """y = kernel.T x + bias for x (inputs, n) and y (units, n)."""

    def __init__(self, layer: Layer, source: Block, room: Room) -> None:
        super().__init__(layer, source, room)
        units = layer.spec.units  # type: ignore[attr-defined]
        self.y = self.whole = room.buffer((units,))
        if room.training:
            inputs = self._columns(source.y).shape[0]
            self.dkernel, self.dbias = zeros((inputs, units), room.dtype), zeros((units, 1), room.dtype)
            self.product = empty((inputs, units), room.dtype)
            self.ones = np.ones((room.examples, 1), room.dtype)
            self.dx = room.buffer((inputs,))

    def _columns(self, values: Array) -> Array:
        """A view with one example a column."""
        return values if self.room.layout.batch_last else values.T

    def begin(self, params: Variables, state: Variables) -> None:
        self.kernel, self.bias = params["kernel"], params.get("bias")
        self.fresh = True

    def forward(self) -> None:
        np.matmul(self.kernel.T, self._columns(self.x), out=self._columns(self.y))
        if self.bias is not None:
            np.add(self.y, self.room.layout.channels(self.bias), out=self.y)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        dy = self._columns(dy)
        # (inputs, n) @ (n, units); the first chunk needs nothing to add to
        product = self.dkernel if self.fresh else self.product
        np.matmul(self._columns(self.x), dy.T, out=product)
        if self.fresh:
            np.matmul(dy, self.ones, out=self.dbias)
        else:
            self.dkernel += product
            self.dbias += dy @ self.ones
        self.fresh = False
        if not need_dx:
            return None
        np.matmul(self.kernel, dy, out=self._columns(self.dx))
        return self.dx

    def gradients(self) -> dict[str, Array]:
        return {"kernel": self.dkernel} | ({"bias": self.dbias[:, 0]} if self.bias is not None else {})
