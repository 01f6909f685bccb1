"""Rounding in merges: Add, Subtract, Multiply, Average, Maximum, Minimum and Concatenate; and random drawing.

``x``, ``x_variance`` and the errors of dx are tuples here, one array for each input. Branches of one tensor carry its
one error, so their deviations add up in absolute value; branches that have nothing with an error in common add up as
independent errors do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from bridge.judge.layers.form import Some
from bridge.judge.rounding import PLAIN_BLOCK, SAFETY, BackwardError, Cotangent, LayerTrace, Rounding, Rule
from core_numpy.contract import Array
from core_numpy.layers import merging
from model_spec.layers import Concatenate, LayerSpec
from model_spec.shapes import Shape

Parts = tuple[Array, ...]


def joined(variances: list[Array], correlated: bool) -> Array:
    """Variance of a sum of errors with these variances."""
    if not correlated:
        return np.asarray(sum(variances))
    return np.asarray(np.square(sum(np.sqrt(variance) for variance in variances)))


@dataclass(frozen=True)
class RepeatedRule:
    """The rule of a merge whose inputs may be repeated along axes of one value: that of the repeated inputs."""

    of_equal_shapes: Rule

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        return self.of_equal_shapes.forward(rounding, _repeated(trace))

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Parts) -> BackwardError:
        if all(part.shape == trace.y.shape for part in trace.x):
            return self.of_equal_shapes.backward(rounding, trace, cotangent, dx)
        repeated = _repeated(trace)
        parts: Parts = trace.layer.split(repeated.x, cotangent.value)  # type: ignore[attr-defined]
        error = self.of_equal_shapes.backward(rounding, repeated, cotangent, parts)
        variances, kinks = [], []
        for x, part, total, variance, kink in zip(trace.x, parts, dx, error.variance, error.kink, strict=True):
            copies = part.size // x.size
            # Gradients of copies may be computed alike and err alike: var(sum) is at most copies * sum(var)
            carried, switched = (copies * merging.summed(np.asarray(of), x.shape) for of in (variance, kink))
            squares = merging.summed(np.square(part), x.shape)
            own = rounding.sum_of(squares, total, copies, PLAIN_BLOCK) if copies > 1 else 0.0
            variances.append(carried + own)
            kinks.append(switched)
        return BackwardError(tuple(variances), tuple(kinks), uncertain=error.uncertain)  # type: ignore[arg-type]


def _repeated(trace: LayerTrace) -> LayerTrace:
    shape = trace.y.shape
    x, variance = (tuple(np.broadcast_to(part, shape) for part in of) for of in (trace.x, trace.x_variance))
    return replace(trace, x=x, x_variance=variance)  # type: ignore[arg-type]


class LinearMergeRule:
    """Add, Subtract and Average: a sum with fixed factors."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        count = len(trace.x)
        factor = 1 / count if isinstance(trace.layer, merging.Average) else 1.0
        carried = joined(list(trace.x_variance), trace.shares_errors) * factor**2
        # Every partial sum is rounded, none of them larger than all magnitudes together; an average divides, too
        partial = np.square(sum(np.abs(x) for x in trace.x) * factor) if count > 2 else np.square(trace.y)
        return carried + rounding.unit * ((count - 1) * partial + (factor != 1.0) * np.square(trace.y))

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Parts) -> BackwardError:
        factor = 1 / len(trace.x) if isinstance(trace.layer, merging.Average) else 1.0
        own = 2 * rounding.unit * np.square(dx[0]) if factor != 1.0 else 0.0
        count = len(trace.x)
        return BackwardError(
            (cotangent.variance * factor**2 + own,) * count,  # type: ignore[arg-type]
            (cotangent.kink * factor**2,) * count,  # type: ignore[arg-type]
        )


class MultiplyRule:
    """A product: each input's error is multiplied by all others."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        carried = [np.square(self._others(trace, at)) * variance for at, variance in enumerate(trace.x_variance)]
        return joined(carried, trace.shares_errors) + (len(trace.x) - 1) * rounding.unit * np.square(trace.y)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Parts) -> BackwardError:
        dy, count = cotangent.value, len(trace.x)
        variances, kinks = [], []
        for at in range(count):
            others = self._others(trace, at)
            carried = [np.square(others) * cotangent.variance]
            for other in range(count):
                if other != at:
                    rest = [x for place, x in enumerate(trace.x) if place not in (at, other)]
                    carried.append(np.square(reduce(np.multiply, rest, dy)) * trace.x_variance[other])
            own = (count - 1) * rounding.unit * np.square(dx[at])
            variances.append(joined(carried, trace.shares_errors) + own)
            kinks.append(np.square(others) * cotangent.kink)
        return BackwardError(tuple(variances), tuple(kinks))  # type: ignore[arg-type]

    @staticmethod
    def _others(trace: LayerTrace, at: int) -> Array:
        """The product of all inputs but one."""
        return np.asarray(reduce(np.multiply, (*trace.x[:at], *trace.x[at + 1 :])))


class ExtremeRule:
    """Maximum and Minimum: the winner's error goes on, and where two are close either may win (a TIE)."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        return np.max(np.where(self._near(trace, 0.0), trace.x_variance, 0), axis=0)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Parts) -> BackwardError:
        near = self._near(trace, trace.y_variance)
        tied = near.sum(axis=0) > 1
        variances = tuple(np.where(one, cotangent.variance, 0) for one in near)
        kinks = tuple(
            np.where(one & tied, np.square(cotangent.value), 0) + np.where(one, cotangent.kink, 0) for one in near
        )
        return BackwardError(variances, kinks, uncertain=int(tied.sum()))  # type: ignore[arg-type]

    @staticmethod
    def _near(trace: LayerTrace, more: Array | float) -> Array:
        """Which inputs (inputs, *shape) rounding may make the largest or smallest."""
        x, variance = np.array(trace.x), np.array(trace.x_variance)
        largest = variance.max(axis=0)
        return np.abs(trace.y - x) <= SAFETY * np.sqrt(variance + np.maximum(largest, more))


LINEAR, PRODUCT, EXTREME = (RepeatedRule(rule) for rule in (LinearMergeRule(), MultiplyRule(), ExtremeRule()))
"""The rules of merges value by value."""


class ConcatenateRule:
    """Values only move, and so do their errors."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        return trace.run(trace.x_variance)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Parts) -> BackwardError:
        _, cache = trace.layer.forward(trace.params, trace.state, trace.x, trace.context)
        variance, kink = (
            trace.layer.backward(trace.params, cache, of)[0] for of in (cotangent.variance, cotangent.kink)
        )
        return BackwardError(variance, kink)  # type: ignore[arg-type]


def drawing(kind: type[LayerSpec]) -> Callable[[Some, Shape], LayerSpec]:
    """Gives a merge without options."""
    return lambda some, shape: kind()


def draw_concatenate(some: Some, shape: Shape) -> Concatenate:
    """Any axis of values of this shape."""
    return Concatenate(some.integer(1, len(shape)))
