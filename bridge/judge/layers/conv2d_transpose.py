"""Conv2DTranspose: rounding, with the roles of input and gradient in a convolution exchanged, and random drawing."""

from __future__ import annotations

import math

import numpy as np

from bridge.judge.layers.form import Some, draw_activation, draw_weighted
from bridge.judge.layers.linear import Repeats, greater, partial_products, rounded_products
from bridge.judge.repeats import ColumnGroups, RowGroups
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from core_numpy.layers.conv2d_transpose import Conv2DTranspose as FromScratch
from model_spec import Conv2DTranspose
from model_spec.shapes import Shape

_CELLS = 400
"""Values of an image up to which a stride may enlarge it."""


class TransposedRule:
    """y = sum(x k) + bias over the cells of x whose kernels reach a cell of y."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        windows = _layer(trace).windows(trace.x)
        overlapping = math.prod(-(-windows.window[axis] // windows.strides[axis]) for axis in (0, 1))
        return rounded_products(rounding, trace, overlapping * trace.x.shape[-1])

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        layer, kernel, dy = _layer(trace), trace.params["kernel"], cotangent.value
        windows, channels = layer.windows(trace.x), trace.x.shape[-1]
        squared = {name: np.square(value) for name, value in trace.params.items()}
        _, of_squares = layer.forward(squared, trace.state, np.square(trace.x), trace.context)
        _, of_variance = layer.forward(squared, trace.state, trace.x_variance, trace.context)
        # With every factor squared, backward gives sum(k**2 v) for x, sum(x**2 v) for the kernel, sum(v) for the bias
        carried_dx, variances = layer.backward(squared, of_squares, cotangent.variance)
        squares_dx, squares = layer.backward(squared, of_squares, np.square(dy))
        kink_dx, kinks = layer.backward(squared, of_squares, cotangent.kink)
        _, from_x = layer.backward(squared, of_variance, np.square(dy), need_dx=False)
        # (n * h * w, c) and (n * h * w, kernel h * kernel w * filters)
        cells, cells_variance = (value.reshape(-1, channels) for value in (trace.x, trace.x_variance))
        rows = layer.gradient_rows(dy, windows)
        repeats = Repeats.of(cells, cells_variance, rows)

        def grouped(of_kernel: Array | None) -> Array | None:
            # (c, kernel h * kernel w * filters) -> the kernel's shape
            return None if of_kernel is None else of_kernel.T.reshape(kernel.shape)

        reached = partial_products(rows, cells).reshape(kernel.shape)
        own = rounding.running_sum(squares["kernel"], reached, repeats.drifting)
        for found, given in ((variances, cotangent.variance), (kinks, cotangent.kink)):
            of_dy = repeats.carried("kernel", layer.gradient_rows(given, windows))
            found["kernel"] = greater(found["kernel"], grouped(of_dy))
        variances["kernel"] = variances["kernel"] + own + greater(from_x["kernel"], grouped(repeats.from_x()))
        if "bias" in trace.params:
            # (n, out h, out w, filters) -> (n * out h * out w, filters)
            terms, variance, kink = (
                value.reshape(-1, dy.shape[-1]) for value in (dy, cotangent.variance, cotangent.kink)
            )
            equal = RowGroups.of(terms)
            counts = np.square(equal.sizes)
            added = rounding.column_sum(terms, ColumnGroups.of(terms).drifting(terms))
            variances["bias"] = np.maximum(variances["bias"], counts @ equal.means(variance)) + added
            kinks["bias"] = np.maximum(kinks["bias"], counts @ equal.means(kink))
        # dx sums over every filter and window cell
        local = rounding.sum_of(np.asarray(squares_dx), dx, kernel.size // channels)
        return BackwardError(np.asarray(carried_dx) + local, np.asarray(kink_dx), variances, kinks)


def _layer(trace: LayerTrace) -> FromScratch:
    layer = trace.layer
    if not isinstance(layer, FromScratch):
        raise TypeError(f"a Conv2DTranspose was expected, got {type(layer).__name__}")
    return layer


def draw(some: Some, shape: Shape) -> Conv2DTranspose:
    """Windows of up to 3 cells; a larger stride, with and without a chosen size, where the image is small."""
    window = (some.integer(1, 3), some.integer(1, 3))
    largest = 3 if math.prod(shape) * 9 <= _CELLS else 1
    strides = (some.integer(1, largest), some.integer(1, largest))
    filters = some.integer(1, 3)
    # Its gradients are convolutions, and TensorFlow has the faults that ``conv2d.draw`` tells of: strided 1x1 windows,
    # and a stride along the width only on images one cell wide
    if window == (1, 1) or (filters == 1 and strides[0] == 1 and strides[1] > 1 and shape[0] > 1 and shape[1] == 1):
        strides = (1, 1)
    padding = some.of(("valid", "same"))
    output_padding = None
    if some.rarely():
        least = [int(padding == "same" and size % 2 == 0) for size in window]
        if all(low < stride for low, stride in zip(least, strides, strict=True)):
            output_padding = tuple(some.integer(low, stride - 1) for low, stride in zip(least, strides, strict=True))
    return Conv2DTranspose(
        filters,
        window,
        strides,
        padding,
        output_padding,
        activation=draw_activation(some, filters),
        **draw_weighted(some),
    )
