"""Convolution for one image or a few: the windows laid out in rows, one matrix product, every buffer kept."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from core_numpy.contract import Layer, Variables
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.layout import empty
from core_numpy.ops.windows import Windows


class FewImagesConvolution(Block):
    """y = sum(x k) + bias over windows, batch first; forward only."""

    def __init__(self, layer: Layer, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        examples, height, width, channels = source.y.shape
        windows: Windows = layer.windows(np.empty((1, height, width, 0)))  # type: ignore[attr-defined]
        filters = layer.spec.filters  # type: ignore[attr-defined]
        (tall, wide), (rows, columns) = windows.window, windows.output
        self.y, self.whole = context.bordered((rows, columns, filters))
        whole = source.whole
        n, h, w, c = whole.strides
        # (n, out h, out w, kernel h, kernel w, c), a view of the input
        self.seen = as_strided(
            whole,
            (examples, rows, columns, tall, wide, channels),
            (n, h * windows.strides[0], w * windows.strides[1], h * windows.dilation[0], w * windows.dilation[1], c),
        )
        self.laid_out = empty(self.seen.shape, context.dtype)
        positions = examples * rows * columns
        self.matrix = self.laid_out.reshape(positions, -1)
        self.product = (
            self.whole.reshape(positions, filters)
            if self.y is self.whole
            else empty((positions, filters), context.dtype)
        )

    def begin(self, params: Variables, state: Variables) -> None:
        self.kernel = params["kernel"].reshape(self.matrix.shape[1], -1)
        self.bias = params.get("bias")

    def forward(self) -> None:
        np.copyto(self.laid_out, self.seen)
        # (positions, k) @ (k, filters)
        np.matmul(self.matrix, self.kernel, out=self.product)
        product = self.product.reshape(self.y.shape)
        if self.bias is not None:
            np.add(product, self.bias, out=self.y)
        elif self.y is not self.whole:
            np.copyto(self.y, product)
