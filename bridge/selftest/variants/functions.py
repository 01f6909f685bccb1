"""Right variants of activations: other formulas for the same function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bridge.selftest.faults.fault import is_activation
from bridge.selftest.variants.variant import Variant
from core_numpy.contract import Array
from model_spec.activations import LEAKY_RELU_SLOPE

Function = Callable[[Array], Array]
Derivative = Callable[[Array, Array, Array], Array]
"""(x, y, dy) -> dx."""


def _forward(function: Function) -> Any:
    def forward(inner: Any, params: Any, state: Any, x: Array, context: Any) -> Any:
        y = function(x)
        return y, (x, y)

    return forward


def _backward(derivative: Derivative) -> Any:
    return lambda inner, params, cache, dy, need_dx: (derivative(cache[0], cache[1], dy), {})


def _tanh_by_expm1(x: Array) -> Array:
    powers = np.expm1(-2 * np.abs(x))
    return np.copysign(-powers / (2 + powers), x)


def _softmax_by_logarithm(x: Array) -> Array:
    shifted = x - x.max(axis=-1, keepdims=True)
    return np.exp(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def _softmax_around_the_mean(x: Array) -> Array:
    powers = np.exp(x - x.mean(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _softmax_by_reciprocal(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers * (1 / powers[..., ::-1].sum(axis=-1, keepdims=True))


def _softmax_by_jacobian(x: Array, y: Array, dy: Array) -> Array:
    # (n, classes, classes)
    jacobian = np.eye(y.shape[-1], dtype=y.dtype) * y[:, None, :] - y[:, :, None] * y[:, None, :]
    return np.einsum("nij,nj->ni", jacobian, dy)


def _sigmoid_by_tanh(x: Array) -> Array:
    half = x.dtype.type(0.5)
    return half * np.tanh(half * x) + half


def _leaky_relu_by_maximum(x: Array) -> Array:
    return np.maximum(x, x.dtype.type(LEAKY_RELU_SLOPE) * x)


def _leaky_relu_by_parts(x: Array) -> Array:
    return np.maximum(x, 0) + x.dtype.type(LEAKY_RELU_SLOPE) * np.minimum(x, 0)


def _variant(name: str, of: str, text: str, probe: str, function: Any = None, derivative: Any = None) -> Variant:
    return Variant(
        name,
        f"{of}: {text}",
        "functions",
        is_activation(of),
        forward=_forward(function) if function else None,
        backward=_backward(derivative) if derivative else None,
        probe=probe,
    )


FUNCTION_VARIANTS = (
    _variant("sigmoid-by-tanh", "sigmoid", "(tanh(x / 2) + 1) / 2", "dense", _sigmoid_by_tanh),
    _variant("sigmoid-plain", "sigmoid", "1 / (1 + exp(-x)) for either sign", "dense", lambda x: 1 / (1 + np.exp(-x))),
    _variant(
        "sigmoid-backward-expanded", "sigmoid", "dy * (y - y**2)", "dense", derivative=lambda x, y, dy: dy * (y - y * y)
    ),
    _variant("tanh-by-expm1", "tanh", "by expm1(-2 |x|)", "dense", _tanh_by_expm1),
    _variant(
        "tanh-backward-factored",
        "tanh",
        "dy * (1 - y) * (1 + y)",
        "dense",
        derivative=lambda x, y, dy: dy * (1 - y) * (1 + y),
    ),
    _variant(
        "tanh-backward-by-cosh", "tanh", "dy / cosh(x)**2", "dense", derivative=lambda x, y, dy: dy / np.cosh(x) ** 2
    ),
    _variant("softmax-by-logarithm", "softmax", "exp of x minus log-sum-exp", "dense", _softmax_by_logarithm),
    _variant("softmax-around-the-mean", "softmax", "shifted by the mean", "dense", _softmax_around_the_mean),
    _variant("softmax-by-reciprocal", "softmax", "times one over the sum", "dense", _softmax_by_reciprocal),
    _variant("softmax-by-jacobian", "softmax", "backward by the whole matrix", "dense", None, _softmax_by_jacobian),
    _variant("relu-by-product", "relu", "x * (x > 0)", "convolution", lambda x: x * (x > 0)),
    _variant("relu-by-absolute-value", "relu", "(x + |x|) / 2", "convolution", lambda x: (x + np.abs(x)) / 2),
    _variant("leaky-relu-by-maximum", "leaky_relu", "max(x, slope * x)", "shapes", _leaky_relu_by_maximum),
    _variant("leaky-relu-by-parts", "leaky_relu", "positive part plus negative part", "shapes", _leaky_relu_by_parts),
    _variant(
        "elu-by-exp",
        "elu",
        "exp(x) - 1 below zero",
        "shapes",
        lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1),
    ),
    _variant(
        "softplus-plain", "softplus", "log(1 + exp(x)) for either sign", "logits", lambda x: np.log(1 + np.exp(x))
    ),
    _variant("sigmoid-by-exp", "sigmoid", "exp(x) / (1 + exp(x))", "dense", lambda x: np.exp(x) / (1 + np.exp(x))),
    _variant(
        "elu-backward-by-exp",
        "elu",
        "dy * exp(x) below zero",
        "shapes",
        derivative=lambda x, y, dy: np.where(x > 0, dy, dy * np.exp(np.minimum(x, 0))),
    ),
    _variant(
        "softplus-by-logaddexp",
        "softplus",
        "log(exp(0) + exp(x))",
        "logits",
        lambda x: np.logaddexp(x.dtype.type(0), x),
    ),
    _variant(
        "softplus-backward-by-y",
        "softplus",
        "dy * (1 - exp(-y))",
        "logits",
        derivative=lambda x, y, dy: -dy * np.expm1(-y),
    ),
)
