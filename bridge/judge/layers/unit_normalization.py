"""Rounding in UnitNormalization: the length of a group carries the errors of all its values."""

from __future__ import annotations

import numpy as np

from bridge.judge.layers.form import Some
from bridge.judge.layers.layer_normalization import Columns
from bridge.judge.repeats import ColumnGroups
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Mode, Rounding
from core_numpy.contract import Array
from core_numpy.layers.unit_normalization import LARGEST_INVERSE, UnitNormalizationCache
from model_spec import Activation, UnitNormalization
from model_spec.shapes import Shape, element_count

_MANY = 24
"""Values that are not all 0 by chance."""


class _Values(Columns):
    """One layer's values, a column for each group."""

    def __init__(self, trace: LayerTrace) -> None:
        super().__init__(trace.x.shape, trace.layer.spec.axes(trace.x.ndim))  # type: ignore[attr-defined]
        cache: UnitNormalizationCache
        _, cache = trace.layer.forward(trace.params, trace.state, trace.x, trace.context)
        self.x, self.y, self.x_variance = (self.of(value) for value in (trace.x, cache.y, trace.x_variance))
        # (n, ..., 1) -> (groups,)
        self.inverse = cache.inverse.reshape(-1)


class UnitNormalizationRule:
    """y = x r, r = 1 / sqrt(sum(x**2))."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        of = _Values(trace)
        own = 2 * rounding.unit * np.square(of.y)
        return of.back(np.square(of.inverse) * of.x_variance + np.square(of.y) * self._relative(rounding, of) + own)

    @staticmethod
    def _relative(rounding: Rounding, of: _Values) -> Array:
        """Relative variance of r: a fourth of that of the sum of squares, and its own rounding; a limited r has none.

        The root and the division are those of a library's rsqrt.
        """
        groups = ColumnGroups.of(of.x)
        squares = np.square(of.x)
        collected = rounding.column_sum(squares, groups.drifting(of.x))
        found = (groups.carried(of.x_variance, 2 * of.x) + collected) * of.inverse**4 / 4 + rounding.function(
            np.ones(1)
        )
        return np.where(of.inverse < LARGEST_INVERSE, found, 0.0)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        # dx = r (dy - y s), s = sum(dy y)
        of = _Values(trace)
        dy, variance, kink = (of.of(value) for value in (cotangent.value, cotangent.variance, cotangent.kink))
        along, along_variance = self._along(rounding, of, dy, variance)
        relative, squared = self._relative(rounding, of), np.square(of.inverse)
        y_variance = squared * of.x_variance + np.square(of.y) * relative
        parts = np.square(of.y) * along_variance + y_variance * np.square(along)
        # By automatic differentiation the second part is x r**3 sum(dy x): three times the relative error of r
        ratio = np.square(dy) + 9 * np.square(of.y * along)
        local = rounding.unit * (2 * np.square(dy) + 6 * np.square(of.y * along))
        carried = squared * (variance + parts + ratio * relative + local)
        kinks = kink + np.square(of.y) * ColumnGroups.of(dy).carried(kink, of.y)
        return BackwardError(of.back(carried), of.back(squared * kinks))

    @staticmethod
    def _along(rounding: Rounding, of: _Values, dy: Array, variance: Array) -> tuple[Array, Array]:
        """(s of each group, its variance without that of y, which ``backward`` carries by itself)."""
        by_dy, by_x = ColumnGroups.of(dy), ColumnGroups.of(of.x)
        found = (
            by_dy.carried(variance, of.y)
            + by_x.carried(np.square(of.inverse) * of.x_variance, dy)
            + rounding.column_sum(dy * of.y, np.minimum(by_dy.drifting(dy), by_x.drifting(of.x)))
        )
        return (dy * of.y).sum(axis=0), found

    def forward_modes(self, rounding: Rounding, trace: LayerTrace) -> tuple[Mode, ...]:
        """What all values of a group share: the error of its length."""
        of = _Values(trace)
        return (Mode(of.back(of.y), of.each(self._relative(rounding, of))),)

    def backward_modes(
        self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array
    ) -> tuple[Mode, ...]:
        """What all values of dx in a group share: the errors of the sum, and of the length."""
        of = _Values(trace)
        _, variance = self._along(rounding, of, of.of(cotangent.value), of.of(cotangent.variance))
        return (
            Mode(of.back(of.y * of.inverse), of.each(variance)),
            Mode(dx, of.each(self._relative(rounding, of))),
        )


def draw(some: Some, shape: Shape) -> UnitNormalization | Activation:
    """Over whole examples of many values: where all of them are 0, XLA's gradient is NaN (0 times infinity)."""
    if element_count(shape) < _MANY:
        return Activation("linear")
    return UnitNormalization(tuple(range(1, len(shape) + 1)))
