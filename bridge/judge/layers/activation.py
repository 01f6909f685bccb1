"""Rounding in activations: an error goes on times f'(x); dx = f'(x) dy suffers from errors of dy and of f'(x)."""

from __future__ import annotations

import numpy as np

from bridge.judge.layers.form import Some, draw_activation
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from core_numpy.ops.activations import FUNCTIONS, sigmoid
from model_spec import Activation
from model_spec.activations import LEAKY_RELU_SLOPE
from model_spec.shapes import Shape


def _softmax_forward(rounding: Rounding, trace: LayerTrace) -> Array:
    # The exponent z - max(z) is rounded, and its absolute error is the exponential's relative one
    shifted = trace.x - trace.x.max(axis=-1, keepdims=True)
    variance = trace.x_variance + rounding.unit * np.square(shifted)
    # dp_i = p_i (dz_i - sum_j p_j dz_j)
    spread = (np.square(trace.y) * variance).sum(axis=-1, keepdims=True)
    carried = np.square(trace.y) * np.maximum(variance * (1 - 2 * trace.y) + spread, 0)
    return carried + rounding.function(trace.y)


def _softmax_backward(rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
    # dx = y (dy - s), s = sum(dy y)
    y, dy = trace.y, cotangent.value
    inner = (dy * y).sum(axis=-1, keepdims=True)
    inner_variance = (np.square(y) * cotangent.variance + np.square(dy) * trace.y_variance).sum(axis=-1, keepdims=True)
    inner_variance += rounding.sum_of(np.square(dy * y).sum(axis=-1, keepdims=True), inner, y.shape[-1])
    difference = dy - inner
    variance = np.square(y) * (cotangent.variance + inner_variance + rounding.unit * np.square(difference))
    variance += np.square(difference) * trace.y_variance + rounding.unit * np.square(dx)
    inner_kink = (np.square(y) * cotangent.kink).sum(axis=-1, keepdims=True)
    return BackwardError(variance, np.square(y) * (cotangent.kink + inner_kink))


def _slope_variance(rounding: Rounding, name: str, trace: LayerTrace) -> Array:
    """Variance of f'(x), which is computed from y (softplus: from x)."""
    x, y = trace.x, trace.y
    if name == "sigmoid":
        return np.square(1 - 2 * y) * trace.y_variance
    if name == "tanh":
        return np.square(2 * y) * trace.y_variance + rounding.unit * y**4
    if name == "elu":
        return np.where(x > 0, 0, trace.y_variance)
    probability = sigmoid(x)
    return np.square(probability * (1 - probability)) * trace.x_variance + rounding.function(probability)


class ActivationRule:
    """y = f(x)."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        name = trace.layer.spec.activation  # type: ignore[attr-defined]
        x, y, variance = trace.x, trace.y, trace.x_variance
        if name == "linear":
            return variance
        if name == "softmax":
            return _softmax_forward(rounding, trace)
        # A negative x within its error of zero may come out positive, by no more than its error
        open_side = (x > 0) | rounding.uncertain(x, variance)
        if name == "relu":
            return variance * open_side
        if name == "leaky_relu":
            return variance * np.where(open_side, 1, LEAKY_RELU_SLOPE**2) + rounding.unit * np.square(y) * (x <= 0)
        if name == "step":
            return 1.0 * rounding.uncertain(x, variance)
        slope = FUNCTIONS[name].backward(x, y, np.ones_like(x))
        # elu is computed as exp(x) - 1, whose error is that of the exp
        return np.square(slope) * variance + rounding.function(np.where(x > 0, 0, 1.0) if name == "elu" else y)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        name = trace.layer.spec.activation  # type: ignore[attr-defined]
        dy = cotangent.value
        if name == "linear":
            return BackwardError(cotangent.variance, cotangent.kink)
        if name == "softmax":
            return _softmax_backward(rounding, trace, cotangent, dx)
        squared_slope = np.square(FUNCTIONS[name].backward(trace.x, trace.y, np.ones_like(dy)))
        carried, kink = squared_slope * cotangent.variance, squared_slope * cotangent.kink
        if name in {"relu", "leaky_relu"}:
            unsure = rounding.uncertain(trace.x, trace.x_variance)
            jump = 1.0 if name == "relu" else 1.0 - LEAKY_RELU_SLOPE
            kink = kink + np.where(unsure, np.square(jump * dy), 0)
            return BackwardError(carried + rounding.unit * np.square(dx), kink, uncertain=int(unsure.sum()))
        moved = np.square(dy) * _slope_variance(rounding, name, trace)
        return BackwardError(carried + moved + 3 * rounding.unit * np.square(dx), kink)


def draw(some: Some, shape: Shape) -> Activation:
    """Any function with a gradient."""
    return Activation(draw_activation(some, shape[-1]))
