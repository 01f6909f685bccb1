"""Convolution with two thirds or half of the products: Winograd's tiles along the width.

F(m, 3) gives m neighbouring outputs y of a filter g of three taps, on m + 2 inputs d, by m + 2 products instead of 3 m:

    y = A' [(G g) * (B' d)],   and so   dd = B [(G g) * (A dy)],   dg = G' [(B' d) * (A dy)]

(A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016; the gradients are the transposes of y,
which is linear in d and in g.) Only the width goes by tiles; the rows of the kernel and the channels stay one sum, so
that each point of a tile is one matrix product of a useful size.

Inference and backward go by tiles; the forward pass of training stays direct. A tile leaves rounding noise where the
direct sum is an exact zero, and in front of a relu or a max pooling that noise would open units and pick cells, which
backward then follows. In inference, and in backward, which is linear, noise stays noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from core_numpy.contract import Array, Layer, Variables
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.convolution import Convolution
from core_numpy.engine.layout import empty, zeros
from core_numpy.engine.strips import Strip
from core_numpy.ops.windows import Windows

TAPS = 3
"""Columns of the kernels that go by tiles."""


class Tile(NamedTuple):
    """F(m, 3): the matrices of the tile, float64.

    Attributes:
        image: B', (m + 2, m + 2).
        kernel: G, (m + 2, 3).
        output: A, (m + 2, m). Its second row, for the point 1, is all ones.
    """

    image: Array
    kernel: Array
    output: Array

    @property
    def points(self) -> int:
        """Products of a tile, m + 2."""
        return len(self.image)

    @property
    def outputs(self) -> int:
        """Outputs of a tile, m."""
        return self.output.shape[1]

    def at_points(self, kernel: Array) -> Array:
        """G g of every row, channel and filter: (kernel h, 3, c, filters) -> (points, kernel h, c, filters)."""
        return np.tensordot(self.kernel, kernel, axes=(1, 1))


# The points 0, 1, -1 and infinity
TILE_OF_2 = Tile(
    image=np.array([[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]),
    kernel=np.array([[2.0, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]) / 2,
    output=np.array([[1.0, 0], [1, 1], [1, -1], [0, -1]]),
)

# The points 0, 1, -1, 2, -2 and infinity
TILE_OF_4 = Tile(
    image=np.array(
        [
            [4.0, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ]
    ),
    kernel=np.array([[6.0, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24,
    output=np.array([[1.0, 0, 0, 0], [1, 1, 1, 1], [1, -1, 1, -1], [1, 2, 4, 8], [1, -2, 4, -8], [0, 0, 0, 1]]),
)

LEAST_CHANNELS = 16
"""Below so many channels or filters the transforms cost more than the products that they save."""

FILTERS_OF_2 = 32
"""Filters from which the tile of 2 pays, which saves a third of the products instead of half."""


def tile_for(windows: Windows, channels: int, filters: int) -> Tile | None:
    """The tile that a convolution goes by, or None where the direct one is as fast.

    It depends on the shapes alone, so that a network gives the same bits on every processor of a kind.
    """
    plain = windows.strides == (1, 1) and windows.dilation == (1, 1) and windows.window[1] == TAPS
    if not plain or min(channels, filters) < LEAST_CHANNELS:
        return None
    columns = windows.output[1]
    if columns % 4 == 0:
        return TILE_OF_4
    return TILE_OF_2 if columns % 2 == 0 and filters >= FILTERS_OF_2 else None


class WinogradConvolution(Convolution):
    """y = sum(x k) + bias by tiles along the width: y itself in inference, dx and dk in training."""

    def __init__(
        self, layer: Layer, source: Block, context: BuildContext, tile: Tile, pooled: tuple[int, int] | None = None
    ) -> None:
        self.tile = tile
        super().__init__(layer, source, context, pooled)

    def _lays_cells_apart(self, backward: bool) -> bool:
        # The outputs of a tile need one stride
        return self.pooled_wide == self.tile.outputs or (self.context.training and not backward)

    def _build_panel(self, source: Block, most: int) -> None:
        self._build_image_points(source.whole)
        if self.context.training:
            super()._build_panel(source, most)
            return
        tall, _, channels, filters = self.kernel_shape
        points = self.tile.points
        self.kernel_points = empty((points, filters, tall * channels), self.context.dtype)
        self.sums = empty((most, self.tiles, points, filters, self.context.examples), self.context.dtype)

    def _in_tiles(self, output: Array) -> Array:
        """A view of rows of the output: (.., columns, wide, filters, n) -> (.., tiles, outputs, filters * n)."""
        return output.reshape(*output.shape[:2], self.tiles, self.tile.outputs, -1)

    def _rows_apart(self, points: Array) -> Array:
        """A view: (rows, tiles, points, c, n) -> (rows of windows, window h, tiles, points, c * n)."""
        return points.reshape(-1, self.pooled_tall, *points.shape[1:3], points.shape[3] * points.shape[4])

    def _build_image_points(self, whole: Array) -> None:
        tall, _, channels, _ = self.kernel_shape
        examples, dtype, points = self.context.examples, self.context.dtype, self.tile.points
        tiles = self.tiles = self.columns // self.tile.outputs
        self.image_transform = self.tile.image.astype(dtype)
        self.output_transform = self.tile.output.astype(dtype)
        used = self.strips[-1].stop
        step = whole.strides
        # (h, tiles, points, c * n): neighbouring tiles share two columns of the image
        self.image_tiles = as_strided(
            whole,
            (used + tall - 1, tiles, points, channels * examples),
            (step[0], self.tile.outputs * step[1], step[1], step[3]),
        )
        # B' d of all rows, each of which several rows of windows see: (tiles, points, h, c, n)
        image = empty((tiles, points, used + tall - 1, channels, examples), dtype)
        step = image.strides
        self.image_points = image.reshape(tiles, points, -1, channels * examples).transpose(2, 0, 1, 3)
        # (h, tiles, points, kernel h * c, n)
        self.windows_of_image = as_strided(
            image, (used, tiles, points, tall * channels, examples), (step[2], step[0], step[1], step[3], step[4])
        )

    def _build_backward(self, most: int) -> None:
        tall, _, channels, filters = self.kernel_shape
        examples, dtype, points, tiles = self.context.examples, self.context.dtype, self.tile.points, self.tiles
        used = self.strips[-1].stop
        # A dy of all rows, rows of zeros before and behind them: (tiles, points, h + 2 (kernel h - 1), filters, n)
        gradient = zeros((tiles, points, used + 2 * (tall - 1), filters, examples), dtype)
        step = gradient.strides
        rows = gradient[:, :, tall - 1 : tall - 1 + used]
        # (h, tiles, points, filters, n)
        self.gradient_points = rows.transpose(2, 0, 1, 3, 4)
        # (tiles, points, padded h, kernel h * filters, n): what a row of the image's gradient is made of
        self.windows_of_gradient = as_strided(
            gradient,
            (tiles, points, used + tall - 1, tall * filters, examples),
            step,
        )
        self.turned = empty((most, tiles, points, examples, filters), dtype)
        self.products = empty((most, tiles, points, tall * channels, filters), dtype)
        self.ones = np.ones((1, most * tiles), dtype)
        self.ones_of_examples = np.ones((1, examples), dtype)
        self.dpoints = zeros((points, tall, channels, filters), dtype)
        self.dbias = zeros((filters,), dtype)
        self.dwhole: Array | None = None

    def _build_dx(self) -> Array:
        tall, _, channels, filters = self.kernel_shape
        examples, dtype, points = self.context.examples, self.context.dtype, self.tile.points
        most = self.strips[0].count + tall - 1
        self.dimage_points = empty((self.tiles, points, most, channels, examples), dtype)
        self.dtiles = empty((most, self.tiles, points, channels * examples), dtype)
        self.back = empty((points, 1, channels, tall * filters), dtype)
        # Rows that no window sees stay zero
        self.dwhole = zeros(self.source.whole.shape, dtype)  # type: ignore[union-attr]
        (top, _), (left, _) = self.windows.padding_cells
        height, width = self.windows.image
        self.dx = self.dwhole[top : top + height, left : left + width]
        step, outputs = self.dwhole.strides, self.tile.outputs
        # (h, tiles, outputs, c * n)
        self.dwhole_tiles = as_strided(
            self.dwhole,
            (len(self.dwhole), self.tiles, outputs, channels * examples),
            (step[0], outputs * step[1], step[1], step[3]),
        )
        self._pack_back()
        return self.dwhole

    def begin(self, params: Variables, state: Variables) -> None:
        if self.context.training:
            super().begin(params, state)
            return
        # (points, kernel h, c, filters) -> (points, filters, kernel h * c)
        kernel = self.tile.at_points(params["kernel"])
        self.kernel_points[...] = kernel.transpose(0, 3, 1, 2).reshape(self.kernel_points.shape)
        self.bias = params["bias"][:, None] if self.has_bias else None

    def forward(self) -> None:
        if self.context.training:
            super().forward()
            return
        for strip in self.strips:
            self._transform_image(strip)
            sums = self.sums[: strip.count]
            # (points, filters, k) @ (strip, tiles, points, k, n) -> (strip, tiles, points, filters, n)
            np.matmul(self.kernel_points, self.windows_of_image[strip.start : strip.stop], out=sums)
            if self.bias is not None:
                # What stands at the point 1 is added to all outputs of the tile
                sums[:, :, 1] += self.bias
            # (outputs, points) @ (.., tiles, points, filters * n) -> (.., tiles, outputs, filters * n)
            np.matmul(self.output_transform.T, self._rows_apart(sums), out=self._in_tiles(self._output_of(strip)))
            for epilogue in self.epilogues:
                epilogue.forward_strip(strip)

    def _transform_image(self, strip: Strip) -> None:
        """B' d of the rows that the strip sees; the strip before has left those that both see."""
        tall = self.kernel_shape[0]
        new = slice(strip.start + tall - 1 if strip.start else 0, strip.stop + tall - 1)
        # (points, points) @ (rows, tiles, points, c * n)
        np.matmul(self.image_transform, self.image_tiles[new], out=self.image_points[new])

    def _clear_gradients(self) -> None:
        self.dpoints[...] = 0
        self.dbias[...] = 0

    def _pack_back(self) -> None:
        # (points, kernel h, c, filters) -> (points, 1, c, kernel h reversed * filters)
        kernel = self.tile.at_points(self.kernel)
        self.back[...] = kernel[:, ::-1].transpose(0, 2, 1, 3).reshape(self.back.shape)

    def _clear_dx(self, dwhole: Array) -> None:
        """Nothing: every row that a window sees is written."""

    def _add_strip(self, strip: Strip, dy: Array, dwhole: Array | None) -> None:
        points = self.gradient_points[strip.start : strip.stop]
        # (points, outputs) @ (.., tiles, outputs, filters * n) -> (.., tiles, points, filters * n)
        np.matmul(self.output_transform, self._in_tiles(dy), out=self._rows_apart(points))
        super()._add_strip(strip, dy, dwhole)

    def _add_kernel_gradient(self, strip: Strip, dy: Array) -> None:
        """dkernel's points += sum over positions of (B' d) (A dy)'."""
        count = strip.count
        self._transform_image(strip)
        turned, products = self.turned[:count], self.products[:count]
        # (strip, tiles, points, filters, n) -> (strip, tiles, points, n, filters)
        np.copyto(turned, self.gradient_points[strip.start : strip.stop].swapaxes(-1, -2))
        # (.., kernel h * c, n) @ (.., n, filters) -> (strip, tiles, points, kernel h * c, filters)
        np.matmul(self.windows_of_image[strip.start : strip.stop], turned, out=products)
        positions = count * self.tiles
        # A product with ones sums the positions several times faster than a reduction over an outer axis
        summed = np.matmul(self.ones[:, :positions], products.reshape(positions, -1))
        self.dpoints += summed.reshape(self.dpoints.shape)
        if self.has_bias:
            # At the point 1 a tile's outputs are added up: (1, n) @ (strip, tiles, n, filters)
            self.dbias += np.matmul(self.ones_of_examples, turned[:, :, 1]).sum(axis=(0, 1, 2))

    def _add_input_gradient(self, strip: Strip, dy: Array, dwhole: Array) -> None:
        """The rows of dx that no later strip adds to: B [(G k) * (A dy)], overlapping tiles added."""
        tall, _, channels, _ = self.kernel_shape
        outputs, points, examples = self.tile.outputs, self.tile.points, self.context.examples
        stop = strip.stop + (tall - 1 if strip is self.strips[-1] else 0)
        count = stop - strip.start
        dimage, dtiles = self.dimage_points[:, :, :count], self.dtiles[:count]
        # (points, 1, c, k) @ (tiles, points, rows, k, n) -> (tiles, points, rows, c, n), k = kernel h * filters
        np.matmul(self.back, self.windows_of_gradient[:, :, strip.start : stop], out=dimage)
        by_rows = dimage.reshape(self.tiles, points, count, channels * examples).transpose(2, 0, 1, 3)
        # (points, points) @ (rows, tiles, points, c * n)
        np.matmul(self.image_transform.T, by_rows, out=dtiles)
        # (rows, tiles, outputs, c * n)
        inside = self.dwhole_tiles[strip.start : stop]
        np.copyto(inside, dtiles[:, :, :outputs])
        # The two columns that a tile shares with the next
        inside[:, 1:, : TAPS - 1] += dtiles[:, :-1, outputs:]
        dwhole[strip.start : stop, self.columns : self.columns + TAPS - 1] = dtiles[:, -1, outputs:].reshape(
            count, -1, channels, examples
        )

    def gradients(self) -> dict[str, Array]:
        # (points, kernel w), (points, kernel h, c, filters) -> (kernel w, kernel h, c, filters)
        kernel = np.tensordot(self.tile.kernel.astype(self.dpoints.dtype), self.dpoints, axes=(0, 0))
        kernel = kernel.transpose(1, 0, 2, 3)
        return {"kernel": kernel, "bias": self.dbias} if self.has_bias else {"kernel": kernel}
