"""ELU: rounding of the exponential and of its product, the kink at zero, and random drawing."""

from __future__ import annotations

import numpy as np

from bridge.judge.layers.form import Some
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from model_spec import ELU
from model_spec.shapes import Shape


class ELURule:
    """y = x where x > 0, else alpha (exp(x) - 1); the slope is 1, or alpha exp(x)."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        alpha, slope = self._slope(trace)
        unsure = rounding.uncertain(trace.x, trace.x_variance)
        carried = np.where(unsure, max(1.0, alpha**2), np.square(slope)) * trace.x_variance
        # exp(x) - 1 is within two units of 1, in whatever form
        return carried + (rounding.function(np.full_like(slope, alpha)) + rounding.unit * alpha**2) * (trace.x <= 0)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        alpha, slope = self._slope(trace)
        unsure = rounding.uncertain(trace.x, trace.x_variance)
        own = np.square(slope) * trace.x_variance + rounding.function(np.full_like(slope, alpha))
        moved = np.square(cotangent.value) * own * (trace.x <= 0) + 3 * rounding.unit * np.square(dx)
        kink = np.square(slope) * cotangent.kink + np.where(unsure, np.square((1 - alpha) * cotangent.value), 0)
        return BackwardError(np.square(slope) * cotangent.variance + moved, kink, uncertain=int(unsure.sum()))

    @staticmethod
    def _slope(trace: LayerTrace) -> tuple[float, Array]:
        alpha = trace.layer.spec.alpha  # type: ignore[attr-defined]
        return alpha, np.where(trace.x > 0, 1.0, alpha * np.exp(np.minimum(trace.x, 0)))


def draw(some: Some, shape: Shape) -> ELU:
    """Limits below and above that of Keras' own."""
    return ELU(some.of((0.5, 1.0, 2.0, 0.1)))
