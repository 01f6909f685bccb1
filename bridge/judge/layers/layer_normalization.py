"""Rounding in LayerNormalization: the statistics of an example carry the errors of all its values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bridge.judge.layers.form import Some
from bridge.judge.repeats import ColumnGroups
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Mode, Rounding
from core_numpy.contract import Array
from core_numpy.layers.layer_normalization import LayerNormalization as FromScratch
from model_spec import Activation, LayerNormalization
from model_spec.shapes import Shape, element_count


class Columns:
    """Values as a matrix: a column for each group along these axes, (values, groups)."""

    def __init__(self, shape: Shape, axes: Shape) -> None:
        self.shape, self.axes = shape, axes
        self.others = tuple(axis for axis in range(len(shape)) if axis not in axes)
        self.groups = int(np.prod([shape[axis] for axis in self.others]))

    def of(self, value: Array) -> Array:
        """(n, ...) -> (values, groups)."""
        return value.transpose(*self.axes, *self.others).reshape(-1, self.groups)

    def each(self, value: Array) -> Array:
        """(groups,) -> the shape of x with 1 along the axes of a group."""
        return value.reshape([1 if axis in self.axes else size for axis, size in enumerate(self.shape)])

    def back(self, value: Array) -> Array:
        """(values, groups) -> (n, ...)."""
        order = (*self.axes, *self.others)
        return value.reshape([self.shape[axis] for axis in order]).transpose(np.argsort(order))


class _Columns(Columns):
    """One layer's values, a column for each group that is normalized together."""

    def __init__(self, trace: LayerTrace) -> None:
        layer: FromScratch = trace.layer  # type: ignore[assignment]
        _, cache = layer.forward(trace.params, trace.state, trace.x, trace.context)
        super().__init__(trace.x.shape, layer.spec.axes(trace.x.ndim))
        ones = np.ones([self.shape[axis] for axis in self.axes])
        gamma = layer.along_axes(trace.params.get("gamma", ones), trace.x.ndim)
        self.x, self.normalized = self.of(trace.x), self.of(cache.normalized)
        self.gamma = self.of(np.broadcast_to(gamma, self.shape))
        # (n, ..., 1) -> (groups,)
        self.inverse, self.mean = cache.inverse.reshape(-1), cache.mean.reshape(-1)


class _Sums(NamedTuple):
    """The sums of a group that its dx is taken by, with what they are sums of; matrices are (values, groups).

    Attributes:
        scaled: dy gamma.
        scaled_variance: of its error.
        of_normalized: variance of the error of the normalized values.
        shared: sum(scaled), one for each group.
        shared_variance: of its error.
        along: sum(scaled normalized), one for each group.
        along_variance: of its error.
    """

    scaled: Array
    scaled_variance: Array
    of_normalized: Array
    shared: Array
    shared_variance: Array
    along: Array
    along_variance: Array


class LayerNormalizationRule:
    """y = (x - mean) s + beta, s = gamma / sqrt(variance + epsilon), mean and variance of the group itself."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        of = _Columns(trace)
        variance = of.of(trace.x_variance)
        beta = trace.params.get("beta", np.zeros(1)).reshape(-1, 1)
        # Computed as x s + (beta - mean s): the parts may cancel, and each of them is rounded
        own = np.square(of.gamma) * self._rounded(of) + 2 * np.square(of.of(trace.y)) + 2 * np.square(beta)
        return of.back(np.square(of.gamma) * self._normalized(rounding, of, variance) + rounding.unit * own)

    @staticmethod
    def _rounded(of: _Columns) -> Array:
        """Squares of what is rounded on the way to the normalized value, the root and its argument among them."""
        return 4 * np.square(of.x * of.inverse) + 4 * np.square(of.mean * of.inverse) + 8 * np.square(of.normalized)

    def _normalized(self, rounding: Rounding, of: _Columns, variance: Array) -> Array:
        """Variance that x, mean and deviation carry into the normalized values."""
        groups = ColumnGroups.of(of.x)
        of_mean = self._mean(rounding, of, groups, variance)
        relative = self._deviation(rounding, of, groups, variance)
        return np.square(of.inverse) * (variance + of_mean) + np.square(of.normalized) * relative

    @staticmethod
    def _mean(rounding: Rounding, of: _Columns, groups: ColumnGroups, variance: Array) -> Array:
        """Variance of each group's mean."""
        return (groups.carried(variance) + rounding.column_sum(of.x, groups.drifting(of.x))) / len(of.x) ** 2

    @staticmethod
    def _deviation(rounding: Rounding, of: _Columns, groups: ColumnGroups, variance: Array) -> Array:
        """Relative variance of sqrt(var + epsilon): a fourth of that of its square."""
        centred = of.x - of.mean
        carried = groups.carried(variance, 2 * centred)
        collected = rounding.column_sum(np.square(centred), groups.drifting(centred))
        own = (carried + collected) / len(centred) ** 2 + rounding.moments(of.x, groups.drifting(of.x))
        return own * of.inverse**4 / 4

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        of = _Columns(trace)
        dy, variance, kink = of.of(cotangent.value), of.of(cotangent.variance), of.of(cotangent.kink)
        x_variance = of.of(trace.x_variance)
        sums = self._sums(rounding, trace, cotangent, of)
        of_normalized, scaled, scaled_variance = sums.of_normalized, sums.scaled, sums.scaled_variance
        by_scaled, by_x = ColumnGroups.of(scaled), ColumnGroups.of(of.normalized)
        shared, along, count = sums.shared, sums.along, len(scaled)
        # dx = inverse (scaled - (sum(scaled) + normalized sum(scaled normalized)) / count)
        parts = (
            sums.shared_variance + np.square(of.normalized) * sums.along_variance + of_normalized * np.square(along)
        ) / count**2
        local = 4 * np.square(scaled) + 4 * (np.square(shared) + np.square(of.normalized * along)) / count**2
        relative = self._deviation(rounding, of, by_x, x_variance)
        squared = np.square(of.inverse)
        carried = squared * (scaled_variance + parts + rounding.unit * local) + np.square(of.of(dx)) * relative
        scaled_kink = np.square(of.gamma) * kink
        kinks = by_scaled.carried(scaled_kink) + np.square(of.normalized) * by_scaled.carried(
            scaled_kink, of.normalized
        )
        variances, parameter_kinks = self._parameters(rounding, trace, of, of_normalized, (dy, variance, kink))
        return BackwardError(
            of.back(carried), of.back(squared * (scaled_kink + kinks / count**2)), variances, parameter_kinks
        )

    def _sums(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, of: _Columns) -> _Sums:
        of_normalized = self._normalized(rounding, of, of.of(trace.x_variance)) + rounding.unit * self._rounded(of)
        scaled = of.of(cotangent.value) * of.gamma
        scaled_variance = np.square(of.gamma) * of.of(cotangent.variance) + rounding.unit * np.square(scaled)
        by_scaled, by_x = ColumnGroups.of(scaled), ColumnGroups.of(of.normalized)
        drifting = by_scaled.drifting(scaled)
        own = rounding.column_sum(scaled, drifting)
        along_variance = (
            by_scaled.carried(scaled_variance, of.normalized)
            + by_x.carried(of_normalized, scaled)
            + rounding.column_sum(scaled * of.normalized, drifting)
            # Some implementations sum dy * x, and take mean * sum(dy) off afterwards
            + 2 * np.square(of.mean * of.inverse) * own
        )
        return _Sums(
            scaled,
            scaled_variance,
            of_normalized,
            scaled.sum(axis=0),
            by_scaled.carried(scaled_variance) + own,
            (scaled * of.normalized).sum(axis=0),
            along_variance,
        )

    def forward_modes(self, rounding: Rounding, trace: LayerTrace) -> tuple[Mode, ...]:
        """What all values of a group share: the errors of its mean and of its deviation."""
        of = _Columns(trace)
        groups, variance = ColumnGroups.of(of.x), of.of(trace.x_variance)
        relative = self._deviation(rounding, of, groups, variance)
        return (
            Mode(of.back(of.gamma * of.inverse), of.each(self._mean(rounding, of, groups, variance))),
            Mode(of.back(of.gamma * of.normalized), of.each(relative)),
        )

    def backward_modes(
        self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array
    ) -> tuple[Mode, ...]:
        """What all values of dx in a group share: the errors of both sums, and of the deviation."""
        of = _Columns(trace)
        sums = self._sums(rounding, trace, cotangent, of)
        relative = self._deviation(rounding, of, ColumnGroups.of(of.x), of.of(trace.x_variance))
        count = len(of.x)
        return (
            Mode(of.back(np.broadcast_to(of.inverse / count, of.x.shape)), of.each(sums.shared_variance)),
            Mode(of.back(of.inverse * of.normalized / count), of.each(sums.along_variance)),
            Mode(dx, of.each(relative)),
        )

    @staticmethod
    def _parameters(
        rounding: Rounding, trace: LayerTrace, of: _Columns, of_normalized: Array, gradient: tuple[Array, Array, Array]
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        # (values, groups) -> (groups, values): gamma and beta sum over the groups
        dy, variance, kink = (value.T for value in gradient)
        normalized = of.normalized.T
        by_dy, by_x = ColumnGroups.of(dy), ColumnGroups.of(normalized)
        own = rounding.column_sum(dy, by_dy.drifting(dy))
        scale = np.square(of.mean * of.inverse).max()
        found = {
            "beta": by_dy.carried(variance) + own,
            "gamma": by_dy.carried(variance, normalized)
            + by_x.carried(np.ascontiguousarray(of_normalized.T), dy)
            + rounding.column_sum(dy * normalized, by_dy.drifting(dy))
            + 2 * scale * own,
        }
        kinks = {"beta": by_dy.carried(kink), "gamma": by_dy.carried(kink, normalized)}
        shapes = {name: value.shape for name, value in trace.params.items()}
        return (
            {name: found[name].reshape(shape) for name, shape in shapes.items()},
            {name: kinks[name].reshape(shape) for name, shape in shapes.items()},
        )


def draw(some: Some, shape: Shape) -> LayerNormalization | Activation:
    """Over the channels, over whole examples, or over one axis, where that leaves anything but 0, 1 and -1."""
    whole = tuple(range(1, len(shape) + 1)) if len(shape) > 1 else 1
    axes = [axis for axis, size in ((-1, shape[-1]), (whole, element_count(shape)), (1, shape[0])) if size > 2]
    if not axes:
        return Activation("linear")
    return LayerNormalization(
        some.of(axes),
        some.of((1e-3, 1e-2)),
        center=not some.rarely(),
        scale=not some.rarely(),
        trainable=not some.rarely(),
    )
