"""Pooling by comparison: the winner of each window is kept as masks, so backward multiplies instead of scattering."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array, Layer
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.layout import empty
from core_numpy.ops.pooling import counted_cells
from core_numpy.ops.windows import Windows


def keep_largest(cells: list[Array], y: Array, better: list[Array] | None) -> None:
    """y = the largest of the cells; ``better`` remembers, for each cell but the first, where it beat all before it."""
    best, *others = cells
    if not others:
        np.copyto(y, best)
    for number, cell in enumerate(others):
        if better is not None:
            np.greater(cell, best, out=better[number])
        np.maximum(best, cell, out=y)
        best = y


def share_out(cells: list[Array], better: list[Array], dy: Array) -> None:
    """Write each window's dy to the cell that won it, zeros to the others; dy is used up.

    From the last cell to the first: a cell that beat all before it takes what the later ones left.
    """
    first, *others = cells
    for cell, won in zip(reversed(others), reversed(better), strict=True):
        np.multiply(dy, won, out=cell)
        np.subtract(dy, cell, out=dy)
    np.copyto(first, dy)


class WindowPooling(Block):
    """The common part: the views of the input, with its padding, that the cells of all windows see."""

    filling = 0.0
    """What stands in the padding."""

    def __init__(self, layer: Layer, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        rows = context.layout.to_rows(source.y)
        self.windows: Windows = layer.windows(rows)  # type: ignore[attr-defined]
        self.y, self.whole = context.bordered((*self.windows.output, rows.shape[-1]))
        self.overlaps = any(s < p for s, p in zip(self.windows.strides, self.windows.window, strict=True))
        (top, bottom), (left, right) = self.windows.padding_cells
        height, width = self.windows.image
        self.is_padded = (top, bottom, left, right) != (0, 0, 0, 0)
        self.inside = context.layout.window(slice(top, top + height), slice(left, left + width))
        height, width = height + top + bottom, width + left + right
        if self.is_padded:
            self.padded = context.buffer((height, width, rows.shape[-1]))
            self.padded[...] = self.filling
        (stride, across), (tall, wide) = self.windows.strides, self.windows.window
        covered = (self.windows.output[0] - 1) * stride + tall, (self.windows.output[1] - 1) * across + wide
        self.covers = covered == (height, width) and (stride, across) == (tall, wide)
        self.cells_seen = self.cells(self.padded if self.is_padded else self.x)

    def fill_padded(self) -> None:
        """Copy the input into the padding, where there is one."""
        if self.is_padded:
            np.copyto(self.padded[self.inside], self.x)

    def cells(self, image: Array) -> list[Array]:
        """One view of a buffer of padded images per window cell, in row-major order of the cells."""
        tall, wide = self.windows.window
        (stride, across), (rows, columns) = self.windows.strides, self.windows.output
        window = self.context.layout.window
        return [
            image[
                window(
                    slice(row, row + (rows - 1) * stride + 1, stride),
                    slice(column, column + (columns - 1) * across + 1, across),
                )
            ]
            for row in range(tall)
            for column in range(wide)
        ]

    def without_padding(self, image: Array) -> Array:
        """The image inside a padded one."""
        return image[self.inside] if self.is_padded else image


class MaxPooling(WindowPooling):
    """y = max over each window, the first of equals; a padding wins nowhere."""

    filling = -np.inf

    def __init__(self, layer: Layer, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        if context.training:
            count = self.windows.window[0] * self.windows.window[1]
            self.better = [empty(self.y.shape, np.bool_) for _ in range(count - 1)]
            self.shares = [empty(self.y.shape, context.dtype) for _ in range(count if self.overlaps else 0)]
            if self.is_padded:
                self.dx = empty(self.padded.shape, context.dtype)
            else:
                # What comes in is not needed again once the masks are known
                self.dx = empty(self.x.shape, context.dtype) if source.keeps_y or source.y.base is None else source.y

    def forward(self) -> None:
        self.fill_padded()
        keep_largest(self.cells_seen, self.y, self.better if self.context.training else None)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        if not need_dx:
            return None
        if self.overlaps or not self.covers:
            self.dx[...] = 0
        cells = self.cells(self.dx)
        if not self.overlaps:
            share_out(cells, self.better, dy)
            return self.without_padding(self.dx)
        # Windows that overlap add up in a cell
        share_out(self.shares, self.better, dy)
        for cell, share in zip(cells, self.shares, strict=True):
            cell += share
        return self.without_padding(self.dx)


class AveragePooling(WindowPooling):
    """y = mean over each window, padding not counted."""

    def __init__(self, layer: Layer, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        # (out h, out w, 1)
        share = 1 / counted_cells(self.windows, context.dtype)
        self.share = share[..., None] if context.layout.batch_last else share
        if context.training:
            self.dx = empty(self.padded.shape if self.is_padded else self.x.shape, context.dtype)

    def forward(self) -> None:
        self.fill_padded()
        first, *others = self.cells_seen
        np.copyto(self.y, first)
        for cell in others:
            np.add(self.y, cell, out=self.y)
        np.multiply(self.y, self.share, out=self.y)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        if not need_dx:
            return None
        np.multiply(dy, self.share, out=dy)
        self.dx[...] = 0
        for cell in self.cells(self.dx):
            cell += dy
        return self.without_padding(self.dx)


class GlobalAveragePooling(Block):
    """y = mean over the image, (h, w, c, n) -> (c, n) or (n, h, w, c) -> (n, c)."""

    def __init__(self, layer: Layer, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        rows = context.layout.to_rows(source.y)
        self.axes = (0, 1) if context.layout.batch_last else (1, 2)
        self.share = context.dtype.type(1 / (rows.shape[1] * rows.shape[2]))
        self.y = self.whole = context.buffer((rows.shape[-1],))
        if context.training:
            self.dx = empty(source.y.shape, context.dtype)

    def forward(self) -> None:
        np.add.reduce(self.x, axis=self.axes, out=self.y)
        np.multiply(self.y, self.share, out=self.y)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        if not need_dx:
            return None
        np.multiply(dy, self.share, out=dy)
        self.dx[...] = np.expand_dims(dy, self.axes)
        return self.dx
