"""Depthwise convolution on either layout: for each cell of the window one product of a shifted view and the kernel."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array, Variables
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.layout import empty, zeros
from core_numpy.layers.depthwise_conv2d import DepthwiseConv2D
from core_numpy.ops.windows import Windows

_STRIP_BYTES = 1 << 19
"""What a strip of the output may take: it is gone over once for every cell of the window, and stays in the cache."""


def is_fast(layer: DepthwiseConv2D) -> bool:
    """True where each channel has one kernel."""
    return layer.spec.depth_multiplier == 1


class DepthwiseConvolution(Block):
    """y[i, j, c] = sum over cells of x[i s + a d, j s + b d, c] kernel[a, b, c] + bias[c]."""

    def __init__(self, layer: DepthwiseConv2D, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        examples, height, width, channels = context.layout.to_rows(source.y).shape
        self.windows: Windows = layer.of_one_group.windows(np.empty((1, height, width, 0)))
        self.rows, self.columns = self.windows.output
        self.y, self.whole = context.bordered((self.rows, self.columns, channels))
        self.has_bias = bool(layer.spec.use_bias)
        each = max(_STRIP_BYTES // (self.columns * channels * examples * context.dtype.itemsize), 1)
        self.strips = [slice(at, min(at + each, self.rows)) for at in range(0, self.rows, each)]
        self.product = context.buffer((min(each, self.rows), self.columns, channels))
        if context.training:
            self.dkernel = zeros((*self.windows.window, channels), context.dtype)
            self.dbias = zeros((channels,), context.dtype)
            self.dwhole: Array | None = None

    def _seen(self, image: Array, strip: slice, row: int, column: int) -> Array:
        """What one cell of the windows of a strip of rows sees of an image with its border."""
        (stride, across), (down, right) = self.windows.strides, self.windows.dilation
        top, left = strip.start * stride + row * down, column * right
        rows = slice(top, top + (strip.stop - strip.start - 1) * stride + 1, stride)
        return image[self.context.layout.window(rows, slice(left, left + (self.columns - 1) * across + 1, across))]

    def _strip(self, values: Array, start: int, stop: int) -> Array:
        """Rows of all images."""
        return values[self.context.layout.window(slice(start, stop), slice(None))]

    def _of_cell(self, cell: tuple[int, int]) -> Array:
        """The kernel of one cell, a number for each channel."""
        return self.context.layout.channels(self.kernel[cell])

    def _of_channels(self, values: Array) -> Array:
        """The sum for each channel."""
        if not self.context.layout.batch_last:
            # (n, h, w, c) -> (c,)
            return np.asarray(np.add.reduce(values, axis=(0, 1, 2)))
        # (h, w, c, n) -> (c,); the axes in front first, which is faster
        return np.asarray(np.add.reduce(np.add.reduce(values, axis=(0, 1)), axis=-1))

    @property
    def _cells(self) -> list[tuple[int, int]]:
        tall, wide = self.windows.window
        return [(row, column) for row in range(tall) for column in range(wide)]

    def begin(self, params: Variables, state: Variables) -> None:
        # (kernel h, kernel w, c, 1) -> (kernel h, kernel w, c)
        self.kernel = params["kernel"][..., 0]
        self.bias = params.get("bias")
        if self.context.training:
            self.dkernel[...] = 0
            self.dbias[...] = 0

    def forward(self) -> None:
        whole = self.source.whole  # type: ignore[union-attr]
        first, *others = self._cells
        for strip in self.strips:
            y = self._strip(self.y, strip.start, strip.stop)
            product = self._strip(self.product, 0, strip.stop - strip.start)
            np.multiply(self._seen(whole, strip, *first), self._of_cell(first), out=y)
            for cell in others:
                np.multiply(self._seen(whole, strip, *cell), self._of_cell(cell), out=product)
                np.add(y, product, out=y)
            if self.bias is not None:
                np.add(y, self.context.layout.channels(self.bias), out=y)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        whole, trains = self.source.whole, self.layer.spec.trainable  # type: ignore[union-attr]
        if need_dx:
            if self.dwhole is None:
                self.dwhole = empty(whole.shape, self.context.dtype)
            self.dwhole[...] = 0
        for strip in self.strips:
            part = self._strip(dy, strip.start, strip.stop)
            product = self._strip(self.product, 0, strip.stop - strip.start)
            for cell in self._cells:
                if trains:
                    np.multiply(self._seen(whole, strip, *cell), part, out=product)
                    self.dkernel[cell] += self._of_channels(product)
                if self.dwhole is not None and need_dx:
                    np.multiply(part, self._of_cell(cell), out=product)
                    seen = self._seen(self.dwhole, strip, *cell)
                    np.add(seen, product, out=seen)
            if trains and self.has_bias:
                self.dbias += self._of_channels(part)
        if not need_dx or self.dwhole is None:
            return None
        (top, _), (left, _) = self.windows.padding_cells
        height, width = self.windows.image
        return self.dwhole[self.context.layout.window(slice(top, top + height), slice(left, left + width))]

    def gradients(self) -> dict[str, Array]:
        kernel = {"kernel": self.dkernel[..., None]}
        return {**kernel, "bias": self.dbias} if self.has_bias else kernel
