"""Rounding in poolings: the winner's error goes on, and where two cells are close either may win (a TIE)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from bridge.judge.layers.form import Some, draw_window
from bridge.judge.repeats import ColumnGroups
from bridge.judge.rounding import PLAIN_BLOCK, SAFETY, BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from core_numpy.ops.pooling import average_pooling2d, average_pooling2d_backward, counted_cells
from model_spec.layers.pooling import Pooling2D
from model_spec.shapes import Shape


class MaxPoolingRule:
    """y = max(x) over each window."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        windows = trace.layer.windows(trace.x)  # type: ignore[attr-defined]
        padded, padded_variance = windows.pad(trace.x, -np.inf), windows.pad(trace.x_variance)
        largest = np.zeros_like(trace.y)
        for _, _, seen in windows.taps():
            near = trace.y - padded[seen] < SAFETY * np.sqrt(2 * padded_variance[seen])
            largest = np.maximum(largest, np.where(near, padded_variance[seen], 0))
        return largest

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        windows = trace.layer.windows(trace.x)  # type: ignore[attr-defined]
        padded, padded_variance = windows.pad(trace.x, -np.inf), windows.pad(trace.x_variance)
        close = []
        for _, _, seen in windows.taps():
            reach = SAFETY * np.sqrt(padded_variance[seen] + trace.y_variance)
            close.append(trace.y - padded[seen] <= reach)
        tied = np.sum(close, axis=0) > 1
        possible = np.zeros_like(padded)
        for (_, _, seen), near in zip(windows.taps(), close, strict=True):
            possible[seen] += np.where(near & tied, np.square(cotangent.value), 0)
        kink = trace.pull(cotangent.kink) + windows.crop(possible)
        # A cell that wins several overlapping windows adds up their gradients; the order is each implementation's own
        overlapping = math.prod(-(-windows.window[axis] // windows.strides[axis]) for axis in (0, 1))
        carried = trace.pull(cotangent.variance)
        if overlapping > 1:
            carried = carried + rounding.sum_of(trace.pull(np.square(cotangent.value)), dx, overlapping, PLAIN_BLOCK)
        return BackwardError(carried, kink, uncertain=int(tied.sum()))


class AveragePoolingRule:
    """y = sum(x) / count over the real cells of each window."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        windows = trace.layer.windows(trace.x)  # type: ignore[attr-defined]
        counts = counted_cells(windows, trace.x.dtype)
        # sum(var) / count**2, and the same for the squares of the terms
        carried = average_pooling2d(trace.x_variance, windows) / counts
        squares = average_pooling2d(np.square(trace.x), windows) / counts
        cells = windows.window[0] * windows.window[1]
        return carried + rounding.sum_of(squares, trace.y, cells, PLAIN_BLOCK) + rounding.unit * np.square(trace.y)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        windows = trace.layer.windows(trace.x)  # type: ignore[attr-defined]
        counts = counted_cells(windows, trace.x.dtype)
        cells = windows.window[0] * windows.window[1]
        squares = average_pooling2d_backward(np.square(cotangent.value) / counts, windows)
        carried = average_pooling2d_backward(cotangent.variance / counts, windows)
        kink = average_pooling2d_backward(cotangent.kink / counts, windows)
        return BackwardError(carried + rounding.sum_of(squares, dx, cells, PLAIN_BLOCK), kink)


class GlobalAveragePoolingRule:
    """y = mean(x) over the image."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        cells = trace.x.shape[1] * trace.x.shape[2]
        # (n, h, w, c) -> (h * w, n * c)
        columns, variances = (
            value.reshape(len(value), cells, -1).transpose(1, 0, 2).reshape(cells, -1)
            for value in (trace.x, trace.x_variance)
        )
        groups = ColumnGroups.of(columns)
        carried, own = (
            value.reshape(trace.y.shape)
            for value in (groups.carried(variances), rounding.column_sum(columns, groups.drifting(columns)))
        )
        return (carried + own) / cells**2 + rounding.unit * np.square(trace.y)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        cells = trace.x.shape[1] * trace.x.shape[2]
        # (n, c) -> (n, h, w, c)
        carried = np.broadcast_to(_of_images(cotangent.variance) / cells**2, dx.shape)
        kink = np.broadcast_to(_of_images(cotangent.kink) / cells**2, dx.shape)
        return BackwardError(carried + 2 * rounding.unit * np.square(dx), kink)


class GlobalMaxPoolingRule:
    """y = max(x) over the image; exact equals share the gradient."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        near = _of_images(trace.y) - trace.x < SAFETY * np.sqrt(2 * trace.x_variance)
        return np.asarray(np.where(near, trace.x_variance, 0).max(axis=(1, 2)).reshape(trace.y.shape))

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        y, dy, kink = (_of_images(value) for value in (trace.y, cotangent.value, cotangent.kink))
        reach = SAFETY * np.sqrt(trace.x_variance + _of_images(trace.y_variance))
        near = y - trace.x <= reach
        tied = near & (near.sum(axis=(1, 2), keepdims=True) > 1)
        possible = np.where(tied, np.square(dy), 0) + np.where(near, kink, 0)
        share = np.where(near, _of_images(cotangent.variance), 0)
        uncertain = int(tied.any(axis=(1, 2)).sum())
        return BackwardError(share + rounding.unit * np.square(dx), possible, uncertain=uncertain)


def _of_images(pooled: Array) -> Array:
    """One value a channel, (n, c) or (n, 1, 1, c), as (n, 1, 1, c)."""
    return pooled.reshape(len(pooled), 1, 1, -1)


def drawing(kind: type[Pooling2D]) -> Callable[[Some, Shape], Pooling2D]:
    """Draws a pooling over windows of this kind."""

    def draw(some: Some, shape: Shape) -> Pooling2D:
        window, padding = draw_window(some, shape)
        strides = None if some.boolean() else (some.integer(1, 3), some.integer(1, 3))
        return kind(window, strides, padding)

    return draw
