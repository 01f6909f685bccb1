"""Faults in what activations, poolings, normalization and reshaping pull back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bridge.selftest.faults.fault import Fault, is_activation, is_layer, scales_and_shifts
from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.dropout import Dropout
from core_numpy.layers.global_pooling import GlobalAveragePooling2D, GlobalMaxPooling2D
from core_numpy.layers.pooling import MaxPooling2D
from core_numpy.layers.reshaping import ZeroPadding2D
from core_numpy.ops.reduction import sum_rows
from model_spec.layers import Flatten

Backward = Callable[..., Any]


def gradient(name: str, change: Callable[[Array, Array], Array]) -> Backward:
    """Another gradient of one parameter: from (gradient, dy)."""

    def backward(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
        dx, grads = inner.backward(params, cache, dy, need_dx)
        return dx, {**grads, name: change(grads[name], dy)}

    return backward


def _of_cache(change: Callable[[Any, Array], Array]) -> Backward:
    """A layer without parameters: dx from (cache, dy)."""
    return lambda inner, params, cache, dy, need_dx: (change(cache, dy), {})


def _first_window(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    cut = np.zeros_like(dy)
    cut[:, :1, :1] = dy[:, :1, :1]
    return inner.backward(params, cache, cut, need_dx)


def _keeping_input(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    y, cache = inner.forward(params, state, x, context)
    return y, (x, y, cache)


def _to_all_maxima(inner: MaxPooling2D, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    x, y, (_, windows) = cache
    padded = windows.pad(x, -np.inf)
    dpadded = np.zeros_like(padded)
    for _, _, seen in windows.taps():
        dpadded[seen] += dy * (padded[seen] == y)
    return windows.crop(dpadded), {}


def _to_all_equals(cache: Any, dy: Array) -> Array:
    x, y = cache
    return (x == y[:, None, None, :]) * dy[:, None, None, :]


def _undivided(cache: Any, dy: Array) -> Array:
    return np.broadcast_to(dy[:, None, None, :], cache).copy()


def _scaled_rows(params: Variables, cache: Any, rows: Array) -> Array:
    _, inverse, _, _, _ = cache
    return rows * inverse * params["gamma"]


def _without_mean_term(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    dx, grads = inner.backward(params, cache, dy, need_dx)
    normalized, _, _, _, of_batch = cache
    if dx is None or not of_batch:
        return dx, grads
    rows = dy.reshape(normalized.shape)
    kept = rows - normalized * grads["gamma"] / rows.dtype.type(len(rows))
    return _scaled_rows(params, cache, kept).reshape(dy.shape), grads


def _without_variance_term(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    dx, grads = inner.backward(params, cache, dy, need_dx)
    normalized, _, _, _, of_batch = cache
    if dx is None or not of_batch:
        return dx, grads
    rows = dy.reshape(normalized.shape)
    return _scaled_rows(params, cache, rows - sum_rows(rows) / rows.dtype.type(len(rows))).reshape(dy.shape), grads


def of_the_batch_before(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    y, _ = inner.forward(params, state, x, context)
    _, stale = inner.forward(params, state, np.roll(x, 1, axis=0), context)
    return y, stale


def _cropped_from_the_corner(inner: ZeroPadding2D, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    _, height, width, _ = cache
    return dy[:, :height, :width], {}


def _channels_first(cache: Any, dy: Array) -> Array:
    if len(cache) != 4:
        return dy.reshape(cache)
    n, height, width, channels = cache
    return np.ascontiguousarray(dy.reshape(n, channels, height, width).transpose(0, 2, 3, 1))


BACKWARD_FAULTS = (
    Fault(
        "stale-activation",
        "the activation's derivative is taken at another batch's values",
        "backward",
        is_activation("tanh"),
        forward=of_the_batch_before,
    ),
    Fault(
        "dropout-backward-ignores-mask",
        "backward lets the gradient of dropped values through",
        "backward, training only",
        is_layer(Dropout),
        backward=_of_cache(lambda cache, dy: dy.copy()),
        probe="dropout",
    ),
    Fault(
        "relu-backward-ignores-sign",
        "backward lets the gradient through where x was negative",
        "backward",
        is_activation("relu"),
        backward=_of_cache(lambda cache, dy: dy.copy()),
        probe="convolution",
    ),
    Fault(
        "leaky-relu-backward-of-relu",
        "backward has a slope of zero below zero",
        "backward",
        is_activation("leaky_relu"),
        backward=_of_cache(lambda cache, dy: dy * (cache[0] > 0)),
        probe="shapes",
    ),
    Fault(
        "elu-backward-without-one",
        "dy * y in place of dy * (y + 1) below zero",
        "backward",
        is_activation("elu"),
        backward=_of_cache(lambda cache, dy: np.where(cache[0] > 0, dy, dy * cache[1])),
        probe="shapes",
    ),
    Fault(
        "sigmoid-backward-forgets-factor",
        "dy * y in place of dy * y * (1 - y)",
        "backward",
        is_activation("sigmoid"),
        backward=_of_cache(lambda cache, dy: dy * cache[1]),
    ),
    Fault(
        "tanh-backward-without-square",
        "dy * (1 - y) in place of dy * (1 - y**2)",
        "backward",
        is_activation("tanh"),
        backward=_of_cache(lambda cache, dy: dy * (1 - cache[1])),
    ),
    Fault(
        "softmax-backward-without-sum",
        "y * dy in place of y * (dy - sum(dy * y)); a fused loss steps over it",
        "backward, pullback only",
        is_activation("softmax"),
        backward=_of_cache(lambda cache, dy: cache[1] * dy),
    ),
    Fault(
        "pooling-backward-returns-early",
        "only the first window passes its gradient",
        "backward",
        is_layer(MaxPooling2D),
        backward=_first_window,
        probe="pooling",
    ),
    Fault(
        "pooling-gradient-to-all-maxima",
        "every one of several equal maxima takes the whole gradient",
        "backward, only at ties",
        is_layer(MaxPooling2D),
        forward=_keeping_input,
        backward=_to_all_maxima,
        probe="ties",
    ),
    Fault(
        "pooling-gradient-to-all-computed-maxima",
        "the same, where rounding could have decided between them",
        "backward, only at ties",
        is_layer(MaxPooling2D),
        forward=_keeping_input,
        backward=_to_all_maxima,
        probe="computed-ties",
    ),
    Fault(
        "global-pooling-gradient-to-all-maxima",
        "every one of several equal maxima takes the whole gradient",
        "backward, only at ties",
        is_layer(GlobalMaxPooling2D),
        backward=_of_cache(_to_all_equals),
        probe="global-ties",
    ),
    Fault(
        "average-backward-undivided",
        "the gradient of a mean is not divided by the number of cells",
        "backward",
        is_layer(GlobalAveragePooling2D),
        backward=_of_cache(_undivided),
        probe="shapes",
    ),
    Fault(
        "normalization-without-mean-term",
        "backward takes the batch's mean for a constant",
        "backward, training only",
        scales_and_shifts,
        backward=_without_mean_term,
        probe="normalization",
    ),
    Fault(
        "normalization-without-variance-term",
        "backward takes the batch's variance for a constant",
        "backward, training only",
        scales_and_shifts,
        backward=_without_variance_term,
        probe="normalization",
    ),
    Fault(
        "gamma-gradient-of-x",
        "the gradient of gamma is the sum of dy, as beta's",
        "backward",
        scales_and_shifts,
        backward=gradient("gamma", lambda gradient, dy: sum_rows(dy.reshape(-1, dy.shape[-1]))),
        probe="normalization",
    ),
    Fault(
        "padding-backward-from-the-corner",
        "the border is cut off on the wrong sides",
        "backward",
        is_layer(ZeroPadding2D),
        backward=_cropped_from_the_corner,
        probe="shapes",
    ),
    Fault(
        "flatten-backward-channels-first",
        "backward shapes the gradient in (channels, height, width) order",
        "backward",
        lambda layer: isinstance(layer.spec, Flatten),
        backward=_of_cache(_channels_first),
        probe="convolution",
    ),
)
