"""Rounding in Dense and Conv2D: the layer itself, run on squares, adds up the squares of its products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.judge.repeats import ColumnGroups, RowGroups
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array

_LOOKS = 64
"""Places in a batch where the partial sums of a kernel's gradient are looked at."""


def rounded_products(rounding: Rounding, trace: LayerTrace, length: int) -> Array:
    """The variance of y = sum(x k) + bias, sums of so many products."""
    squared = {"kernel": np.square(trace.params["kernel"])}
    has_bias = "bias" in trace.params
    total = trace.y - trace.params["bias"] if has_bias else trace.y
    # var(y) = sum(var(x) k**2) + what the sum of products collects + the rounding of adding the bias
    carried = trace.run(trace.x_variance, squared)
    squares = trace.run(np.square(trace.x), squared)
    added = rounding.unit * np.square(trace.y) if has_bias else 0.0
    return carried + rounding.sum_of(squares, total, length) + added


class LinearRule:
    """y = sum(x k) + bias."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        kernel = trace.params["kernel"]
        return rounded_products(rounding, trace, kernel.size // kernel.shape[-1])

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        layer, kernel, dy = trace.layer, trace.params["kernel"], cotangent.value
        squared = {name: np.square(value) for name, value in trace.params.items()}
        _, cache = layer.forward(trace.params, trace.state, trace.x, trace.context)
        _, of_squares = layer.forward(squared, trace.state, np.square(trace.x), trace.context)
        _, of_variance = layer.forward(squared, trace.state, trace.x_variance, trace.context)
        # With every factor squared, backward gives sum(k**2 v) for x, sum(x**2 v) for the kernel, sum(v) for the bias
        carried_dx, carried = layer.backward(squared, of_squares, cotangent.variance)
        squares_dx, squares = layer.backward(squared, of_squares, np.square(dy))
        if cotangent.kink.any():
            kink_dx, kinks = layer.backward(squared, of_squares, cotangent.kink)
        else:
            kink_dx, kinks = np.zeros_like(dx), {name: np.zeros_like(value) for name, value in carried.items()}
        _, from_x = layer.backward(squared, of_variance, np.square(dy), need_dx=False)
        rows, gradients = cache.rows, dy.reshape(-1, dy.shape[-1])
        repeats = Repeats.of(rows, of_variance.rows, gradients)
        collected = {
            "kernel": rounding.running_sum(
                squares["kernel"], partial_products(rows, gradients).reshape(kernel.shape), repeats.drifting
            ),
            "bias": rounding.column_sum(gradients, ColumnGroups.of(gradients).drifting(gradients)),
        }
        variances = {}
        for name in trace.params:
            grouped = repeats.carried(name, cotangent.variance)
            variances[name] = greater(carried[name], grouped) + collected[name]
            kinks[name] = greater(kinks[name], repeats.carried(name, cotangent.kink))
        variances["kernel"] = variances["kernel"] + greater(from_x["kernel"], repeats.from_x())
        # dx sums over every filter and window cell
        local = rounding.sum_of(np.asarray(squares_dx), dx, kernel.size // kernel.shape[-2])
        return BackwardError(np.asarray(carried_dx) + local, np.asarray(kink_dx), variances, kinks)


def greater(independent: Array, grouped: Array | None) -> Array:
    """The greater of the variance of independent errors and that of errors which are equal in groups, if any are."""
    return independent if grouped is None else np.maximum(independent, grouped.reshape(independent.shape))


def partial_products(rows: Array, gradients: Array) -> Array:
    """Mean square of the partial sums of ``rows.T @ gradients``, looked at now and then; (inputs, units)."""
    looks = min(len(rows), _LOOKS)
    running = np.zeros((rows.shape[1], gradients.shape[1]))
    squared = np.zeros_like(running)
    for part, gradient in zip(np.array_split(rows, looks), np.array_split(gradients, looks), strict=True):
        # (positions, inputs), (positions, units) -> (inputs, units)
        running += part.T @ gradient
        squared += np.square(running)
    return squared / looks


@dataclass(frozen=True)
class Repeats:
    """Positions with equal inputs, with equal gradients, and with both.

    Attributes:
        x, x_variance: (positions, inputs).
        dy: (positions, units).
        of_x, of_dy: which rows of them are equal.
        drifting: of the terms of the kernel's gradient; see ``Rounding.running_sum``.
    """

    x: Array
    x_variance: Array
    dy: Array
    of_x: RowGroups
    of_dy: RowGroups
    drifting: float

    @classmethod
    def of(cls, x: Array, x_variance: Array, dy: Array) -> Repeats:
        of_x, of_dy = RowGroups.of(x), RowGroups.of(dy)
        added = x.any(axis=1) & dy.any(axis=1)
        drifting = RowGroups.of(x[added], dy[added]).drifting
        return cls(x, x_variance, dy, of_x, of_dy, drifting)

    def carried(self, name: str, variance: Array) -> Array | None:
        """Variance that errors of dy bring into the gradient of a parameter, those of equal rows being equal."""
        if not self.of_dy.repeats:
            return None
        each = self.of_dy.means(variance.reshape(self.dy.shape))
        factors = self.x if name == "kernel" else np.ones((len(self.dy), 1))
        return np.square(self.of_dy.sums(factors)).T @ each

    def from_x(self) -> Array | None:
        """Variance that errors of x bring into the kernel's gradient, those of equal rows being equal."""
        if not self.of_x.repeats:
            return None
        return self.of_x.means(self.x_variance).T @ np.square(self.of_x.sums(self.dy))
