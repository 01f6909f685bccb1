"""Activation functions in pairs: value, and the cotangent pulled back; formulas as TensorFlow's.

Each forward takes x and returns y; each backward takes (x, y, dy) and returns dx. Shapes never change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from core_numpy.contract import Array
from core_numpy.ops.softmax import log_softmax, softmax, softmax_backward
from model_spec.activations import GELU_FACTOR, LEAKY_RELU_SLOPE, SELU_ALPHA, SELU_SCALE


def linear(x: Array) -> Array:
    """x itself."""
    return x


def linear_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy itself."""
    return dy


def step(x: Array) -> Array:
    """1 where x > 0, else 0."""
    return (x > 0).astype(x.dtype)


def step_backward(x: Array, y: Array, dy: Array) -> Array:
    """The derivative is 0 everywhere (and undefined at 0), so nothing can be learned through a step."""
    raise ValueError("the step activation has no useful derivative (0 everywhere): use it forward only, or use sigmoid")


def relu(x: Array) -> Array:
    """max(x, 0)."""
    return np.maximum(x, 0)


def relu_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy where x > 0; the derivative at 0 is 0."""
    return dy * (y > 0)


def leaky_relu(x: Array) -> Array:
    """x where x > 0, else 0.2 x."""
    return np.maximum(x, x.dtype.type(LEAKY_RELU_SLOPE) * x)


def leaky_relu_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy where x > 0, else 0.2 dy."""
    return np.where(x > 0, dy, dy.dtype.type(LEAKY_RELU_SLOPE) * dy)


def elu(x: Array) -> Array:
    """x where x > 0, else exp(x) - 1."""
    return np.maximum(x, 0) + np.expm1(np.minimum(x, 0))


def elu_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy where x > 0, else dy * exp(x), which is dy * (y + 1)."""
    return dy * (np.minimum(y, 0) + 1)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), accurate and without overflow for either sign."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, x.dtype.type(1), small) / (1 + small)


def sigmoid_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy * y * (1 - y)."""
    return dy * y * (1 - y)


def softplus(x: Array) -> Array:
    """log(1 + exp(x)) without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softplus_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy * sigmoid(x)."""
    return dy * sigmoid(x)


def tanh(x: Array) -> Array:
    """The hyperbolic tangent."""
    return np.tanh(x)


def tanh_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy * (1 - y**2)."""
    return dy * (1 - y * y)


def relu6(x: Array) -> Array:
    """min(max(x, 0), 6)."""
    return np.minimum(np.maximum(x, 0), 6)


def relu6_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy where 0 < x < 6."""
    return dy * ((x > 0) & (x < 6))


def selu(x: Array) -> Array:
    """scale x where x > 0, else scale alpha (exp(x) - 1)."""
    kind = x.dtype.type
    return kind(SELU_SCALE) * np.maximum(x, 0) + kind(SELU_SCALE * SELU_ALPHA) * np.expm1(np.minimum(x, 0))


def selu_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy scale where x >= 0, else dy (y + scale alpha)."""
    kind = dy.dtype.type
    return dy * np.where(x < 0, y + kind(SELU_SCALE * SELU_ALPHA), kind(SELU_SCALE))


def silu(x: Array) -> Array:
    """x sigmoid(x)."""
    return x * sigmoid(x)


def silu_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy s (1 + x (1 - s)) with s = sigmoid(x)."""
    share = sigmoid(x)
    return dy * share * (1 + x * (1 - share))


def _normal_share(x: Array) -> Array:
    """The share of a standard normal distribution below x, (1 + erf(x / sqrt(2))) / 2; NumPy has no erf."""
    shares = [0.5 * math.erfc(-value) for value in (x.astype(np.float64) * GELU_FACTOR).reshape(-1).tolist()]
    return np.array(shares, x.dtype).reshape(x.shape)


def gelu(x: Array) -> Array:
    """x P(X <= x) of a standard normal X (Hendrycks and Gimpel, 2016), not its approximation by tanh."""
    return x * _normal_share(x)


def gelu_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy (P(X <= x) + x exp(-x**2 / 2) / sqrt(2 pi))."""
    density = np.exp(-np.square(x * x.dtype.type(GELU_FACTOR))) * x.dtype.type(GELU_FACTOR / math.sqrt(math.pi))
    return dy * (_normal_share(x) + x * density)


def hard_sigmoid(x: Array) -> Array:
    """min(max(x + 3, 0), 6) / 6."""
    return relu6(x + 3) / 6


def hard_sigmoid_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy / 6 where -3 < x < 3."""
    return relu6_backward(x + 3, y, dy) / 6


def hard_silu(x: Array) -> Array:
    """x hard_sigmoid(x)."""
    return x * hard_sigmoid(x)


def hard_silu_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy (h + x h') with h = hard_sigmoid(x)."""
    return dy * hard_sigmoid(x) + hard_sigmoid_backward(x, y, dy * x)


def mish(x: Array) -> Array:
    """x tanh(log(1 + exp(x))) (Misra, 2019)."""
    return x * np.tanh(softplus(x))


def mish_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy (t + x (1 - t**2) sigmoid(x)) with t = tanh(log(1 + exp(x)))."""
    gate = np.tanh(softplus(x))
    return dy * (gate + x * (1 - gate * gate) * sigmoid(x))


def softsign(x: Array) -> Array:
    """x / (1 + abs(x))."""
    return x / (1 + np.abs(x))


def softsign_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy / (1 + abs(x))**2."""
    return dy / np.square(1 + np.abs(x))


def exponential_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy y."""
    return dy * y


def softmax_layer_backward(x: Array, y: Array, dy: Array) -> Array:
    """See :func:`core_numpy.ops.softmax.softmax_backward`."""
    return softmax_backward(y, dy)


def log_softmax_backward(x: Array, y: Array, dy: Array) -> Array:
    """dy - exp(y) sum(dy) over the last axis."""
    return dy - np.exp(y) * dy.sum(axis=-1, keepdims=True)


class ActivationFunction(NamedTuple):
    """A function beside its backward."""

    forward: Callable[[Array], Array]
    backward: Callable[[Array, Array, Array], Array]


FUNCTIONS: dict[str, ActivationFunction] = {
    "linear": ActivationFunction(linear, linear_backward),
    "step": ActivationFunction(step, step_backward),
    "relu": ActivationFunction(relu, relu_backward),
    "leaky_relu": ActivationFunction(leaky_relu, leaky_relu_backward),
    "elu": ActivationFunction(elu, elu_backward),
    "softplus": ActivationFunction(softplus, softplus_backward),
    "sigmoid": ActivationFunction(sigmoid, sigmoid_backward),
    "tanh": ActivationFunction(tanh, tanh_backward),
    "softmax": ActivationFunction(softmax, softmax_layer_backward),
    "relu6": ActivationFunction(relu6, relu6_backward),
    "selu": ActivationFunction(selu, selu_backward),
    "silu": ActivationFunction(silu, silu_backward),
    "gelu": ActivationFunction(gelu, gelu_backward),
    "hard_sigmoid": ActivationFunction(hard_sigmoid, hard_sigmoid_backward),
    "hard_silu": ActivationFunction(hard_silu, hard_silu_backward),
    "mish": ActivationFunction(mish, mish_backward),
    "softsign": ActivationFunction(softsign, softsign_backward),
    "exponential": ActivationFunction(np.exp, exponential_backward),
    "log_softmax": ActivationFunction(log_softmax, log_softmax_backward),
}
