"""LeakyReLU: rounding of the product with the slope, the kink at zero, and random drawing."""

from __future__ import annotations

import numpy as np

from bridge.judge.layers.form import Some
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from model_spec import LeakyReLU
from model_spec.shapes import Shape


class LeakyReLURule:
    """y = x where x > 0, else slope x."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        slope = trace.layer.spec.negative_slope  # type: ignore[attr-defined]
        unsure = rounding.uncertain(trace.x, trace.x_variance)
        carried = np.where(trace.x > 0, 1.0, slope**2)
        carried = np.where(unsure, max(1.0, slope**2), carried)
        # A product where x is negative
        return carried * trace.x_variance + rounding.unit * np.square(trace.y) * (trace.x < 0)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        slope = trace.layer.spec.negative_slope  # type: ignore[attr-defined]
        squared = np.where(trace.x > 0, 1.0, slope**2)
        unsure = rounding.uncertain(trace.x, trace.x_variance)
        kink = squared * cotangent.kink + np.where(unsure, np.square((1 - slope) * cotangent.value), 0)
        variance = squared * cotangent.variance + rounding.unit * np.square(dx)
        return BackwardError(variance, kink, uncertain=int(unsure.sum()))


def draw(some: Some, shape: Shape) -> LeakyReLU:
    """Keras' own slope and others, steeper than 1 among them."""
    return LeakyReLU(some.of((0.3, 0.01, 0.1, 1.5, 0.0)))
