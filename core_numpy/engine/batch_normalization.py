"""Batch normalization on either layout, piece after piece of the values; sums go over all shards of the batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from core_numpy.contract import Array, Layer, Variables
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.layout import empty, pieces


class BatchNormalization(Block):
    """y = (x - mean) scale + beta with scale = gamma / sqrt(variance + epsilon)."""

    def __init__(self, layer: Layer, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        self.y, self.whole = context.bordered(context.layout.to_rows(source.y).shape[1:])
        # x - mean: in the place of x, where nobody reads that again
        self.centred = empty(source.y.shape, context.dtype) if source.keeps_y else source.y
        self.pieces = pieces(self.y)
        self.scratch = empty(self.y[self.pieces[0]].shape, context.dtype)
        # All axes in front of the channels'; behind it are the examples, where they are innermost
        channel = self.y.ndim - 1 - context.layout.batch_last
        self.in_front = tuple(range(channel))
        self.channels = self.y.shape[channel]
        # Values of one channel in one example
        self.positions = self.y.size // (self.channels * context.examples)
        self.sums = np.zeros((2, self.channels), context.dtype)

    def begin(self, params: Variables, state: Variables) -> None:
        self.params, self.state, self.new_state = params, state, state
        self.of_batch = self.training and self.layer.spec.trainable
        self.sums[...] = 0

    def _sum(self, parts: Iterable[Array]) -> Array:
        """The sum of each channel over these parts of the values."""
        total = np.zeros(self.channels, self.context.dtype)
        for part in parts:
            # The axes in front first: all at once takes three times as long
            outer = np.add.reduce(part, axis=self.in_front)
            total += np.add.reduce(outer, axis=-1) if self.context.layout.batch_last else outer
        return total

    def _products(self, a: Array, b: Array) -> Iterator[Array]:
        """a * b, piece after piece, in the same scratch."""
        for piece in self.pieces:
            one = a[piece]
            yield np.multiply(one, b[piece], out=self.scratch[: len(one)])

    def forward(self) -> None:
        kind, shaped = self.context.dtype.type, self.context.layout.channels
        if self.of_batch:
            count = kind(self.batch.examples * self.positions)
            mean = self.batch.sum(self._sum(self.x[piece] for piece in self.pieces)) / count
            np.subtract(self.x, shaped(mean), out=self.centred)
            variance = self.batch.sum(self._sum(self._products(self.centred, self.centred))) / count
            self.new_state = self._moved(mean, variance)
        else:
            mean, variance = self.state["moving_mean"], self.state["moving_variance"]
            np.subtract(self.x, shaped(mean), out=self.centred)
        self.inverse = 1 / np.sqrt(variance + kind(self.layer.spec.epsilon))  # type: ignore[attr-defined]
        self.scale = self.inverse * self.params["gamma"] if "gamma" in self.params else self.inverse
        for piece in self.pieces:
            y = np.multiply(self.centred[piece], shaped(self.scale), out=self.y[piece])
            if "beta" in self.params:
                np.add(y, shaped(self.params["beta"]), out=y)

    def _moved(self, mean: Array, variance: Array) -> Variables:
        momentum = self.layer.spec.momentum  # type: ignore[attr-defined]
        kept, added = (self.context.dtype.type(share) for share in (momentum, 1.0 - momentum))
        return {
            "moving_mean": self.state["moving_mean"] * kept + mean * added,
            "moving_variance": self.state["moving_variance"] * kept + variance * added,
        }

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        kind, shaped = self.context.dtype.type, self.context.layout.channels
        dgamma = self.inverse * self._sum(self._products(dy, self.centred))
        dbeta = self._sum(dy[piece] for piece in self.pieces)
        sums = np.stack([dgamma, dbeta])
        self.sums += sums
        if not need_dx:
            return None
        if not self.of_batch:
            return np.multiply(dy, shaped(self.scale), out=dy)
        # dx = (dy - (sum(dy) + normalized sum(dy normalized)) / count) scale, with normalized = centred inverse
        dgamma, dbeta = self.batch.sum(sums) / kind(self.batch.examples * self.positions)
        for piece in self.pieces:
            dx = dy[piece]
            shift = np.multiply(self.centred[piece], shaped(self.inverse * dgamma), out=self.scratch[: len(dx)])
            np.subtract(dx, shift, out=dx)
            np.subtract(dx, shaped(dbeta), out=dx)
            np.multiply(dx, shaped(self.scale), out=dx)
        return dy

    def gradients(self) -> dict[str, Array]:
        sums = dict(zip(("gamma", "beta"), self.sums, strict=True))
        return {name: sums[name] for name in self.params}
