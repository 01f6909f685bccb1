"""Softmax along any axis: the rounding of the activation, with that axis last; and random drawing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bridge.judge.layers.activation import softmax_backward, softmax_forward
from bridge.judge.layers.form import Some
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from model_spec import Activation, Softmax
from model_spec.shapes import Shape


class SoftmaxRule:
    """y = exp(x) / sum(exp(x)) along one axis."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        axis = _axis(trace)
        return np.moveaxis(softmax_forward(rounding, _axis_last(trace, axis)), -1, axis)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        axis = _axis(trace)
        last = Cotangent(*(np.moveaxis(of, axis, -1) for of in (cotangent.value, cotangent.variance, cotangent.kink)))
        error = softmax_backward(rounding, _axis_last(trace, axis), last, np.moveaxis(dx, axis, -1))
        return BackwardError(np.moveaxis(error.variance, -1, axis), np.moveaxis(error.kink, -1, axis))


def _axis(trace: LayerTrace) -> int:
    return int(trace.layer.spec.position(trace.x.ndim))  # type: ignore[attr-defined]


def _axis_last(trace: LayerTrace, axis: int) -> LayerTrace:
    moved = {name: np.moveaxis(getattr(trace, name), axis, -1) for name in ("x", "x_variance", "y", "y_variance")}
    return replace(trace, **moved)


def draw(some: Some, shape: Shape) -> Softmax | Activation:
    """Along any axis of more than one value."""
    axes = [axis for axis in (1, -1, 2) if axis <= len(shape) and shape[axis - 1 if axis > 0 else axis] > 1]
    return Softmax(some.of(axes)) if axes else Activation("linear")
