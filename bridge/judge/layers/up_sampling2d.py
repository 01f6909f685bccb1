"""UpSampling2D: rounding of repeated values and of their gradients' sums, and random drawing."""

from __future__ import annotations

import math

import numpy as np

from bridge.judge.layers.form import Some
from bridge.judge.rounding import PLAIN_BLOCK, BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from model_spec import UpSampling2D
from model_spec.shapes import Shape, element_count

_CELLS = 1200
"""Values of an image that repeating may reach."""


class RepeatingRule:
    """y is x, repeated; dx is the sum of the copies' gradients."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        return trace.run(trace.x_variance)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        copies = math.prod(trace.layer.spec.size)  # type: ignore[attr-defined]
        # Gradients of copies may be computed alike and err alike: var(sum) is at most copies * sum(var)
        carried, kink = (copies * trace.pull(of) for of in (cotangent.variance, cotangent.kink))
        own = rounding.sum_of(trace.pull(np.square(cotangent.value)), dx, copies, PLAIN_BLOCK)
        return BackwardError(carried + own, kink)


def draw(some: Some, shape: Shape) -> UpSampling2D:
    """Up to three times as high and wide, where the image stays small."""
    size = (some.integer(1, 3), some.integer(1, 3))
    return UpSampling2D(size if element_count(shape) * math.prod(size) <= _CELLS else (1, 1))
