"""What follows a convolution strip by strip, while its rows are in the cache: max pooling, and relu."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array, Layer
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.convolution import Convolution
from core_numpy.engine.layout import empty, zeros_beside
from core_numpy.engine.pooling import keep_largest, share_out
from core_numpy.engine.strips import FusedEpilogue, Strip


class StripMaxPooling(FusedEpilogue):
    """y = max over windows that neither overlap nor are padded, the first of equals."""

    def __init__(self, layer: Layer, source: Convolution, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        rows, columns = source.rows // source.pooled_tall, source.columns // source.pooled_wide
        self.y, self.whole = context.bordered((rows, columns, source.kernel_shape[3]))
        self.convolution = source
        if context.training:
            cells = source.pooled_tall * source.pooled_wide
            self.better = [empty(self.y.shape, np.bool_) for _ in range(cells - 1)]
            self.gradient = source.pooled_strip(backward=True)
        source.epilogues.append(self)

    def forward_strip(self, strip: Strip) -> None:
        rows = self.convolution.rows_of(strip)
        y = self.y[rows]
        better = [won[rows] for won in self.better] if self.context.training else None
        keep_largest(self.convolution.strip.first_rows(len(y)).cell_by_cell(), y, better)

    def backward_strip(self, strip: Strip, dy: Array) -> Array:
        rows = self.convolution.rows_of(strip)
        gradient = self.gradient.first_rows(len(dy))
        share_out(gradient.cell_by_cell(), [won[rows] for won in self.better], dy)
        return gradient.output


class StripRelu(FusedEpilogue):
    """y = max(x, 0) in place; dx = dy where y > 0."""

    keeps_y = True
    reads_sign = True

    def __init__(self, layer: Layer, source: Block, context: BuildContext, convolution: Convolution) -> None:
        super().__init__(layer, source, context)
        self.y, self.whole = source.y, source.whole
        self.convolution = convolution
        self.zeros = zeros_beside(self.y[0])
        if context.training:
            most = convolution.strips[0].count // convolution.pooled_tall
            self.open = empty((most, *self.y.shape[1:]), np.bool_)
        convolution.epilogues.append(self)

    def forward_strip(self, strip: Strip) -> None:
        y = self.y[self.convolution.rows_of(strip)]
        np.maximum(y, self.zeros, out=y)

    def backward_strip(self, strip: Strip, dy: Array) -> Array:
        y = self.y[self.convolution.rows_of(strip)]
        # A product with the mask: selecting by it is many times slower
        open_cells = np.greater(y, 0, out=self.open[: len(y)])
        return np.multiply(dy, open_cells, out=dy)
