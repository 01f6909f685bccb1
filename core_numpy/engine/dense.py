"""Dense on both layouts, written for columns: rows are the same matrices transposed, which BLAS takes as they are.

With the batch innermost a product over many inputs is cut into slabs of inputs, small enough for the kernels by which
OpenBLAS multiplies small matrices without packing them first; it takes up to half off the products behind a flattened
image.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core_numpy.contract import Array, Layer, Variables
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.layout import empty, without_single_example

SMALL_PRODUCT = 1_000_000
"""Multiplications up to which OpenBLAS calls a product small."""

SMALL_TRANSPOSED = 1200
"""Entries of the result up to which it calls a product with a transposed factor small."""

_LEAST_SLAB = 64


class Dense(Block):
    """y = kernel.T x + bias for x (inputs, n) and y (units, n)."""

    def __init__(self, layer: Layer, source: Block, context: BuildContext) -> None:
        super().__init__(layer, source, context)
        units = layer.spec.units  # type: ignore[attr-defined]
        inputs = self._columns(source.y).shape[0]
        self.y = self.whole = context.buffer((units,))
        self.y_squeezed = without_single_example(self.y)
        in_slabs = context.layout.batch_last
        count = slabs(inputs, SMALL_PRODUCT // (units * context.examples)) if in_slabs else 1
        # (slabs, inputs of a slab)
        self.slabs = count, inputs // count
        self.parts = empty((count, units, context.examples), context.dtype) if count > 1 else None
        self.sum_parts = np.ones((1, count), context.dtype)
        if context.training:
            count = slabs(inputs, SMALL_TRANSPOSED // units) if in_slabs else 1
            self.gradient_slabs = count, inputs // count
            self.product = empty((inputs, units), context.dtype)
            self.ones = np.ones(context.examples, context.dtype)
            self.dx = context.buffer((inputs,))

    def _columns(self, values: Array) -> Array:
        """A view with one example a column."""
        return values if self.context.layout.batch_last else values.T

    def begin(self, params: Variables, state: Variables) -> None:
        self.kernel, self.bias = params["kernel"], params.get("bias")
        self.fresh = True

    def forward(self) -> None:
        if not self.context.layout.batch_last:
            self._forward_rows()
            return
        if self.parts is None:
            np.matmul(self.kernel.T, self.x, out=self.y)
        else:
            # (slabs, units, inputs) @ (slabs, inputs, n) -> (slabs, units, n), summed over the slabs
            kernel = self.kernel.reshape(*self.slabs, -1).swapaxes(1, 2)
            np.matmul(kernel, self.x.reshape(*self.slabs, -1), out=self.parts)
            np.matmul(self.sum_parts, self.parts.reshape(len(self.parts), -1), out=self.y.reshape(1, -1))
        if self.bias is not None:
            np.add(self.y, self.bias[:, None], out=self.y)

    def _forward_rows(self) -> None:
        # ``dot`` starts in two thirds of the time of ``matmul``
        np.dot(self.x, self.kernel, out=self.y)
        if self.bias is not None:
            np.add(self.y_squeezed, self.bias, out=self.y_squeezed)

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        dy = self._columns(dy)
        if self.context.gradients:
            self._add_gradients(dy, self.context.gradients["kernel"], self.context.gradients.get("bias"))
        if not need_dx:
            return None
        # (slabs, inputs, units) @ (units, n) -> (slabs, inputs, n)
        dx = self._columns(self.dx).reshape(*self.slabs, -1)
        np.matmul(self.kernel.reshape(*self.slabs, -1), dy, out=dx)
        return self.dx

    def _add_gradients(self, dy: Array, dkernel: Array, dbias: Array | None) -> None:
        """dkernel += x dy.T and dbias += sum of dy."""
        # The first chunk needs nothing to add to
        product = dkernel if self.fresh else self.product
        # (slabs, inputs, n) @ (n, units) -> (slabs, inputs, units)
        x = self._columns(self.x).reshape(*self.gradient_slabs, -1)
        np.matmul(x, dy.T, out=product.reshape(*self.gradient_slabs, -1))
        if not self.fresh:
            dkernel += product
        if dbias is not None:
            # (units, n) @ (n,) -> (units,)
            dbias[...] = dy @ self.ones if self.fresh else dbias + dy @ self.ones
        self.fresh = False

    def gradients(self) -> Mapping[str, Array]:
        return self.context.gradients


def slabs(inputs: int, longest: int) -> int:
    """The fewest equal slabs of at most ``longest`` inputs; 1 where they would be too short to pay.

    >>> slabs(6272, 781), slabs(6272, 120), slabs(6271, 781), slabs(576, 40)
    (14, 56, 1, 1)
    """
    for count in range(1, inputs // _LEAST_SLAB + 1):
        if inputs % count == 0 and inputs // count <= longest:
            return count
    return 1
