"""Softmax over the classes of each example, on either layout."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array, Layer
from core_numpy.engine.block import Block, BuildContext


class Softmax(Block):
    """y = exp(x - max(x)) / sum; dx = y (dy - sum(dy y))."""

    keeps_y = True

    def __init__(self, layer: Layer, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        self.axis = len(source.y.shape) - 2 if context.layout.batch_last else -1
        self.y, self.whole = context.like(source)

    def forward(self) -> None:
        np.subtract(self.x, np.maximum.reduce(self.x, axis=self.axis, keepdims=True), out=self.y)
        np.exp(self.y, out=self.y)
        np.divide(self.y, np.add.reduce(self.y, axis=self.axis, keepdims=True), out=self.y)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        inner = np.add.reduce(dy * self.y, axis=self.axis, keepdims=True)
        np.subtract(dy, inner, out=dy)
        return np.multiply(dy, self.y, out=dy)
