"""Rounding in Normalization: a difference and a quotient with given numbers, and random drawing."""

from __future__ import annotations

import numpy as np

from bridge.judge.layers.form import Some
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from model_spec import Normalization
from model_spec.shapes import Shape


class NormalizationRule:
    """y = (x - mean) f, f = 1 / deviation."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        factor = np.square(trace.pull(np.ones_like(trace.y)))
        # The difference, the root, the quotient, or a product with a rounded quotient
        return np.asarray(factor * trace.x_variance + 4 * rounding.unit * np.square(trace.y))

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        factor = np.square(trace.pull(np.ones_like(trace.y)))
        return BackwardError(factor * cotangent.variance + 3 * rounding.unit * np.square(dx), factor * cotangent.kink)


def draw(some: Some, shape: Shape) -> Normalization:
    """Along the channels, for all values at once, or for each place."""
    return Normalization(some.of((-1, None, tuple(range(1, len(shape) + 1)))))
