"""Rounding in activations: an error goes on times f'(x); dx = f'(x) dy suffers from errors of dy and of f'(x)."""

from __future__ import annotations

import numpy as np

from bridge.judge.layers.form import Some, draw_activation
from bridge.judge.rounding import Cotangent, Pulled, Rounding, Site
from core_numpy.contract import Array
from core_numpy.ops.activations import FUNCTIONS, sigmoid
from model_spec import Activation
from model_spec.activations import LEAKY_RELU_SLOPE
from model_spec.shapes import Shape


def _softmax_forward(rounding: Rounding, site: Site) -> Array:
    # The exponent z - max(z) is rounded, and its absolute error is the exponential's relative one
    shifted = site.x - site.x.max(axis=-1, keepdims=True)
    variance = site.x_variance + rounding.unit * np.square(shifted)
    # dp_i = p_i (dz_i - sum_j p_j dz_j)
    spread = (np.square(site.y) * variance).sum(axis=-1, keepdims=True)
    carried = np.square(site.y) * np.maximum(variance * (1 - 2 * site.y) + spread, 0)
    return carried + rounding.function(site.y)


def _softmax_backward(rounding: Rounding, site: Site, cotangent: Cotangent, dx: Array) -> Pulled:
    # dx = y (dy - s), s = sum(dy y)
    y, dy = site.y, cotangent.value
    inner = (dy * y).sum(axis=-1, keepdims=True)
    inner_variance = (np.square(y) * cotangent.variance + np.square(dy) * site.y_variance).sum(axis=-1, keepdims=True)
    inner_variance += rounding.sum_of(np.square(dy * y).sum(axis=-1, keepdims=True), inner, y.shape[-1])
    difference = dy - inner
    variance = np.square(y) * (cotangent.variance + inner_variance + rounding.unit * np.square(difference))
    variance += np.square(difference) * site.y_variance + rounding.unit * np.square(dx)
    inner_kink = (np.square(y) * cotangent.kink).sum(axis=-1, keepdims=True)
    return Pulled(variance, np.square(y) * (cotangent.kink + inner_kink))


def _slope_variance(rounding: Rounding, name: str, site: Site) -> Array:
    """Variance of f'(x), which is computed from y (softplus: from x)."""
    x, y = site.x, site.y
    if name == "sigmoid":
        return np.square(1 - 2 * y) * site.y_variance
    if name == "tanh":
        return np.square(2 * y) * site.y_variance + rounding.unit * y**4
    if name == "elu":
        return np.where(x > 0, 0, site.y_variance)
    probability = sigmoid(x)
    return np.square(probability * (1 - probability)) * site.x_variance + rounding.function(probability)


class ActivationRule:
    """y = f(x)."""

    def forward(self, rounding: Rounding, site: Site) -> Array:
        name = site.layer.spec.activation  # type: ignore[attr-defined]
        x, y, variance = site.x, site.y, site.x_variance
        if name == "linear":
            return variance
        if name == "softmax":
            return _softmax_forward(rounding, site)
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

    def backward(self, rounding: Rounding, site: Site, cotangent: Cotangent, dx: Array) -> Pulled:
        name = site.layer.spec.activation  # type: ignore[attr-defined]
        dy = cotangent.value
        if name == "linear":
            return Pulled(cotangent.variance, cotangent.kink)
        if name == "softmax":
            return _softmax_backward(rounding, site, cotangent, dx)
        squared_slope = np.square(FUNCTIONS[name].backward(site.x, site.y, np.ones_like(dy)))
        carried, kink = squared_slope * cotangent.variance, squared_slope * cotangent.kink
        if name in {"relu", "leaky_relu"}:
            unsure = rounding.uncertain(site.x, site.x_variance)
            jump = 1.0 if name == "relu" else 1.0 - LEAKY_RELU_SLOPE
            kink = kink + np.where(unsure, np.square(jump * dy), 0)
            return Pulled(carried + rounding.unit * np.square(dx), kink, uncertain=int(unsure.sum()))
        moved = np.square(dy) * _slope_variance(rounding, name, site)
        return Pulled(carried + moved + 3 * rounding.unit * np.square(dx), kink)


def draw(some: Some, shape: Shape) -> Activation:
    """Any function with a gradient."""
    return Activation(draw_activation(some, shape[-1]))
