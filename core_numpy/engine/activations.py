"""Activations as blocks: in place where nobody reads x again, and without temporary arrays."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array, Layer
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.layout import empty, pieces, without_single_example, zeros_beside
from core_numpy.ops.activations import FUNCTIONS


class Relu(Block):
    """y = max(x, 0); dx = dy where y > 0."""

    keeps_y = True
    reads_sign = True

    def __init__(self, layer: Layer, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        self.y, self.whole = in_place(source, context)
        self.zeros = zeros_beside(self.y)
        if context.training:
            self.open = empty(self.y.shape, np.bool_)

    def forward(self) -> None:
        np.maximum(self.x, self.zeros, out=self.y)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        if not need_dx:
            return None
        np.greater(self.y, 0, out=self.open)
        # A product with the mask: selecting by it is many times slower
        return np.multiply(dy, self.open, out=dy)


class Function(Block):
    """Any other activation, computed by the reference's own pair of functions."""

    keeps_y = True

    def __init__(self, layer: Layer, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        self.function = FUNCTIONS[layer.spec.activation]  # type: ignore[attr-defined]
        self.y, self.whole = context.like(source)

    def forward(self) -> None:
        np.copyto(self.y, self.function.forward(self.x))

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        return self.function.backward(self.x, self.y, dy) if need_dx else None


class InPieces(Block):
    """The base of activations of several passes whose backward reads y alone: piece after piece of the values."""

    keeps_y = True

    def __init__(self, layer: Layer, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        self.y, self.whole = in_place(source, context)
        x, y = (without_single_example(values) for values in (self.x, self.y))
        self.pieces = pieces(y)
        scratch = empty(y[self.pieces[0]].shape, context.dtype)
        # (x, y, scratch) of each piece
        self.parts = [(x[piece], y[piece], scratch[: len(y[piece])]) for piece in self.pieces]

    def forward(self) -> None:
        for x, y, scratch in self.parts:
            self.push(x, y, scratch)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        if not need_dx:
            return None
        dy_rows = without_single_example(dy)
        for piece, (_, y, scratch) in zip(self.pieces, self.parts, strict=True):
            self.pull(y, dy_rows[piece], scratch)
        return dy

    def push(self, x: Array, y: Array, scratch: Array) -> None:
        """Compute y from x, which may be the same memory."""
        raise TypeError(f"{type(self).__name__} has no push; an activation in pieces must define it")

    def pull(self, y: Array, dy: Array, scratch: Array) -> None:
        """Turn dy into dx in place."""
        raise TypeError(f"{type(self).__name__} has no pull; an activation in pieces must define it")


class Tanh(InPieces):
    """y = tanh(x); dx = dy (1 - y**2)."""

    def push(self, x: Array, y: Array, scratch: Array) -> None:
        np.tanh(x, out=y)

    def pull(self, y: Array, dy: Array, scratch: Array) -> None:
        np.multiply(y, y, out=scratch)
        np.subtract(1, scratch, out=scratch)
        np.multiply(dy, scratch, out=dy)


class Sigmoid(InPieces):
    """y = 1 / (1 + exp(-x)); an exponential beyond all numbers gives the right 0. dx = dy y (1 - y).

    (1 + tanh(x / 2)) / 2 would be faster, and lose all digits of the small values.
    """

    def forward(self) -> None:
        with np.errstate(over="ignore"):
            super().forward()

    def push(self, x: Array, y: Array, scratch: Array) -> None:
        np.negative(x, out=y)
        np.exp(y, out=y)
        np.add(y, 1, out=y)
        np.reciprocal(y, out=y)

    def pull(self, y: Array, dy: Array, scratch: Array) -> None:
        np.subtract(1, y, out=scratch)
        np.multiply(scratch, y, out=scratch)
        np.multiply(dy, scratch, out=dy)


class Elu(InPieces):
    """y = max(x, 0) + exp(min(x, 0)) - 1; dx = dy (min(y, 0) + 1).

    exp(z) - 1 is 2 t / (1 - t) with t = tanh(z / 2): all digits of small values, as ``np.expm1`` has them, in a third
    of its time.
    """

    def __init__(self, layer: Layer, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        scratch = self.parts[0][2]
        self.zeros = zeros_beside(scratch[0])
        self.positive = empty(scratch.shape, context.dtype)

    def push(self, x: Array, y: Array, scratch: Array) -> None:
        positive = np.maximum(x, self.zeros, out=self.positive[: len(y)])
        np.minimum(x, self.zeros, out=y)
        np.multiply(y, 0.5, out=y)
        np.tanh(y, out=y)
        np.subtract(1, y, out=scratch)
        np.divide(y, scratch, out=y)
        np.add(y, y, out=y)
        np.add(y, positive, out=y)

    def pull(self, y: Array, dy: Array, scratch: Array) -> None:
        np.minimum(y, self.zeros, out=scratch)
        np.add(scratch, 1, out=scratch)
        np.multiply(dy, scratch, out=dy)


def in_place(source: Block, context: BuildContext) -> tuple[Array, Array]:
    """(y, whole): the source's own buffer where nobody reads it again, else a new one."""
    if source.keeps_y or context.border != source.context.border:
        return context.like(source)
    return source.y, source.whole
