"""Batch normalization on either layout: one pass over the values per channel and direction."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array, Layer, Variables
from core_numpy.engine.block import Block, Room
from core_numpy.engine.layout import empty


class BatchNormalization(Block):
    """y = (x - mean) inverse gamma + beta; a plan in training holds the whole batch, so its statistics are these."""

    keeps_y = False

    def __init__(self, layer: Layer, source: Block, room: Room) -> None:
        super().__init__(layer, source, room)
        rows = room.layout.to_rows(source.y)
        self.y, self.whole = room.bordered(rows.shape[1:])
        # All axes but the channels'
        last = len(self.y.shape) - 1
        channel = last - 1 if room.layout.batch_last else last
        self.axes = tuple(axis for axis in range(last + 1) if axis != channel)
        self.count = room.dtype.type(source.y.size // source.y.shape[channel])
        self.normalized = empty(source.y.shape, room.dtype)
        if room.training:
            self.dx = empty(source.y.shape, room.dtype)
            self.dgamma = np.zeros(source.y.shape[channel], room.dtype)
            self.dbeta = np.zeros(source.y.shape[channel], room.dtype)

    def begin(self, params: Variables, state: Variables) -> None:
        self.params, self.state, self.new_state = params, state, state
        self.of_batch = self.training and self.layer.spec.trainable
        if self.room.training:
            self.dgamma[...] = self.dbeta[...] = 0

    def _sum(self, values: Array) -> Array:
        return np.asarray(np.add.reduce(values, axis=self.axes))

    def forward(self) -> None:
        kind, shaped = self.room.dtype.type, self.room.layout.channels
        if self.of_batch:
            mean = self._sum(self.x) / self.count
            np.subtract(self.x, shaped(mean), out=self.normalized)
            np.multiply(self.normalized, self.normalized, out=self.dx)
            variance = self._sum(self.dx) / self.count
            momentum = self.layer.spec.momentum  # type: ignore[attr-defined]
            kept, added = kind(momentum), kind(1.0 - momentum)
            self.new_state = {
                "moving_mean": self.state["moving_mean"] * kept + mean * added,
                "moving_variance": self.state["moving_variance"] * kept + variance * added,
            }
        else:
            mean, variance = self.state["moving_mean"], self.state["moving_variance"]
            np.subtract(self.x, shaped(mean), out=self.normalized)
        self.inverse = 1 / np.sqrt(variance + kind(self.layer.spec.epsilon))  # type: ignore[attr-defined]
        np.multiply(self.normalized, shaped(self.inverse), out=self.normalized)
        np.multiply(self.normalized, shaped(self._gamma()), out=self.y)
        if "beta" in self.params:
            np.add(self.y, shaped(self.params["beta"]), out=self.y)

    def _gamma(self) -> Array:
        return self.params["gamma"] if "gamma" in self.params else np.ones_like(self.inverse)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        shaped = self.room.layout.channels
        np.multiply(dy, self.normalized, out=self.dx)
        dgamma, dbeta = self._sum(self.dx), self._sum(dy)
        self.dgamma += dgamma
        self.dbeta += dbeta
        if not need_dx:
            return None
        scale = self.inverse * self._gamma()
        if not self.of_batch:
            return np.multiply(dy, shaped(scale), out=self.dx)
        # dx = (dy - (sum(dy) + normalized sum(dy normalized)) / count) scale
        np.multiply(self.normalized, shaped(dgamma / self.count), out=self.dx)
        np.subtract(dy, self.dx, out=self.dx)
        np.subtract(self.dx, shaped(dbeta / self.count), out=self.dx)
        return np.multiply(self.dx, shaped(scale), out=self.dx)

    def gradients(self) -> dict[str, Array]:
        sums = {"gamma": self.dgamma, "beta": self.dbeta}
        return {name: sums[name] for name in self.params}
