"""Activation functions in pairs: value, and the cotangent pulled back; formulas as TensorFlow's.

Each forward takes x and returns y; each backward takes (x, y, dy) and returns dx. Shapes never change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from core_numpy.ops.softmax import softmax, softmax_backward
from model_spec.activations import LEAKY_RELU_SLOPE

Array = np.ndarray


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


def softmax_layer_backward(x: Array, y: Array, dy: Array) -> Array:
    """See :func:`core_numpy.ops.softmax.softmax_backward`."""
    return softmax_backward(y, dy)


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
}
