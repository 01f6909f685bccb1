"""Slips in activation functions: another function, another constant, a derivative that is missing or misplaced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bridge.conventions.activation_constants import (
    clipped_argument,
    other_alpha,
    other_slope,
    other_slope_behind,
    other_slope_of_the_layer,
    other_steepness,
)
from bridge.conventions.other_activation import Back, OtherActivation, Value, claimed_activation
from bridge.conventions.outcome import Change, Given, Outcome
from core_numpy.contract import Array
from core_numpy.layers.activation import Activation
from core_numpy.ops.activations import FUNCTIONS, sigmoid
from core_numpy.ops.softmax import softmax
from model_spec import layers as specs


def _another(words: str, value: Value, back: Back | None, *names: str) -> Change:
    def change(given: Given, found: Outcome) -> tuple[str, Given] | None:
        if claimed_activation(given, *names) is None:
            return None
        return words, given.with_last(OtherActivation(given.last.spec, value, back))

    return change


def _backward(words: str, back: Back, *names: str) -> Change:
    def change(given: Given, found: Outcome) -> tuple[str, Given] | None:
        if claimed_activation(given, *names) is None:
            return None
        return words, given.with_last(OtherActivation(given.last.spec, None, back, given.last))

    return change


def _named() -> Iterator[Change]:
    for name in FUNCTIONS:

        def change(given: Given, found: Outcome, name: str = name) -> tuple[str, Given] | None:
            claimed = claimed_activation(given)
            if claimed is None or claimed == name or (name == "linear" and claimed is None):
                return None
            words = f"it computes {name} in place of {claimed}" if name != "linear" else "the activation is left out"
            return words, given.with_last(Activation(specs.Activation(name)))

        yield change


def _gelu_by_tanh(x: Array) -> Array:
    return np.asarray(0.5 * x * (1 + np.tanh(_inner(x))))


def _inner(x: Array) -> Array:
    return np.asarray(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))


def _gelu_by_tanh_behind(x: Array, y: Array, dy: Array) -> Array:
    t = np.tanh(_inner(x))
    slope = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x**2)
    return np.asarray(dy * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * slope))


def _along(axis: int | None) -> tuple[Value, Back]:
    def value(x: Array) -> Array:
        e = np.exp(x - x.max(axis=axis, keepdims=True))
        return np.asarray(e / e.sum(axis=axis, keepdims=True))

    return value, lambda x, y, dy: y * (dy - (dy * y).sum(axis=axis, keepdims=True))


def _overflowing(kind: type[np.floating[Any]]) -> Change:
    """exp(x) as it is, in a precision in which it overflows."""

    def value(x: Array) -> Array:
        e = np.exp(x.astype(kind)).astype(np.float64)
        return np.asarray(e / e.sum(axis=-1, keepdims=True))

    words = "exp(x) overflows: the largest logit is not subtracted first"
    return _another(words, value, lambda x, y, dy: y * (dy - (dy * y).sum(axis=-1, keepdims=True)), "softmax")


def _derivative(name: str, x: Array) -> Array:
    y = FUNCTIONS[name].forward(x)
    return np.asarray(FUNCTIONS[name].backward(x, y, np.ones_like(x)))


_ELEMENTWISE = ("relu", "leaky_relu", "elu", "sigmoid", "tanh", "softplus")


def _of_derivative() -> Iterator[Change]:
    """Slips in the derivative that any elementwise function may have."""
    for name in _ELEMENTWISE:

        def f(x: Array, name: str = name) -> Array:
            return _derivative(name, x)

        yield from _misplaced(f, name)


def _misplaced(f: Value, name: str) -> Iterator[Change]:
    yield _backward(
        "the gradient of the output is left out of backward: the derivative alone", lambda x, y, dy: f(x), name
    )
    yield _backward("the derivative is multiplied in twice", lambda x, y, dy: dy * f(x) ** 2, name)
    yield _backward("the derivative is taken at the output in place of the input", lambda x, y, dy: dy * f(y), name)
    yield _backward("the derivative is taken at the gradient in place of the input", lambda x, y, dy: dy * f(dy), name)
    yield _backward("backward divides by the derivative", lambda x, y, dy: dy / f(x), name)


def _dead(x: Array, y: Array, dy: Array) -> Array:
    return np.maximum(dy, 0)


SLIPS: tuple[Change, ...] = (
    *_named(),
    other_slope,
    other_slope_of_the_layer,
    other_slope_behind,
    _another(
        "it computes gelu's approximation by tanh in place of the exact one, by erf",
        _gelu_by_tanh,
        _gelu_by_tanh_behind,
        "gelu",
    ),
    _another(
        "it computes gelu's approximation x sigmoid(1.702 x)",
        lambda x: x * sigmoid(1.702 * x),
        lambda x, y, dy: dy * sigmoid(1.702 * x) * (1 + 1.702 * x * sigmoid(-1.702 * x)),
        "gelu",
    ),
    other_alpha,
    other_steepness,
    clipped_argument,
    _another("it computes softmax along axis 0, over the batch", *_along(0), "softmax"),
    _another("it computes softmax over the whole batch at once", *_along(None), "softmax"),
    _another("it computes the logarithm of softmax", lambda x: np.log(softmax(x)), None, "softmax"),
    _overflowing(np.float64),
    _overflowing(np.float32),
    _another("exp(x) is not divided by its sum", np.exp, lambda x, y, dy: y * dy, "softmax"),
    _another("it computes swish, x sigmoid(x)", lambda x: x * sigmoid(x), None),
    _another(
        "it is capped at 6 (relu6)", lambda x: np.clip(x, 0, 6), lambda x, y, dy: dy * ((x > 0) & (x < 6)), "relu"
    ),
    _another("it takes the absolute value", np.abs, lambda x, y, dy: dy * np.sign(x), "relu", "leaky_relu"),
    _another(
        "it computes the hard sigmoid clip(0.2 x + 0.5)",
        lambda x: np.clip(0.2 * x + 0.5, 0, 1),
        lambda x, y, dy: 0.2 * dy * (np.abs(x) < 2.5),
        "sigmoid",
        "hard_sigmoid",
    ),
    _another("it computes exp(x) without the - 1", lambda x: np.where(x > 0, x, np.exp(x)), None, "elu"),
    _another("it computes exp(x) in place of log(1 + exp(x))", np.exp, None, "softplus"),
    _another(
        "it computes 1.7159 tanh(2 x / 3)",
        lambda x: 1.7159 * np.tanh(2 * x / 3),
        lambda x, y, dy: dy * 1.7159 * 2 / 3 / np.cosh(2 * x / 3) ** 2,
        "tanh",
    ),
    _another("it computes 1 - sigmoid(x)", lambda x: sigmoid(-x), lambda x, y, dy: -dy * y * (1 - y), "sigmoid"),
    _backward("the derivative is missing: backward hands the gradient on", lambda x, y, dy: dy),
    *_of_derivative(),
    _backward("backward uses y alone: the factor (1 - y) is missing", lambda x, y, dy: dy * y, "sigmoid"),
    _backward("backward uses 1 - y alone: the factor y is missing", lambda x, y, dy: dy * (1 - y), "sigmoid"),
    _backward("backward uses x (1 - x) in place of y (1 - y)", lambda x, y, dy: dy * x * (1 - x), "sigmoid"),
    _backward("backward uses 1 - y: the square is missing", lambda x, y, dy: dy * (1 - y), "tanh"),
    _backward("backward uses 1 - x^2 in place of 1 - y^2", lambda x, y, dy: dy * (1 - x * x), "tanh"),
    _backward("backward uses 1 + y^2 in place of 1 - y^2", lambda x, y, dy: dy * (1 + y * y), "tanh"),
    _backward("backward uses y (1 - y), the derivative of sigmoid", lambda x, y, dy: dy * y * (1 - y), "tanh"),
    _backward("backward uses 1 - y^2, the derivative of tanh", lambda x, y, dy: dy * (1 - y * y), "sigmoid"),
    _backward("backward lets positive gradients through in place of positive inputs", _dead, "relu", "leaky_relu"),
    _backward(
        "backward lets positive gradients alone through (guided backpropagation)",
        lambda x, y, dy: np.maximum(dy, 0) * (x > 0),
        "relu",
    ),
    _backward("backward multiplies with y in place of its mask", lambda x, y, dy: dy * y, "relu", "leaky_relu", "elu"),
    _backward("backward has its mask the other way round", lambda x, y, dy: dy * (x <= 0), "relu"),
    _backward("backward is that of relu: zero left of zero", lambda x, y, dy: dy * (x > 0), "leaky_relu", "elu"),
    _backward("backward uses y without the + 1", lambda x, y, dy: np.where(x > 0, dy, dy * y), "elu"),
    _backward("backward is y times the gradient: the sum is missing", lambda x, y, dy: dy * y, "softmax"),
    _backward(
        "backward takes the diagonal of the Jacobian alone, y (1 - y)", lambda x, y, dy: dy * y * (1 - y), "softmax"
    ),
    _backward(
        "backward subtracts the sum of the gradient without its factor y",
        lambda x, y, dy: y * (dy - dy.sum(axis=-1, keepdims=True)),
        "softmax",
    ),
    _backward(
        "backward sums over the batch in place of the classes",
        lambda x, y, dy: y * (dy - (dy * y).sum(axis=0, keepdims=True)),
        "softmax",
    ),
    _backward(
        "backward sums over the whole batch in place of each example",
        lambda x, y, dy: y * (dy - (dy * y).sum()),
        "softmax",
    ),
    _backward(
        "backward leaves the factor y out", lambda x, y, dy: dy - (dy * y).sum(axis=-1, keepdims=True), "softmax"
    ),
)
"""Tried in this order."""
