"""Blocks that read several others: sums and concatenations of buffers; other merges as the reference has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core_numpy.contract import Array, Context, Layer
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.layout import empty


class Merge(Block):
    """The base: ``backward`` gives a tuple, the gradient of each source, none of which shares memory with another."""

    def __init__(self, layer: Layer, sources: Sequence[Block], context: BuildContext) -> None:
        super().__init__(layer, sources[0], context)
        self.sources = list(sources)

    def pull(self, dy: Array) -> tuple[Array, ...]:
        """The gradient of each source, from that of y, which may be overwritten."""
        raise TypeError(f"{type(self).__name__} has no pull; a merge must define it")

    def backward(self, dy: Array, need_dx: bool) -> tuple[Array, ...] | None:  # type: ignore[override]
        return self.pull(dy) if need_dx else None


class Add(Merge):
    """y = x1 + x2 + ..., in the buffer of the first where nobody reads that again."""

    def __init__(self, layer: Layer, sources: Sequence[Block], context: BuildContext) -> None:
        super().__init__(layer, sources, context)
        first = sources[0]
        if first.keeps_y or context.border != first.context.border:
            self.y, self.whole = context.like(first)
        else:
            self.y, self.whole = first.y, first.whole
        self.copies = [empty(first.y.shape, context.dtype) for _ in sources[1:]] if context.training else []

    def forward(self) -> None:
        first, second, *others = self.sources
        np.add(first.y, second.y, out=self.y)
        for other in others:
            np.add(self.y, other.y, out=self.y)

    def pull(self, dy: Array) -> tuple[Array, ...]:
        # Whoever gets a gradient may overwrite it
        for copy in self.copies:
            np.copyto(copy, dy)
        return (dy, *self.copies)


class Concatenate(Merge):
    """All inputs behind one another along one axis of an example."""

    def __init__(self, layer: Layer, sources: Sequence[Block], context: BuildContext) -> None:
        super().__init__(layer, sources, context)
        rows = [context.layout.to_rows(source.y) for source in sources]
        axis = layer.spec.axis % rows[0].ndim  # type: ignore[attr-defined]
        shape = list(rows[0].shape[1:])
        shape[axis - 1] = sum(part.shape[axis] for part in rows)
        self.y, self.whole = context.bordered(tuple(shape))
        ends = np.cumsum([0, *(part.shape[axis] for part in rows)])
        # The batch axis is the last one, or the first
        along = axis - 1 if context.layout.batch_last else axis
        self.parts = [
            (*[slice(None)] * along, slice(start, stop)) for start, stop in zip(ends[:-1], ends[1:], strict=True)
        ]

    def forward(self) -> None:
        for part, source in zip(self.parts, self.sources, strict=True):
            np.copyto(self.y[part], source.y)

    def pull(self, dy: Array) -> tuple[Array, ...]:
        return tuple(dy[part] for part in self.parts)


class ReferenceMerge(Merge):
    """Calls the reference's forward and backward, between two changes of layout."""

    def __init__(self, layer: Layer, sources: Sequence[Block], context: BuildContext) -> None:
        super().__init__(layer, sources, context)
        shapes = tuple(context.layout.to_rows(source.y).shape[1:] for source in sources)
        self.y, self.whole = context.bordered(layer.spec.output_shape(shapes))  # type: ignore[arg-type]

    def forward(self) -> None:
        rows = tuple(np.ascontiguousarray(self.context.layout.to_rows(source.y)) for source in self.sources)
        y, self.cache = self.layer.forward({}, {}, rows, Context(self.training))  # type: ignore[arg-type]
        np.copyto(self.y, self.context.layout.from_rows(y))

    def pull(self, dy: Array) -> tuple[Array, ...]:
        rows = np.ascontiguousarray(self.context.layout.to_rows(dy))
        dx, _ = self.layer.backward({}, self.cache, rows)
        layout, kind = self.context.layout, self.context.dtype
        # Copies: the reference may give one array for several inputs
        return tuple(np.array(layout.from_rows(part), kind, order="C") for part in dx or ())
