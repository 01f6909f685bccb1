"""PReLU: rounding of values, gradients and slopes, and random drawing."""

from __future__ import annotations

import numpy as np

from bridge.judge.layers.form import PENALTIES, Some
from bridge.judge.repeats import ColumnGroups
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from model_spec import PReLU
from model_spec.shapes import Shape


class PReLURule:
    """y = max(x, 0) + alpha min(x, 0)."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        # A product where x is negative; near 0 either slope may carry the error on
        own = rounding.unit * np.square(trace.y) * (trace.x < 0)
        return self._squared_slope(rounding, trace) * trace.x_variance + own

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        alpha, dy, low = trace.params["alpha"], cotangent.value, np.minimum(trace.x, 0)
        unsure = rounding.uncertain(trace.x, trace.x_variance)
        # Slopes of 1, alpha, and 0 at 0 itself
        jump = np.square(np.maximum(np.maximum(1, np.abs(alpha)), np.abs(1 - alpha)) * dy)
        slope = self._squared_slope(rounding, trace)
        shared = [axis for axis, size in enumerate(alpha.shape, start=1) if size == 1]

        def columns(value: Array) -> Array:
            # (n, ...) -> (n * shared positions, slopes)
            return np.moveaxis(value, shared, range(1, len(shared) + 1)).reshape(-1, alpha.size)

        terms, of_dy, of_x = columns(dy * low), ColumnGroups.of(columns(dy)), ColumnGroups.of(columns(trace.x))
        moved = trace.x_variance * ((trace.x < 0) | unsure)
        carried = of_dy.carried(columns(cotangent.variance), columns(low)) + of_x.carried(columns(moved), columns(dy))
        own = rounding.column_sum(terms, np.minimum(of_dy.drifting(terms), of_x.drifting(terms)))
        kink = of_dy.carried(columns(cotangent.kink), columns(low))
        return BackwardError(
            slope * cotangent.variance + rounding.unit * np.square(dx),
            slope * cotangent.kink + np.where(unsure, jump, 0),
            {"alpha": (carried + own).reshape(alpha.shape)},
            {"alpha": kink.reshape(alpha.shape)},
            uncertain=int(unsure.sum()),
        )

    @staticmethod
    def _squared_slope(rounding: Rounding, trace: LayerTrace) -> Array:
        """The square of the slope that carries errors on, the steeper one where x may lie on either side of 0."""
        squared = np.broadcast_to(np.square(trace.params["alpha"]), trace.x.shape)
        unsure = rounding.uncertain(trace.x, trace.x_variance)
        return np.where(unsure, np.maximum(squared, 1), np.where(trace.x > 0, 1, squared))


def draw(some: Some, shape: Shape) -> PReLU:
    """Slopes of their own for every value, for every channel, or one for all."""
    shared = some.of((None, tuple(range(1, len(shape))) or None, tuple(range(1, len(shape) + 1))))
    return PReLU(some.of(("zeros", "random_uniform")), some.of(PENALTIES), shared, trainable=not some.rarely())
