"""What follows a convolution strip by strip, while its rows are in the cache: max pooling, and relu."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array, Layer
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.convolution import Convolution, FusedEpilogue, Strip
from core_numpy.engine.layout import empty, zeros_beside
from core_numpy.engine.pooling import keep_largest, share_out
from core_numpy.ops.windows import Windows


class StripMaxPooling(FusedEpilogue):
    """y = max over windows that neither overlap nor are padded, the first of equals."""

    def __init__(self, layer: Layer, source: Convolution, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        columns, filters = source.columns, source.kernel_shape[3]
        self.windows: Windows = layer.windows(np.empty((1, source.rows, columns, 0)))  # type: ignore[attr-defined]
        self.tall, self.wide = self.windows.window
        self.rows_per_output_row = self.tall
        rows, self.columns = self.windows.output
        self.y, self.whole = context.bordered((rows, self.columns, filters))
        if context.training:
            most = source.strips[0].count
            self.better = [empty(self.y.shape, np.bool_) for _ in range(self.tall * self.wide - 1)]
            self.dz = empty((most, columns, filters, context.examples), context.dtype)
            # Columns that no window reaches never get a gradient
            self.dz[:, self.columns * self.wide :] = 0
        source.epilogues.append(self)

    def _cells(self, strip: Strip, values: Array) -> list[Array]:
        """One view of a strip per window cell, in row-major order of the cells."""
        used = values[: strip.count, : self.columns * self.wide]
        return [used[row :: self.tall, column :: self.wide] for row in range(self.tall) for column in range(self.wide)]

    def _rows(self, strip: Strip) -> slice:
        return slice(strip.start // self.tall, strip.stop // self.tall)

    def forward_strip(self, strip: Strip) -> None:
        rows = self._rows(strip)
        y = self.y[rows]
        better = [won[rows] for won in self.better] if self.context.training else None
        keep_largest(self._cells(strip, self.x), y, better)

    def backward_strip(self, strip: Strip, dy: Array) -> Array:
        rows = self._rows(strip)
        share_out(self._cells(strip, self.dz), [won[rows] for won in self.better], dy)
        return self.dz[: strip.count]


class StripRelu(FusedEpilogue):
    """y = max(x, 0) in place; dx = dy where y > 0."""

    keeps_y = True
    reads_sign = True

    def __init__(self, layer: Layer, source: Block, context: BuildContext, convolution: Convolution) -> None:
        super().__init__(layer, source, context)
        self.y, self.whole = source.y, source.whole
        self.convolution = convolution
        # Rows of a pooling in front stand for several of the convolution's
        self.behind = max([1, *(epilogue.rows_per_output_row for epilogue in convolution.epilogues)])
        self.zeros = zeros_beside(self.y[0])
        if context.training:
            most = convolution.strips[0].count // self.behind
            self.open = empty((most, *self.y.shape[1:]), np.bool_)
        convolution.epilogues.append(self)

    def _rows(self, strip: Strip) -> slice:
        return slice(strip.start // self.behind, strip.stop // self.behind)

    def forward_strip(self, strip: Strip) -> None:
        y = self.y[self._rows(strip)]
        np.maximum(y, self.zeros, out=y)

    def backward_strip(self, strip: Strip, dy: Array) -> Array:
        y = self.y[self._rows(strip)]
        # A product with the mask: selecting by it is many times slower
        open_cells = np.greater(y, 0, out=self.open[: len(y)])
        return np.multiply(dy, open_cells, out=dy)
