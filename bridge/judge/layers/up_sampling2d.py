"""UpSampling2D: rounding of repeated and interpolated values and of their gradients' sums, and random drawing."""

from __future__ import annotations

import math

import numpy as np

from bridge.judge.layers.form import Some
from bridge.judge.rounding import PLAIN_BLOCK, BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from core_numpy.layers.up_sampling2d import UpSampling2D as FromScratch
from core_numpy.layers.up_sampling2d import along_images
from model_spec import UpSampling2D
from model_spec.shapes import Shape, element_count

_CELLS = 1200
"""Values of an image that repeating may reach."""


class RepeatingRule:
    """y is x, repeated; dx is the sum of the copies' gradients."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        return trace.run(trace.x_variance)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        copies = trace.y.size // trace.x.size
        # Gradients of copies may be computed alike and err alike: var(sum) is at most copies * sum(var)
        carried, kink = (copies * trace.pull(of) for of in (cotangent.variance, cotangent.kink))
        own = rounding.sum_of(trace.pull(np.square(cotangent.value)), dx, copies, PLAIN_BLOCK)
        return BackwardError(carried + own, kink)


class UpSamplingRule:
    """y is x, repeated or interpolated between four cells."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        layer = _layer(trace)
        if layer.spec.interpolation == "nearest":
            return RepeatingRule().forward(rounding, trace)
        # Shares add up to 1: equal errors of all four cells give no more than the mean of their variances
        carried = trace.run(trace.x_variance)
        rows, columns = (shares > 0 for shares in layer.shares(trace.x.shape, trace.x.dtype))
        # At least the square of the largest of the four cells
        near = along_images(np.square(trace.x), rows.astype(float), columns.astype(float))
        # Three times a + (b - a) share, with three roundings each
        return np.asarray(carried + _arithmetic(rounding).unit * near * (9 + _of_places(layer, trace)))

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        layer = _layer(trace)
        if layer.spec.interpolation == "nearest":
            return RepeatingRule().backward(rounding, trace, cotangent, dx)
        # var(sum(share e)) is at most sum(share) sum(share var(e)), whatever errors are alike
        total = trace.pull(np.ones_like(cotangent.value))
        carried, kink = (total * trace.pull(of) for of in (cotangent.variance, cotangent.kink))
        rows, columns = layer.shares(trace.x.shape, trace.x.dtype)
        squares = along_images(np.square(cotangent.value), np.square(rows).T, np.square(columns).T)
        terms = 4 * math.prod(layer.spec.size)
        arithmetic = _arithmetic(rounding)
        own = arithmetic.sum_of(squares, dx, terms, PLAIN_BLOCK) + 4 * arithmetic.unit * squares
        places = np.square(cotangent.value) * _of_places(layer, trace)
        own += arithmetic.unit * along_images(places, (rows > 0).T.astype(float), (columns > 0).T.astype(float))
        return BackwardError(carried + own, kink)


def _layer(trace: LayerTrace) -> FromScratch:
    layer = trace.layer
    if not isinstance(layer, FromScratch):
        raise TypeError(f"an UpSampling2D was expected, got {type(layer).__name__}")
    return layer


def _arithmetic(rounding: Rounding) -> Rounding:
    """TensorFlow interpolates in float32, in float64 networks too (core/kernels/image/resize_bilinear_op.cc)."""
    single = Rounding.of("float32")
    return single if single.unit > rounding.unit else rounding


def _of_places(layer: FromScratch, trace: LayerTrace) -> Array:
    """Errors of a share in rounding variances, times 2 for (b - a)**2 <= 2 (a**2 + b**2); (1, h, w, 1) of y.

    The place (i + 0.5) / times - 0.5 has three roundings of a number up to its size; powers of two leave none.
    """

    def along(cells: int, times: int) -> Array:
        exact = times & (times - 1) == 0
        return np.zeros(cells) if exact else 6 * np.square((np.arange(cells) + 0.5) / times)

    _, height, width, _ = trace.y.shape
    down, across = layer.spec.size
    return (along(height, down)[:, None] + along(width, across))[None, :, :, None]


def draw(some: Some, shape: Shape) -> UpSampling2D:
    """Up to three times as high and wide, where the image stays small; interpolated now and then."""
    size = (some.integer(1, 3), some.integer(1, 3))
    interpolation = "bilinear" if some.rarely() else "nearest"
    return UpSampling2D(size if element_count(shape) * math.prod(size) <= _CELLS else (1, 1), interpolation)
