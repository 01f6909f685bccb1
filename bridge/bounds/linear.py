"""Rounding in Dense and Conv2D: the layer itself, run on squares, adds up the squares of its products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bridge.bounds.repeats import ColumnGroups, RowGroups
from bridge.bounds.rounding import (
    PLAIN_BLOCK,
    PRODUCT_EQUAL_BLOCK,
    Cotangent,
    Pulled,
    Rounding,
    Site,
)
from core_numpy.contract import Array


class LinearRule:
    """y = sum(x k) + bias."""

    def forward(self, rounding: Rounding, site: Site) -> Array:
        kernel = site.params["kernel"]
        squared = {"kernel": np.square(kernel)}
        has_bias = "bias" in site.params
        total = site.y - site.params["bias"] if has_bias else site.y
        # var(y) = sum(var(x) k**2) + what the sum of products collects + the rounding of adding the bias
        carried = site.run(site.x_variance, squared)
        squares = site.run(np.square(site.x), squared)
        added = rounding.unit * np.square(site.y) if has_bias else 0.0
        return carried + rounding.sum_of(squares, total, kernel.size // kernel.shape[-1]) + added

    def backward(self, rounding: Rounding, site: Site, cotangent: Cotangent, dx: Array) -> Pulled:
        layer, kernel, dy = site.layer, site.params["kernel"], cotangent.value
        squared = {name: np.square(value) for name, value in site.params.items()}
        _, cache = layer.forward(site.params, site.state, site.x, site.context)
        _, of_squares = layer.forward(squared, site.state, np.square(site.x), site.context)
        _, of_variance = layer.forward(squared, site.state, site.x_variance, site.context)
        # With every factor squared, backward gives sum(k**2 v) for x, sum(x**2 v) for the kernel, sum(v) for the bias
        carried_dx, carried = layer.backward(squared, of_squares, cotangent.variance)
        squares_dx, squares = layer.backward(squared, of_squares, np.square(dy))
        if cotangent.kink.any():
            kink_dx, kinks = layer.backward(squared, of_squares, cotangent.kink)
        else:
            kink_dx, kinks = np.zeros_like(dx), {name: np.zeros_like(value) for name, value in carried.items()}
        _, from_x = layer.backward(squared, of_variance, np.square(dy), need_dx=False)
        _, totals = layer.backward(site.params, cache, dy, need_dx=False)
        repeats = _Repeats.of(_rows(cache, kernel), _rows(of_variance, kernel), dy.reshape(-1, dy.shape[-1]))
        positions = dy.size // dy.shape[-1]
        variances = {}
        for name in site.params:
            reached = np.sqrt(_greater(np.square(totals[name]), repeats.partial_sums(name)))
            # TensorFlow's filter gradient is no blocked product: it adds position after position (measured: 150 u of
            # the total over 18432 positions)
            own = rounding.sum_of(squares[name], reached, positions, PLAIN_BLOCK, repeats.equal[name])
            grouped = repeats.carried(name, cotangent.variance)
            variances[name] = _greater(carried[name], grouped) + own
            kinks[name] = _greater(kinks[name], repeats.carried(name, cotangent.kink))
        variances["kernel"] = variances["kernel"] + _greater(from_x["kernel"], repeats.from_x())
        # dx sums over every filter and window cell
        local = rounding.sum_of(np.asarray(squares_dx), dx, kernel.size // kernel.shape[-2])
        return Pulled(np.asarray(carried_dx) + local, np.asarray(kink_dx), variances, kinks)


def _greater(independent: Array, grouped: Array | None) -> Array:
    return independent if grouped is None else np.maximum(independent, grouped.reshape(independent.shape))


def _rows(cache: Any, kernel: Array) -> Array:
    """What a layer's kernel is multiplied with: windows of Conv2D, rows of Dense, (positions, inputs)."""
    inputs = cache[0] if isinstance(cache, tuple) else cache
    return np.asarray(inputs).reshape(-1, kernel.size // kernel.shape[-1])


@dataclass(frozen=True)
class _Repeats:
    """Positions with equal inputs, with equal gradients, and with both.

    Attributes:
        x, x_variance: (positions, inputs).
        dy: (positions, units).
        of_x, of_dy: which rows of them are equal.
        equal: the largest number of equal terms in the sums of each parameter's gradient.
    """

    x: Array
    x_variance: Array
    dy: Array
    of_x: RowGroups
    of_dy: RowGroups
    equal: dict[str, Array]

    @classmethod
    def of(cls, x: Array, x_variance: Array, dy: Array) -> _Repeats:
        of_x, of_dy = RowGroups.of(x), RowGroups.of(dy)
        both = RowGroups.of(x, dy)
        equal = {
            "kernel": np.asarray(min(both.sizes.max(), PRODUCT_EQUAL_BLOCK)),
            "bias": ColumnGroups.of(dy).largest,
        }
        return cls(x, x_variance, dy, of_x, of_dy, equal)

    def carried(self, name: str, variance: Array) -> Array | None:
        """Variance that errors of dy bring into the gradient of a parameter, those of equal rows being equal."""
        if not self.of_dy.repeats:
            return None
        each = self.of_dy.means(variance.reshape(self.dy.shape))
        factors = self.x if name == "kernel" else np.ones((len(self.dy), 1))
        return np.square(self.of_dy.sums(factors)).T @ each

    def partial_sums(self, name: str) -> Array | None:
        """Sum of squares of what equal rows of dy add up to: partial sums reach it, whatever is left in the end."""
        return self.carried(name, np.square(self.dy))

    def from_x(self) -> Array | None:
        """Variance that errors of x bring into the kernel's gradient, those of equal rows being equal."""
        if not self.of_x.repeats:
            return None
        return self.of_x.means(self.x_variance).T @ np.square(self.of_x.sums(self.dy))
