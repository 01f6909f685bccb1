"""A layer without a block of its own: the reference layer, between two changes of layout."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.engine.block import Block, BuildContext
from model_spec.shapes import Shape


class ReferenceLayer(Block):
    """Calls the reference's forward and backward."""

    def __init__(self, layer: Layer, source: Block, context: BuildContext, output_shape: Shape) -> None:
        super().__init__(layer, source, context)
        self.y, self.whole = context.bordered(output_shape)
        self.sums: dict[str, Array] = {}
        self.new_state: Variables = {}

    def begin(self, params: Variables, state: Variables) -> None:
        self.params, self.state = params, state
        self.sums = {}
        self.new_state = state

    def forward(self) -> None:
        rows = np.ascontiguousarray(self.context.layout.to_rows(self.x))
        y, self.cache = self.layer.forward(self.params, self.state, rows, Context(self.training))
        np.copyto(self.y, self.context.layout.from_rows(y))
        if self.training:
            self.new_state = self.layer.next_state(self.state, self.cache)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        rows = np.ascontiguousarray(self.context.layout.to_rows(dy))
        dx, grads = self.layer.backward(self.params, self.cache, rows, need_dx)
        self.sums = {name: self.sums[name] + grad if name in self.sums else grad for name, grad in grads.items()}
        return None if dx is None else np.ascontiguousarray(self.context.layout.from_rows(dx))

    def gradients(self) -> dict[str, Array]:
        return self.sums
