"""Rounding in activations: an error goes on times f'(x); dx = f'(x) dy suffers from errors of dy and of f'(x)."""

from __future__ import annotations

import numpy as np

from bridge.judge.layers.form import Some, draw_activation
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from core_numpy.ops.activations import FUNCTIONS, sigmoid
from model_spec import Activation
from model_spec.activations import KINKS, LEAKY_RELU_SLOPE
from model_spec.shapes import Shape

_FORM = 2.0
"""Rounding errors of a textbook form, each of the size of its largest intermediate value."""


def softmax_forward(rounding: Rounding, trace: LayerTrace) -> Array:
    """Variance of y = softmax(x) over the last axis."""
    # The exponent z - max(z), or z - log(sum(exp(z))), is rounded; its absolute error is the exponential's relative one
    shifted = np.abs(trace.x - trace.x.max(axis=-1, keepdims=True))
    largest = np.abs(trace.x).max(axis=-1, keepdims=True) + np.log(trace.x.shape[-1])
    variance = trace.x_variance + rounding.unit * np.square(shifted)
    # dp_i = p_i (dz_i - sum_j p_j dz_j)
    spread = (np.square(trace.y) * variance).sum(axis=-1, keepdims=True)
    carried = np.square(trace.y) * np.maximum(variance * (1 - 2 * trace.y) + spread, 0)
    # A rounded log(sum(exp(z))) moves all probabilities of an example alike
    return carried + rounding.function(trace.y) + 2 * rounding.unit * np.square(largest * trace.y)


def softmax_backward(rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
    """Error of dx behind y = softmax(x) over the last axis."""
    # dx = y (dy - s), s = sum(dy y)
    y, dy = trace.y, cotangent.value
    inner = (dy * y).sum(axis=-1, keepdims=True)
    inner_variance = (np.square(y) * cotangent.variance + np.square(dy) * trace.y_variance).sum(axis=-1, keepdims=True)
    inner_variance += rounding.sum_of(np.square(dy * y).sum(axis=-1, keepdims=True), inner, y.shape[-1])
    difference = dy - inner
    variance = np.square(y) * (cotangent.variance + inner_variance + rounding.unit * np.square(difference))
    variance += np.square(difference) * trace.y_variance + rounding.unit * np.square(dx)
    # Multiplied with the Jacobian diag(y) - y y^T, both products are rounded before they cancel
    variance += rounding.unit * (np.square(y * dy) + np.square(y * inner))
    inner_kink = (np.square(y) * cotangent.kink).sum(axis=-1, keepdims=True)
    return BackwardError(variance, np.square(y) * (cotangent.kink + inner_kink))


def _log_softmax_forward(rounding: Rounding, trace: LayerTrace) -> Array:
    x, y, probability = trace.x, trace.y, np.exp(trace.y)
    shifted = x - x.max(axis=-1, keepdims=True)
    largest = np.abs(x).max(axis=-1, keepdims=True) + np.log(x.shape[-1])
    # dy_i = dx_i - sum_j p_j dx_j
    spread = (np.square(probability) * trace.x_variance).sum(axis=-1, keepdims=True)
    carried = np.maximum(trace.x_variance * (1 - 2 * probability) + spread, 0)
    # log(sum(exp(shifted))): the exponents, their sum, and the logarithm, which is log(classes) at most
    powers = np.square(probability) * (rounding.unit * np.square(shifted) + rounding.function(np.ones_like(x)))
    total = rounding.sum_of(np.square(probability).sum(axis=-1, keepdims=True), np.ones(1), x.shape[-1])
    logarithm = powers.sum(axis=-1, keepdims=True) + total + rounding.function(np.log(x.shape[-1]) * np.ones(1))
    # Or x less a rounded log(sum(exp(x))), or the logarithm of a rounded probability
    forms = 2 * rounding.unit * np.square(largest) + rounding.function(np.ones(1)) + rounding.function(y)
    return np.asarray(carried + rounding.unit * np.square(shifted) + logarithm + forms)


def _log_softmax_backward(rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
    # dx = dy - p s, s = sum(dy)
    dy, probability = cotangent.value, np.exp(trace.y)
    total = dy.sum(axis=-1, keepdims=True)
    own = rounding.sum_of(np.square(dy).sum(axis=-1, keepdims=True), total, dy.shape[-1])
    spread = np.square(probability) * (cotangent.variance.sum(axis=-1, keepdims=True) + own)
    carried = np.maximum(cotangent.variance * (1 - 2 * probability), 0) + spread
    # The logarithm's absolute error is the probability's relative one
    moved = np.square(total) * (np.square(probability) * trace.y_variance + rounding.function(probability))
    rounded = rounding.unit * (np.square(dx) + np.square(probability * total))
    kink = cotangent.kink + np.square(probability) * cotangent.kink.sum(axis=-1, keepdims=True)
    return BackwardError(carried + moved + rounded, kink)


def _slope_variance(rounding: Rounding, name: str, trace: LayerTrace) -> Array:
    """Variance of f'(x), which is computed from y (softplus: from x), or from x in any form of the textbooks."""
    x, y = trace.x, trace.y
    if name == "sigmoid":
        return np.square(1 - 2 * y) * trace.y_variance
    if name == "tanh":
        return np.square(2 * y) * trace.y_variance + rounding.unit * y**4
    if name == "elu":
        return np.where(x > 0, 0, trace.y_variance)
    probability = sigmoid(x)
    carried = np.square(probability * (1 - probability)) * trace.x_variance
    return carried + rounding.function(probability) + _FORM * rounding.unit


def _form_variance(rounding: Rounding, name: str, x: Array) -> Array:
    """What the forms of the textbooks round away: a few roundings of their largest intermediate value.

    1 + exp(x), 2 / (1 + exp(-2 x)) - 1, (exp(x) - exp(-x)) / (exp(x) + exp(-x)) and their like pass through values of
    about 1 where the result may be far smaller; log(1 + exp(-x)) + x passes through x. So an error near zero is seen
    from about 10 roundoffs of 1 on (1e-15 in float64), not from 10 roundoffs of the result.
    """
    largest = np.maximum(np.abs(x), 1.0) if name == "softplus" else np.where((name != "elu") | (x <= 0), 1.0, 0.0)
    return np.asarray(_FORM * rounding.unit * np.square(largest))


_RELATIVE = ("softsign", "exponential")
"""Functions of which no form goes through values larger than its result, nor does their slope."""

_BY_DIFFERENCES = ("relu6", "selu", "silu", "gelu", "hard_sigmoid", "hard_silu", "mish", *_RELATIVE)
"""Functions whose second derivative is taken by differences, in float64."""


_SATURATED = 10.0
"""Beyond it, left of zero, exp(x), erf(x) and their like are nothing beside 1, in either precision or nearly so."""


def _own_error(rounding: Rounding, name: str, x: Array, value: Array, largest: Array | float) -> Array:
    """Variance of a function's or slope's own rounding: of its result, and of the largest value on the way to it."""
    form: Array | float = 0.0 if name in _RELATIVE else _FORM * rounding.unit * np.square(largest)
    if name == "exponential":
        # exp2(x log2(e)): the product and its constant are rounded; the exponent's absolute error is a relative one
        form = 2 * rounding.unit * np.square(x * value)
    return rounding.function(value) + form


def _at_kinks(rounding: Rounding, name: str, trace: LayerTrace) -> tuple[Array, Array]:
    """(squared jump of the slope where rounding decides the side of a kink, which values these are)."""
    jumps, unsure = np.zeros_like(trace.x), np.zeros_like(trace.x, bool)
    for place, jump in KINKS.get(name, ()):
        near = rounding.uncertain(trace.x - place, trace.x_variance + rounding.unit * place**2)
        jumps, unsure = jumps + np.where(near, jump**2, 0), unsure | near
    return jumps, unsure


def _slope(name: str, x: Array) -> Array:
    function = FUNCTIONS[name]
    return function.backward(x, function.forward(x), np.ones_like(x))


def _smooth_forward(rounding: Rounding, name: str, trace: LayerTrace) -> Array:
    jumps, _ = _at_kinks(rounding, name, trace)
    return (np.square(_slope(name, trace.x)) + jumps) * trace.x_variance + _own_error(
        rounding, name, trace.x, trace.y, np.clip(np.abs(trace.x), 1.0, _SATURATED)
    )


def _smooth_backward(
    rounding: Rounding, name: str, trace: LayerTrace, cotangent: Cotangent, dx: Array
) -> BackwardError:
    x, dy, slope = trace.x, cotangent.value, _slope(name, trace.x)
    jumps, unsure = _at_kinks(rounding, name, trace)
    step = 1e-5 * np.maximum(1, np.abs(x))
    curvature = np.where(unsure, 0, (_slope(name, x + step) - _slope(name, x - step)) / (2 * step))
    error = np.square(curvature) * trace.x_variance + _own_error(
        rounding, name, x, slope, 1.0 if name == "gelu" else np.maximum(np.abs(x), 1.0)
    )
    if name == "softsign":
        error = error + 4 * rounding.unit * slope  # (1 - |y|)^2, of a y that is rounded at about 1
    carried = np.square(slope) * cotangent.variance + np.square(dy) * error + 3 * rounding.unit * np.square(dx)
    kink = np.square(slope) * cotangent.kink + jumps * np.square(dy)
    return BackwardError(carried, kink, uncertain=int(unsure.sum()))


class ActivationRule:
    """y = f(x)."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        name = trace.layer.spec.activation  # type: ignore[attr-defined]
        x, y, variance = trace.x, trace.y, trace.x_variance
        if name == "linear":
            return variance
        if name == "softmax":
            return softmax_forward(rounding, trace)
        if name == "log_softmax":
            return _log_softmax_forward(rounding, trace)
        if name in _BY_DIFFERENCES:
            return _smooth_forward(rounding, name, trace)
        # A negative x within its error of zero may come out positive, by no more than its error
        open_side = (x > 0) | rounding.uncertain(x, variance)
        if name == "relu":
            return variance * open_side
        if name == "leaky_relu":
            return variance * np.where(open_side, 1, LEAKY_RELU_SLOPE**2) + rounding.unit * np.square(x)
        if name == "step":
            return 1.0 * rounding.uncertain(x, variance)
        slope = FUNCTIONS[name].backward(x, y, np.ones_like(x))
        own = rounding.function(np.where(x > 0, 0, 1.0) if name == "elu" else y)
        return np.square(slope) * variance + own + _form_variance(rounding, name, x)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        name = trace.layer.spec.activation  # type: ignore[attr-defined]
        dy = cotangent.value
        if name == "linear":
            return BackwardError(cotangent.variance, cotangent.kink)
        if name == "softmax":
            return softmax_backward(rounding, trace, cotangent, dx)
        if name == "log_softmax":
            return _log_softmax_backward(rounding, trace, cotangent, dx)
        if name in _BY_DIFFERENCES:
            return _smooth_backward(rounding, name, trace, cotangent, dx)
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
