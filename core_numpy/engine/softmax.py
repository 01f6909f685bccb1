"""Softmax over the classes of each example, on either layout."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array, Layer
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.layout import empty, without_single_example
from core_numpy.ops.softmax import SHORT_ROW


class Softmax(Block):
    """y = exp(x - max(x)) / sum; dx = y (dy - sum(dy y))."""

    keeps_y = True

    def __init__(self, layer: Layer, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        batch_last = context.layout.batch_last
        self.axis = len(source.y.shape) - 2 if batch_last else -1
        self.has_short_rows = (
            not batch_last and source.y.ndim == 2 and source.y.shape[1] <= SHORT_ROW < context.examples
        )
        if self.has_short_rows:
            # (n, classes) with the examples next to each other
            self.y = self.whole = empty(source.y.shape[::-1], context.dtype).T
        else:
            self.y, self.whole = context.like(source)
        self.y_squeezed = self.y if batch_last else without_single_example(self.y)

    def forward(self) -> None:
        x = y = self.y_squeezed
        if self.has_short_rows:
            np.copyto(y, self.x)
        else:
            x = self.x.reshape(y.shape)
        np.subtract(x, np.maximum.reduce(x, axis=self.axis, keepdims=True), out=y)
        np.exp(y, out=y)
        np.divide(y, np.add.reduce(y, axis=self.axis, keepdims=True), out=y)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        inner = np.add.reduce(dy * self.y, axis=self.axis, keepdims=True)
        np.subtract(dy, inner, out=dy)
        return np.multiply(dy, self.y, out=dy)
