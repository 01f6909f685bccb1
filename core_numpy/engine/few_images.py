"""Convolution for one image or a few: the windows laid out in one matrix, one product, every buffer kept.

Few images make short operations, so what counts is how many separate runs of memory each one visits.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from core_numpy.contract import Layer, Variables
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.layout import empty, zeros
from core_numpy.engine.pooling import MaxPooling
from core_numpy.ops.windows import Windows

_FEW_CHANNELS = 4
"""Up to so many channels the positions of a window's cell make longer runs than the cells of a window do."""


class FewImagesConvolution(Block):
    """y = sum(x k) + bias over windows, batch first; forward only.

    Args:
        feeds_pooling: a :class:`FewImagesMaxPooling` follows, which adds the bias.
    """

    def __init__(self, layer: Layer, source: Block, context: BuildContext, feeds_pooling: bool) -> None:
        super().__init__(layer, source, context)
        examples, height, width, channels = source.y.shape
        windows: Windows = layer.windows(np.empty((1, height, width, 0)))  # type: ignore[attr-defined]
        filters = layer.spec.filters  # type: ignore[attr-defined]
        (tall, wide), (rows, columns) = windows.window, windows.output
        whole = source.whole
        n, h, w, c = whole.strides
        # (n, out h, out w, kernel h, kernel w, c), a view of the input
        self.seen = as_strided(
            whole,
            (examples, rows, columns, tall, wide, channels),
            (n, h * windows.strides[0], w * windows.strides[1], h * windows.dilation[0], w * windows.dilation[1], c),
        )
        positions = examples * rows * columns
        if channels <= _FEW_CHANNELS:
            # (kernel h, kernel w, c, n, out h, out w)
            self.seen = self.seen.transpose(3, 4, 5, 0, 1, 2)
            self.laid_out = empty(self.seen.shape, context.dtype)
            self.matrix = self.laid_out.reshape(-1, positions).T
        else:
            self.laid_out = empty(self.seen.shape, context.dtype)
            self.matrix = self.laid_out.reshape(positions, -1)
        self.y, self.whole = context.bordered((rows, columns, filters))
        is_bordered = self.y is not self.whole
        sums = empty(self.y.shape, context.dtype) if is_bordered else self.y
        self.product = sums.reshape(positions, filters)
        # (n, out h, out w * filters): an addition runs over whole rows of an image
        self.sum_rows, self.y_rows = (values.reshape(examples, rows, -1) for values in (sums, self.y))
        self.bias = zeros((filters,), context.dtype)
        self.bias_row = zeros((columns, filters), context.dtype)
        self.adds_bias = is_bordered or (layer.spec.use_bias and not feeds_pooling)  # type: ignore[attr-defined]

    def begin(self, params: Variables, state: Variables) -> None:
        self.kernel = params["kernel"].reshape(self.matrix.shape[1], -1)
        if "bias" in params:
            self.bias = params["bias"]
            self.bias_row[...] = self.bias

    def forward(self) -> None:
        np.copyto(self.laid_out, self.seen)
        # (positions, k) @ (k, filters)
        np.matmul(self.matrix, self.kernel, out=self.product)
        if self.adds_bias:
            np.add(self.sum_rows, self.bias_row.reshape(-1), out=self.y_rows)


class FewImagesMaxPooling(MaxPooling):
    """y = max over windows of a convolution's sums, plus its bias.

    Rounding keeps the order of numbers, so the bits are those of the maximum over sums that have the bias already.
    """

    def __init__(self, layer: Layer, source: FewImagesConvolution, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        self.convolution = source
        examples, rows, columns, filters = self.y.shape
        # (n, out h, out w * filters)
        self.y_rows = self.y.reshape(examples, rows, -1)
        self.bias_row = zeros((columns, filters), context.dtype)

    def begin(self, params: Variables, state: Variables) -> None:
        self.bias_row[...] = self.convolution.bias

    def forward(self) -> None:
        super().forward()
        np.add(self.y_rows, self.bias_row.reshape(-1), out=self.y_rows)
