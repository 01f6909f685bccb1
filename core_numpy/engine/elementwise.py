"""Blocks that change every value alone, dropout and rescaling, and the layers that only move values."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array, Layer, MaskSource
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.layout import TurnRows, zeros


class Dropout(Block):
    """y = x * mask in training, with the mask already scaled; x itself otherwise."""

    def __init__(self, layer: Layer, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        self.active = context.training and layer.spec.rate > 0  # type: ignore[attr-defined]
        self.keeps_y = source.keeps_y
        # Behind a relu too: where the mask is zero, so is the gradient, whatever the relu's sign was
        in_place = not source.keeps_y or source.reads_sign
        if context.border != source.context.border or (self.active and not in_place):
            self.y, self.whole = context.like(source)
        else:
            self.y, self.whole = source.y, source.whole
        if self.active:
            self.mask = zeros(self.y.shape, context.dtype)
            self.kept = zeros(self.y.shape, np.dtype(np.bool_))
            self.turn = TurnRows(context.layout.to_rows(self.kept).shape, np.bool_)
            self.rate = layer.spec.rate  # type: ignore[attr-defined]
            self.scale = context.dtype.type(1.0 / (1.0 - self.rate))

    def take(self, source: MaskSource, rows: slice) -> None:
        """Draw the next chunk's mask, that of these rows of the batch."""
        # (n, ...), a view of what is kept
        kept = self.context.layout.to_rows(self.kept)[: rows.stop - rows.start]
        # Bytes are turned to the plan's order of axes many times faster than floats
        shape = (len(kept), *self.layer.spec.mask_shape(kept.shape[1:]))  # type: ignore[attr-defined]
        self.turn.copy(source.keep_mask(shape, self.rate, self.mask.dtype, rows.start), kept)
        np.multiply(self.kept, self.scale, out=self.mask)

    def forward(self) -> None:
        if self.active and self.training:
            np.multiply(self.x, self.mask, out=self.y)
        elif self.y is not self.x:
            np.copyto(self.y, self.x)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        if not need_dx:
            return None
        return np.multiply(dy, self.mask, out=dy) if self.active and self.training else dy


class Flatten(Block):
    """The same memory under another shape; Keras' order (h, w, c) holds with the batch innermost too."""

    def __init__(self, layer: Layer, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        self.keeps_y = source.keeps_y
        example = context.layout.to_rows(source.y)[0].size
        self.shape = context.layout.shape((example,), context.examples)

    @property
    def y(self) -> Array:  # type: ignore[override]
        """A view of the source's output, which the first block of a plan exchanges with every chunk."""
        return self.x.reshape(self.shape)

    @property
    def whole(self) -> Array:  # type: ignore[override]
        """The same: nothing is padded behind a flattening."""
        return self.y

    def forward(self) -> None:
        """Nothing moves."""

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        return np.ascontiguousarray(dy).reshape(self.x.shape) if need_dx else None


class Rescaling(Block):
    """y = x * scale + offset."""

    def __init__(self, layer: Layer, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        self.scale, self.offset = (
            context.layout.channels(value) if value.ndim else value
            for value in (np.asarray(v, context.dtype) for v in (layer.spec.scale, layer.spec.offset))  # type: ignore[attr-defined]
        )
        self.y, self.whole = context.like(source)

    def forward(self) -> None:
        np.multiply(self.x, self.scale, out=self.y)
        np.add(self.y, self.offset, out=self.y)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        return np.multiply(dy, self.scale, out=dy) if need_dx else None
