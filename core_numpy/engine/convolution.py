"""Convolution of images whose innermost axis is the batch: overlapping windows, no im2col, strip after strip.

The rows of an image that a row of windows sees stand next to each other in a panel (kernel height times channels
numbers a column, and a one that carries the bias). The windows of neighbouring positions then overlap in memory, each
of them contiguous, so one batched matrix product computes all positions, and every value is copied kernel-height times
instead of kernel-height times kernel-width times.

A few rows of positions make a strip. All that happens to a strip happens at once - panel, product, pooling, relu, and
the same backward - so that it never leaves the processor's cache; the panel is built again in backward.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import as_strided

from core_numpy.contract import Array, Layer, Variables
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.layout import empty, zeros
from core_numpy.engine.strips import FusedEpilogue, PooledStrip, Strip
from core_numpy.ops.windows import Windows

STRIP_BYTES = 3 << 20
"""What a strip's buffers may take. Shorter strips cost more calls than the second-level cache saves; longer ones cost
memory and gain no time."""

_FEW_CHANNELS = 4
"""Below this many input channels the matrix products are too small to pay for turning the gradient around."""


class Convolution(Block):
    """y = sum(x k) + bias over windows; strides are free, dilation along the height only.

    Rows and columns of the output have two axes each: those of the windows of a pooling behind it, and those in a
    window, of which there is one where nothing is pooled.

    Args:
        pooled: height and width of the windows of a pooling that takes every strip at once, None without; strips are
            multiples of them, and positions that no window reaches are left out.
    """

    def __init__(
        self, layer: Layer, source: Block, context: BuildContext, pooled: tuple[int, int] | None = None
    ) -> None:
        super().__init__(layer, source, context)
        spec = layer.spec
        height, width, channels, examples = source.y.shape
        filters = spec.filters  # type: ignore[attr-defined]
        self.windows: Windows = layer.windows(np.empty((1, height, width, 0)))  # type: ignore[attr-defined]
        rows, columns = self.windows.padding_cells
        if source.whole.shape[:2] != (height + sum(rows), width + sum(columns)):
            raise ValueError(
                f"{layer.spec.name!r} needs the border {rows}, {columns} around images of {height}x{width}, "
                f"its source has {source.whole.shape[:2]}; give the source's block this border in its BuildContext"
            )
        self.pooled = pooled
        self.pooled_tall, self.pooled_wide = pooled or (1, 1)
        self.rows = self.windows.output[0]
        self.columns = self.windows.output[1] // self.pooled_wide * self.pooled_wide
        self.kernel_shape = (*self.windows.window, channels, filters)
        self.has_bias = bool(spec.use_bias)  # type: ignore[attr-defined]
        self.epilogues: list[FusedEpilogue] = []
        self.strips = self._cut(source.whole.shape[1])
        most = self.strips[0].count
        self._build_panel(source, most)
        # A pooling takes every strip at once; without one the strips make up the output
        if pooled is None:
            self.y, self.whole = context.bordered((self.rows, self.columns, filters))
            self.output = self.by_window(self.y)
        else:
            self.strip = self.pooled_strip(backward=False)
            self.y = self.whole = self.output = self.strip.output
        if context.training:
            self._build_backward(most)

    def pooled_strip(self, backward: bool) -> PooledStrip:
        """Room for the values of the longest strip, or for their gradient."""
        rows, columns = self.strips[0].count // self.pooled_tall, self.columns // self.pooled_wide
        shape = (self.pooled_tall, self.pooled_wide, rows, columns, self.kernel_shape[3], self.context.examples)
        return PooledStrip.uninitialised(shape, self.context.dtype, self._lays_cells_apart(backward))

    def _lays_cells_apart(self, backward: bool) -> bool:
        """Whether the products go to, or read, cells that lie apart."""
        return True

    def by_window(self, values: Array) -> Array:
        """Rows and columns split: (h, w, ...) -> (rows of windows, window h, columns of windows, window w, ...)."""
        return values.reshape(
            -1, self.pooled_tall, self.columns // self.pooled_wide, self.pooled_wide, *values.shape[2:]
        )

    def rows_of(self, strip: Strip) -> slice:
        """A strip's rows of windows."""
        return slice(strip.start // self.pooled_tall, strip.stop // self.pooled_tall)

    def _output_of(self, strip: Strip) -> Array:
        """The strip's part of the output, (rows of windows, window h, columns of windows, window w, filters, n)."""
        return (
            self.output[self.rows_of(strip)] if self.pooled is None else self.output[: strip.count // self.pooled_tall]
        )

    def _cut(self, padded_width: int) -> list[Strip]:
        """Strips of the rows that are used: a pooling may leave the last ones out."""
        tall, wide, channels, filters = self.kernel_shape
        # Panel, output, gradient turned around and gradient spread, a row each
        numbers = padded_width * (tall * channels + 1 + channels + filters) + 2 * self.columns * filters
        # The kernel's gradient at every position does not shrink with the examples
        products = self.columns * wide * (tall * channels + 1) * filters if self.context.training else 0
        row_bytes = (numbers * self.context.examples + products) * self.context.dtype.itemsize
        each = max(STRIP_BYTES // row_bytes // self.pooled_tall, 1) * self.pooled_tall
        used = self.rows // self.pooled_tall * self.pooled_tall
        return [Strip(start, min(start + each, used)) for start in range(0, used, each)]

    def _build_panel(self, source: Block, most: int) -> None:
        tall, wide, channels, filters = self.kernel_shape
        examples, dtype = self.context.examples, self.context.dtype
        self.column = tall * channels + self.has_bias
        # (strip, padded w, kernel h * channels + 1, n)
        self.panel = empty((most, source.whole.shape[1], self.column, examples), dtype)
        if self.has_bias:
            self.panel[:, :, -1] = 1
        columns = self.panel[:, :, : tall * channels]
        # (strip, padded w, kernel h, c, n)
        self.image_columns = columns.reshape(*columns.shape[:2], tall, channels, examples)
        step, (stride, across) = self.panel.strides, self.windows.strides
        # (strip, out w, kernel w * column, n): neighbouring windows share all but one column
        seen = as_strided(
            self.panel,
            (most, self.columns, wide * self.column, examples),
            (step[0], across * step[1], step[2], step[3]),
        )
        self.seen = self.by_window(seen)
        whole, dilation = source.whole, self.windows.dilation[0]
        step = whole.strides
        # (out h, padded w, kernel h, c, n): each row of positions sees its rows of the image
        self.rows_seen = as_strided(
            whole,
            (self.rows, whole.shape[1], tall, channels, examples),
            (stride * step[0], step[1], dilation * step[0], step[2], step[3]),
        )
        # (filters, kernel w * column): the kernel as the panel holds the window
        self.packed = zeros((filters, wide * self.column), dtype)

    def _build_backward(self, most: int) -> None:
        _, wide, _, filters = self.kernel_shape
        examples, dtype = self.context.examples, self.context.dtype
        self.turned = self.by_window(empty((most, self.columns, examples, filters), dtype))
        self.products = self.by_window(empty((most, self.columns, wide * self.column, filters), dtype))
        self.ones = np.ones((1, most * self.columns), dtype)
        self.dpacked = zeros((wide * self.column, filters), dtype)
        self.dsum = empty((1, wide * self.column * filters), dtype)
        self.dwhole: Array | None = None

    def _build_dx(self) -> Array:
        """Buffers for the gradient of the input, which the first layer of a network does without."""
        tall, wide, channels, filters = self.kernel_shape
        examples, dtype, most = self.context.examples, self.context.dtype, self.strips[0].count
        (top, _), (left, _) = self.windows.padding_cells
        height, width = self.windows.image
        rows, columns = self.windows.padding_cells
        padded_width, stride = width + sum(columns), self.windows.strides[1]
        # dy with its columns apart by the stride, and space for the windows that reach over its ends
        self.spread = zeros((most, padded_width + wide - 1, filters, examples), dtype)
        self.inner = self.by_window(self.spread[:, wide - 1 : wide - 1 + (self.columns - 1) * stride + 1 : stride])
        # (strip, padded w, kernel w * filters, n)
        self.reached = as_strided(self.spread, (most, padded_width, wide * filters, examples), self.spread.strides)
        self.back = empty((tall, channels, wide * filters), dtype)
        self.drow = empty((most, padded_width, channels, examples), dtype)
        self.dwhole = empty((height + sum(rows), padded_width, channels, examples), dtype)
        self.dx = self.dwhole[top : top + height, left : left + width]
        self._pack_back()
        return self.dwhole

    def begin(self, params: Variables, state: Variables) -> None:
        tall, wide, channels, filters = self.kernel_shape
        self.kernel = params["kernel"]
        packed = self.packed.reshape(filters, wide, self.column)
        # (kernel h, kernel w, c, filters) -> (filters, kernel w, kernel h * c)
        packed[:, :, : tall * channels] = self.kernel.transpose(3, 1, 0, 2).reshape(filters, wide, tall * channels)
        if self.has_bias:
            # The ones of the window's first column carry it
            packed[:, 0, -1] = params["bias"]
        if self.context.training:
            self._clear_gradients()
            if self.dwhole is not None:
                self._pack_back()

    def _clear_gradients(self) -> None:
        self.dpacked[...] = 0

    def _pack_back(self) -> None:
        tall, wide, channels, filters = self.kernel_shape
        # (kernel h, kernel w, c, filters) -> (kernel h, c, kernel w reversed * filters)
        self.back[...] = self.kernel[:, ::-1].transpose(0, 2, 1, 3).reshape(tall, channels, wide * filters)

    def forward(self) -> None:
        for strip in self.strips:
            self._fill_panel(strip)
            # (filters, k) @ (.., k, n) -> (.., filters, n) at every position
            np.matmul(self.packed, self.seen[: strip.count // self.pooled_tall], out=self._output_of(strip))
            for epilogue in self.epilogues:
                epilogue.forward_strip(strip)

    def _fill_panel(self, strip: Strip) -> None:
        np.copyto(self.image_columns[: strip.count], self.rows_seen[strip.start : strip.stop])

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        dwhole = None
        if need_dx:
            dwhole = self._build_dx() if self.dwhole is None else self.dwhole
            self._clear_dx(dwhole)
        for strip, gradient in self._strips_of(dy):
            self._add_strip(strip, gradient, dwhole)
        return self.dx if need_dx else None

    def _clear_dx(self, dwhole: Array) -> None:
        """Make the gradient of the input ready for strips that are added to it."""
        dwhole[...] = 0

    def _add_strip(self, strip: Strip, dy: Array, dwhole: Array | None) -> None:
        """Add what a strip's gradient means for the kernel and, where ``dwhole`` is given, for the input."""
        if self.layer.spec.trainable:
            self._add_kernel_gradient(strip, dy)
        if dwhole is not None:
            self._add_input_gradient(strip, dy, dwhole)

    def _strips_of(self, dy: Array) -> Iterator[tuple[Strip, Array]]:
        """Each strip with its gradient, pulled back through the epilogues."""
        for strip in self.strips:
            gradient = dy[self.rows_of(strip)]
            for epilogue in reversed(self.epilogues):
                gradient = epilogue.backward_strip(strip, gradient)
            yield strip, gradient if self.pooled else self.by_window(gradient)

    def _add_kernel_gradient(self, strip: Strip, dy: Array) -> None:
        """dkernel += sum over positions of window @ dy.T."""
        self._fill_panel(strip)
        rows, positions = strip.count // self.pooled_tall, strip.count * self.columns
        products = self.products[:rows]
        # (.., filters, n) -> (.., n, filters)
        turned = dy.swapaxes(-1, -2)
        if self.kernel_shape[2] >= _FEW_CHANNELS:
            np.copyto(self.turned[:rows], turned)
            turned = self.turned[:rows]
        np.matmul(self.seen[:rows], turned, out=products)
        # A product with ones sums the positions several times faster than a reduction over an outer axis
        np.matmul(self.ones[:, :positions], products.reshape(positions, -1), out=self.dsum)
        self.dpacked += self.dsum.reshape(self.dpacked.shape)

    def _add_input_gradient(self, strip: Strip, dy: Array, dwhole: Array) -> None:
        """dx += dy correlated with the flipped kernel, one kernel row after the other."""
        count, (stride, _), (dilation, _) = strip.count, self.windows.strides, self.windows.dilation
        np.copyto(self.inner[: count // self.pooled_tall], dy)
        drow = self.drow[:count]
        for row, back in enumerate(self.back):
            # (c, kernel w * filters) @ (strip, padded w, kernel w * filters, n) -> (strip, padded w, c, n)
            np.matmul(back, self.reached[:count], out=drow)
            first = row * dilation + strip.start * stride
            dwhole[first : first + (count - 1) * stride + 1 : stride] += drow

    def gradients(self) -> dict[str, Array]:
        tall, wide, channels, filters = self.kernel_shape
        # (kernel w * column, filters) -> (kernel w, kernel h, c, filters) -> (kernel h, kernel w, c, filters)
        columns = self.dpacked.reshape(wide, self.column, filters)
        kernel = columns[:, : tall * channels].reshape(wide, tall, channels, filters).transpose(1, 0, 2, 3)
        return {"kernel": kernel, "bias": columns[0, -1]} if self.has_bias else {"kernel": kernel}
