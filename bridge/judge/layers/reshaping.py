"""Rounding in layers that move values (Reshape, Flatten, ZeroPadding2D) or scale them (Rescaling, Dropout)."""

from __future__ import annotations

import numpy as np

from bridge.judge.layers.form import Some
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from model_spec import Dropout, Rescaling, Reshape, ZeroPadding2D
from model_spec.shapes import Shape

_CELLS = 1200
"""Values of an image that padding may reach."""


class MovingRule:
    """Values only move, and so do their errors."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        return trace.run(trace.x_variance)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        return BackwardError(trace.pull(cotangent.variance), trace.pull(cotangent.kink))


class ScalingRule:
    """Each value is multiplied by a known number (Dropout: 0 or 1 / (1 - rate)), and perhaps shifted."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        factor = trace.pull(np.ones_like(trace.y))
        if trace.y is trace.x:
            return trace.x_variance
        # The factor itself is rounded, and so are product and sum
        local = 2 * np.square(factor * trace.x) + np.square(trace.y)
        return np.square(factor) * trace.x_variance + rounding.unit * local

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        factor = np.square(trace.pull(np.ones_like(trace.y)))
        local = 0.0 if trace.y is trace.x else 2 * rounding.unit * np.square(dx)
        return BackwardError(factor * cotangent.variance + local, factor * cotangent.kink)


def draw_reshape(some: Some, shape: Shape) -> Reshape:
    """The same values in another shape: axes swap lengths or join, a row becomes an image or steps, or all a row."""
    if len(shape) == 1:
        return Reshape(some.of(((shape[0], 1, 1), (1, 1, shape[0]), (1, -1, 1), (-1, 1))))
    if len(shape) == 2:
        return Reshape(some.of((shape[::-1], (1, *shape), (*shape, 1), (-1,))))
    height, width, channels = shape
    return Reshape(
        some.of(((width, height, channels), (height, channels, width), (height * width, 1, channels), (-1,)))
    )


def draw_zero_padding(some: Some, shape: Shape) -> ZeroPadding2D:
    """Up to two cells on each side, none where the image is large."""
    (top, bottom, left, right) = (some.integer(0, 2) for _ in range(4))
    if (shape[0] + top + bottom) * (shape[1] + left + right) * shape[2] > _CELLS:
        return ZeroPadding2D(((0, 0), (0, 0)))
    return ZeroPadding2D(((top, bottom), (left, right)))


def draw_rescaling(some: Some, shape: Shape) -> Rescaling:
    """Factors that are and are not powers of two; one kind is different in each channel."""
    each = tuple(0.1 * (1 + channel) for channel in range(shape[-1]))
    return Rescaling(some.of((0.5, -1.0, 2.0, 1 / 255, each)), some.of((0.0, 0.5, -0.3)))


def draw_dropout(some: Some, shape: Shape) -> Dropout:
    """Rates from 0 to 0.7; now and then one mask for whole channels."""
    rate = some.of((0.5, 0.0, 0.25, 0.1, 0.7))
    return Dropout(rate, (None, *[1] * (len(shape) - 1), None) if some.rarely() else None)
