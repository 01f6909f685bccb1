"""Convolution of images whose innermost axis is the batch: overlapping windows, no im2col.

Three rows of an image stand next to each other in a panel (kernel height times channels numbers a column, and a one
that carries the bias). The windows of neighbouring positions then overlap in memory, each of them contiguous, so one
batched matrix product computes all positions and every value is copied kernel-height times instead of
kernel-height times kernel-width times.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from core_numpy.contract import Array, Layer, Variables
from core_numpy.engine.block import Block, Room
from core_numpy.engine.layout import empty, zeros
from core_numpy.ops.windows import Windows

_TURNED_BYTES = 1 << 20
"""Size of the buffer in which the gradient is turned around, some rows of the image at a time."""

_FEW_CHANNELS = 4
"""Below this many input channels the matrix products are too small to pay for turning the gradient around."""


class Convolution(Block):
    """y = sum(x k) + bias over windows; strides are free, dilation along the height only."""

    def __init__(self, layer: Layer, source: Block, room: Room) -> None:
        super().__init__(layer, source, room)
        spec = layer.spec
        height, width, channels, examples = source.y.shape
        filters = spec.filters  # type: ignore[attr-defined]
        self.windows: Windows = layer.windows(np.empty((1, height, width, 0)))  # type: ignore[attr-defined]
        self.rows, self.columns = self.windows.output
        self.kernel_shape = (*self.windows.window, channels, filters)
        self.has_bias = bool(spec.use_bias)  # type: ignore[attr-defined]
        tall, wide = self.windows.window
        padded_width = source.whole.shape[1]
        rows, columns = self.windows.padding_cells
        if source.whole.shape[:2] != (height + sum(rows), width + sum(columns)):
            raise ValueError(
                f"{layer.spec.name!r} needs the border {rows}, {columns} around images of {height}x{width}, "
                f"its source has {source.whole.shape[:2]}; give the source's block this border in its Room"
            )
        # (out h, padded w, kernel h * channels + 1, n)
        self.column = tall * channels + self.has_bias
        self.panel = empty((self.rows, padded_width, self.column, examples), room.dtype)
        if self.has_bias:
            self.panel[:, :, -1] = 1
        step = self.panel.strides
        # (out h, out w, kernel w * column, n): neighbouring windows share all but one column
        self.seen = as_strided(
            self.panel,
            (self.rows, self.columns, wide * self.column, examples),
            (step[0], self.windows.strides[1] * step[1], step[2], step[3]),
        )
        self.y, self.whole = room.bordered((self.rows, self.columns, filters))
        # (filters, kernel w * column): the kernel as the panel holds the window
        self.packed = zeros((filters, wide * self.column), room.dtype)
        if room.training:
            self._build_backward()

    def _build_backward(self) -> None:
        tall, wide, channels, filters = self.kernel_shape
        examples, dtype = self.room.examples, self.room.dtype
        self.turned_rows = max(1, _TURNED_BYTES // (self.columns * examples * filters * dtype.itemsize))
        self.turned_rows = min(self.turned_rows, self.rows)
        self.turned = empty((self.turned_rows, self.columns, examples, filters), dtype)
        self.products = empty((self.turned_rows, self.columns, wide * self.column, filters), dtype)
        self.ones = np.ones((1, self.turned_rows * self.columns), dtype)
        self.dpacked = zeros((wide * self.column, filters), dtype)
        self.dsum = empty((1, wide * self.column * filters), dtype)
        self.dwhole: Array | None = None

    def _build_dx(self) -> None:
        """Buffers for the gradient of the input, which the first layer of a network does without."""
        if self.source is None:
            return
        tall, wide, channels, filters = self.kernel_shape
        examples, dtype = self.room.examples, self.room.dtype
        padded_height, padded_width = self.source.whole.shape[:2]
        stride = self.windows.strides[1]
        # dy with its columns apart by the stride, and room for the windows that reach over its ends
        self.spread = zeros((self.rows, padded_width + wide - 1, filters, examples), dtype)
        self.inner = self.spread[:, wide - 1 : wide - 1 + (self.columns - 1) * stride + 1 : stride]
        step = self.spread.strides
        # (out h, padded w, kernel w * filters, n)
        self.reached = as_strided(
            self.spread, (self.rows, padded_width, wide * filters, examples), (step[0], step[1], step[2], step[3])
        )
        self.back = empty((tall, channels, wide * filters), dtype)
        self.drow = empty((self.rows, padded_width, channels, examples), dtype)
        self.dwhole = empty((padded_height, padded_width, channels, examples), dtype)
        (top, _), (left, _) = self.windows.padding_cells
        height, width = self.windows.image
        self.dx = self.dwhole[top : top + height, left : left + width]

    def begin(self, params: Variables, state: Variables) -> None:
        tall, wide, channels, filters = self.kernel_shape
        self.kernel = params["kernel"]
        packed = self.packed.reshape(filters, wide, self.column)
        # (kernel h, kernel w, c, filters) -> (filters, kernel w, kernel h * c)
        packed[:, :, : tall * channels] = self.kernel.transpose(3, 1, 0, 2).reshape(filters, wide, tall * channels)
        if self.has_bias:
            # The ones of the window's first column carry it
            packed[:, 0, -1] = params["bias"]
        if self.room.training:
            self.dpacked[...] = 0
            if self.dwhole is not None:
                self._pack_back()

    def _pack_back(self) -> None:
        tall, wide, channels, filters = self.kernel_shape
        # (kernel h, kernel w, c, filters) -> (kernel h, c, kernel w reversed * filters)
        self.back[...] = self.kernel[:, ::-1].transpose(0, 2, 1, 3).reshape(tall, channels, wide * filters)

    def forward(self) -> None:
        tall, _, channels, _ = self.kernel_shape
        whole, examples = self._whole_input(), self.room.examples
        step, (stride, _), (dilation, _) = whole.strides, self.windows.strides, self.windows.dilation
        # (out h, padded w, kernel h, c, n): each row of positions sees its rows of the image
        rows_seen = as_strided(
            whole,
            (self.rows, whole.shape[1], tall, channels, examples),
            (stride * step[0], step[1], dilation * step[0], step[2], step[3]),
        )
        np.copyto(self._image_columns(), rows_seen)
        # (filters, k) @ (out h, out w, k, n) -> (out h, out w, filters, n)
        np.matmul(self.packed, self.seen, out=self.y)

    def _whole_input(self) -> Array:
        if self.source is None:
            raise ValueError("a convolution reads its input from the block in front of it, and there is none")
        return self.source.whole

    def _image_columns(self) -> Array:
        tall, _, channels, _ = self.kernel_shape
        columns = self.panel[:, :, : tall * channels]
        return columns.reshape(*columns.shape[:2], tall, channels, self.room.examples)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        for start in range(0, self.rows, self.turned_rows):
            self._add_kernel_gradient(dy, start, min(start + self.turned_rows, self.rows))
        return self._input_gradient(dy) if need_dx else None

    def _add_kernel_gradient(self, dy: Array, start: int, stop: int) -> None:
        """dkernel += sum over positions of window @ dy.T, for some rows of positions."""
        count = stop - start
        products = self.products[:count]
        # (rows, out w, filters, n) -> (rows, out w, n, filters)
        turned = dy[start:stop].swapaxes(-1, -2)
        if self.kernel_shape[2] >= _FEW_CHANNELS:
            np.copyto(self.turned[:count], turned)
            turned = self.turned[:count]
        np.matmul(self.seen[start:stop], turned, out=products)
        # A product with ones sums the positions several times faster than a reduction over an outer axis
        np.matmul(self.ones[:, : count * self.columns], products.reshape(count * self.columns, -1), out=self.dsum)
        self.dpacked += self.dsum.reshape(self.dpacked.shape)

    def _input_gradient(self, dy: Array) -> Array:
        """dx = dy correlated with the flipped kernel, one kernel row after the other."""
        if self.dwhole is None:
            self._build_dx()
            self._pack_back()
        np.copyto(self.inner, dy)
        if self.dwhole is None:
            raise ValueError("the buffers of the input gradient were not built; the plan has no block in front")
        (stride, _), (dilation, _) = self.windows.strides, self.windows.dilation
        self.dwhole[...] = 0
        for row, back in enumerate(self.back):
            # (c, kernel w * filters) @ (out h, padded w, kernel w * filters, n) -> (out h, padded w, c, n)
            np.matmul(back, self.reached, out=self.drow)
            first = row * dilation
            self.dwhole[first : first + (self.rows - 1) * stride + 1 : stride] += self.drow
        return self.dx

    def gradients(self) -> dict[str, Array]:
        tall, wide, channels, filters = self.kernel_shape
        # (kernel w * column, filters) -> (kernel w, kernel h, c, filters) -> (kernel h, kernel w, c, filters)
        columns = self.dpacked.reshape(wide, self.column, filters)
        kernel = columns[:, : tall * channels].reshape(wide, tall, channels, filters).transpose(1, 0, 2, 3)
        return {"kernel": kernel, "bias": columns[0, -1]} if self.has_bias else {"kernel": kernel}
