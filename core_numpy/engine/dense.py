"""Dense on both layouts: the batch in rows, or in columns behind a convolution."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array, Layer, Variables
from core_numpy.engine.block import Block, Room
from core_numpy.engine.layout import empty, zeros


class DenseColumns(Block):
    """y = kernel.T x + bias for x (inputs, n) and y (units, n)."""

    def __init__(self, layer: Layer, source: Block, room: Room) -> None:
        super().__init__(layer, source, room)
        inputs, units = source.y.shape[0], layer.spec.units  # type: ignore[attr-defined]
        self.y = self.whole = room.buffer((units,))
        if room.training:
            self.dkernel, self.dbias = zeros((inputs, units), room.dtype), zeros((units, 1), room.dtype)
            self.product = empty((inputs, units), room.dtype)
            self.ones = np.ones((room.examples, 1), room.dtype)
            self.dx = room.buffer((inputs,))

    def begin(self, params: Variables, state: Variables) -> None:
        self.kernel, self.bias = params["kernel"], params.get("bias")
        self.fresh = True

    def forward(self) -> None:
        np.matmul(self.kernel.T, self.x, out=self.y)
        if self.bias is not None:
            np.add(self.y, self.bias[:, None], out=self.y)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        # (inputs, n) @ (n, units)
        if self.fresh:
            np.matmul(self.x, dy.T, out=self.dkernel)
            np.matmul(dy, self.ones, out=self.dbias)
        else:
            np.matmul(self.x, dy.T, out=self.product)
            self.dkernel += self.product
            self.dbias += dy @ self.ones
        self.fresh = False
        return np.matmul(self.kernel, dy, out=self.dx) if need_dx else None

    def gradients(self) -> dict[str, Array]:
        return {"kernel": self.dkernel} | ({"bias": self.dbias[:, 0]} if self.bias is not None else {})


class DenseRows(Block):
    """y = x kernel + bias for x (n, inputs) and y (n, units); a plan in rows runs one chunk a step."""

    def __init__(self, layer: Layer, source: Block, room: Room) -> None:
        super().__init__(layer, source, room)
        inputs, units = source.y.shape[1], layer.spec.units  # type: ignore[attr-defined]
        self.y = self.whole = room.buffer((units,))
        if room.training:
            self.dkernel, self.dbias = zeros((inputs, units), room.dtype), zeros((1, units), room.dtype)
            self.product = empty((inputs, units), room.dtype)
            self.ones = np.ones((1, room.examples), room.dtype)
            self.dx = room.buffer((inputs,))

    def begin(self, params: Variables, state: Variables) -> None:
        self.kernel, self.bias = params["kernel"], params.get("bias")
        self.fresh = True

    def forward(self) -> None:
        np.matmul(self.x, self.kernel, out=self.y)
        if self.bias is not None:
            np.add(self.y, self.bias, out=self.y)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        # (inputs, n) @ (n, units)
        if self.fresh:
            np.matmul(self.x.T, dy, out=self.dkernel)
            np.matmul(self.ones, dy, out=self.dbias)
        else:
            np.matmul(self.x.T, dy, out=self.product)
            self.dkernel += self.product
            self.dbias += self.ones @ dy
        self.fresh = False
        return np.matmul(dy, self.kernel.T, out=self.dx) if need_dx else None

    def gradients(self) -> dict[str, Array]:
        return {"kernel": self.dkernel} | ({"bias": self.dbias[0]} if self.bias is not None else {})
