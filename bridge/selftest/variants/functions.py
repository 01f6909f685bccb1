"""Right variants of activations: other formulas for the same function."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bridge.selftest.faults.fault import Declarations, Function
from bridge.selftest.faults.parts import is_activation, of_cache, of_input
from bridge.selftest.variants.variant import Variant
from core_numpy.contract import Array
from core_numpy.layers.activation import ActivationCache
from model_spec.activations import LEAKY_RELU_SLOPE

variants = Declarations(Variant)
forward = variants.of("forward", of_input, shows="functions")
backward = variants.of("backward", of_cache, shows="functions")


def function(name: str, of: str, text: str, probe: str = "dense") -> Callable[[Function], Function]:
    """Another y of x."""
    return forward(name, f"{of}: {text}", is_activation(of), probe=probe)


def derivative(name: str, of: str, text: str, probe: str = "dense") -> Callable[[Function], Function]:
    """Another dx of the cache (x, y) and dy."""
    return backward(name, f"{of}: {text}", is_activation(of), probe=probe)


@function("sigmoid-by-tanh", "sigmoid", "(tanh(x / 2) + 1) / 2")
def _sigmoid_by_tanh(x: Array) -> Array:
    half = x.dtype.type(0.5)
    return half * np.tanh(half * x) + half


function("sigmoid-plain", "sigmoid", "1 / (1 + exp(-x)) for either sign")(lambda x: 1 / (1 + np.exp(-x)))
derivative("sigmoid-backward-expanded", "sigmoid", "dy * (y - y**2)")(
    lambda cache, dy: dy * (cache.y - cache.y * cache.y)
)


@function("tanh-by-expm1", "tanh", "by expm1(-2 |x|)")
def _tanh_by_expm1(x: Array) -> Array:
    powers = np.expm1(-2 * np.abs(x))
    return np.copysign(-powers / (2 + powers), x)


derivative("tanh-backward-factored", "tanh", "dy * (1 - y) * (1 + y)")(
    lambda cache, dy: dy * (1 - cache.y) * (1 + cache.y)
)
derivative("tanh-backward-by-cosh", "tanh", "dy / cosh(x)**2")(lambda cache, dy: dy / np.cosh(cache.x) ** 2)


@function("softmax-by-logarithm", "softmax", "exp of x minus log-sum-exp")
def _softmax_by_logarithm(x: Array) -> Array:
    shifted = x - x.max(axis=-1, keepdims=True)
    return np.exp(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


@function("softmax-around-the-mean", "softmax", "shifted by the mean")
def _softmax_around_the_mean(x: Array) -> Array:
    powers = np.exp(x - x.mean(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@function("softmax-by-reciprocal", "softmax", "times one over the sum")
def _softmax_by_reciprocal(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers * (1 / powers[..., ::-1].sum(axis=-1, keepdims=True))


@derivative("softmax-by-jacobian", "softmax", "backward by the whole matrix")
def _softmax_by_jacobian(cache: ActivationCache, dy: Array) -> Array:
    y = cache.y
    # (n, classes, classes)
    jacobian = np.eye(y.shape[-1], dtype=y.dtype) * y[:, None, :] - y[:, :, None] * y[:, None, :]
    return np.einsum("nij,nj->ni", jacobian, dy)


function("relu-by-product", "relu", "x * (x > 0)", "convolution")(lambda x: x * (x > 0))
function("relu-by-absolute-value", "relu", "(x + |x|) / 2", "convolution")(lambda x: (x + np.abs(x)) / 2)
function("leaky-relu-by-maximum", "leaky_relu", "max(x, slope * x)", "shapes")(
    lambda x: np.maximum(x, x.dtype.type(LEAKY_RELU_SLOPE) * x)
)
function("leaky-relu-by-parts", "leaky_relu", "positive part plus negative part", "shapes")(
    lambda x: np.maximum(x, 0) + x.dtype.type(LEAKY_RELU_SLOPE) * np.minimum(x, 0)
)
function("elu-by-exp", "elu", "exp(x) - 1 below zero", "shapes")(
    lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)
)
function("softplus-plain", "softplus", "log(1 + exp(x)) for either sign", "logits")(lambda x: np.log(1 + np.exp(x)))
function("sigmoid-by-exp", "sigmoid", "exp(x) / (1 + exp(x))")(lambda x: np.exp(x) / (1 + np.exp(x)))
derivative("elu-backward-by-exp", "elu", "dy * exp(x) below zero", "shapes")(
    lambda cache, dy: np.where(cache.x > 0, dy, dy * np.exp(np.minimum(cache.x, 0)))
)
function("softplus-by-logaddexp", "softplus", "log(exp(0) + exp(x))", "logits")(
    lambda x: np.logaddexp(x.dtype.type(0), x)
)
derivative("softplus-backward-by-y", "softplus", "dy * (1 - exp(-y))", "logits")(
    lambda cache, dy: -dy * np.expm1(-cache.y)
)
