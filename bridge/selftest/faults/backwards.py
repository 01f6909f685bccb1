"""Faults in what activations, poolings, normalization and reshaping pull back."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridge.conventions.flatten import ChannelsFirstFlatten
from bridge.selftest.faults.fault import Declarations, Fault
from bridge.selftest.faults.parts import (
    KeptInput,
    backward_of,
    gradient,
    is_activation,
    is_layer,
    keeping_input,
    of_cache,
    of_the_batch_before,
    scales_and_shifts,
)
from core_numpy.contract import Array, Layer, Variables
from core_numpy.layers.batch_normalization import BatchNormalizationCache
from core_numpy.layers.dropout import Dropout
from core_numpy.layers.global_pooling import GlobalAveragePooling2D, GlobalMaxPooling2D, GlobalMaxPooling2DCache
from core_numpy.layers.pooling import MaxPooling2D
from core_numpy.layers.reshaping import ZeroPadding2D
from core_numpy.ops.reduction import sum_rows
from model_spec.layers import Flatten

faults = Declarations(Fault)
backward = faults.of("backward", shows="backward")
from_cache = faults.of("backward", of_cache, shows="backward")
at_ties = faults.of("backward", shows="backward, only at ties")
normalization = faults.of("backward", shows="backward, training only", applies=scales_and_shifts, probe="normalization")

faults.of("forward", shows="backward")(
    "stale-activation", "the activation's derivative is taken at another batch's values", is_activation("tanh")
)(of_the_batch_before)
from_cache(
    "dropout-backward-ignores-mask",
    "backward lets the gradient of dropped values through",
    is_layer(Dropout),
    shows="backward, training only",
    probe="dropout",
)(lambda cache, dy: dy.copy())
from_cache(
    "relu-backward-ignores-sign",
    "backward lets the gradient through where x was negative",
    is_activation("relu"),
    probe="convolution",
)(lambda cache, dy: dy.copy())
from_cache(
    "leaky-relu-backward-of-relu",
    "backward has a slope of zero below zero",
    is_activation("leaky_relu"),
    probe="shapes",
)(lambda cache, dy: dy * (cache.x > 0))
from_cache(
    "elu-backward-without-one", "dy * y in place of dy * (y + 1) below zero", is_activation("elu"), probe="shapes"
)(lambda cache, dy: np.where(cache.x > 0, dy, dy * cache.y))
from_cache("sigmoid-backward-forgets-factor", "dy * y in place of dy * y * (1 - y)", is_activation("sigmoid"))(
    lambda cache, dy: dy * cache.y
)
from_cache("tanh-backward-without-square", "dy * (1 - y) in place of dy * (1 - y**2)", is_activation("tanh"))(
    lambda cache, dy: dy * (1 - cache.y)
)
from_cache(
    "softmax-backward-without-sum",
    "y * dy in place of y * (dy - sum(dy * y)); a fused loss steps over it",
    is_activation("softmax"),
    shows="backward, pullback only",
)(lambda cache, dy: cache.y * dy)


@backward(
    "pooling-backward-returns-early",
    "only the first window passes its gradient",
    is_layer(MaxPooling2D),
    probe="pooling",
)
def _first_window(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    cut = np.zeros_like(dy)
    cut[:, :1, :1] = dy[:, :1, :1]
    return inner.backward(params, cache, cut, need_dx)


@at_ties(
    "pooling-gradient-to-all-computed-maxima",
    "the same, where rounding could have decided between them",
    is_layer(MaxPooling2D),
    forward=keeping_input,
    probe="computed-ties",
)
@at_ties(
    "pooling-gradient-to-all-maxima",
    "every one of several equal maxima takes the whole gradient",
    is_layer(MaxPooling2D),
    forward=keeping_input,
    probe="ties",
)
def _to_all_maxima(inner: MaxPooling2D, params: Variables, cache: KeptInput, dy: Array, need_dx: bool) -> Any:
    windows = cache.inner.windows
    padded = windows.pad(cache.x, -np.inf)
    dpadded = np.zeros_like(padded)
    for _, _, seen in windows.taps():
        dpadded[seen] += dy * (padded[seen] == cache.y)
    return windows.crop(dpadded), {}


@from_cache(
    "global-pooling-gradient-to-all-maxima",
    "every one of several equal maxima takes the whole gradient",
    is_layer(GlobalMaxPooling2D),
    shows="backward, only at ties",
    probe="global-ties",
)
def _to_all_equals(cache: GlobalMaxPooling2DCache, dy: Array) -> Array:
    return (cache.x == cache.y[:, None, None, :]) * dy[:, None, None, :]


from_cache(
    "average-backward-undivided",
    "the gradient of a mean is not divided by the number of cells",
    is_layer(GlobalAveragePooling2D),
    probe="shapes",
)(lambda shape, dy: np.broadcast_to(dy[:, None, None, :], shape).copy())


def _scaled(params: Variables, cache: BatchNormalizationCache, rows: Array, dy: Array) -> Array:
    return (rows * cache.inverse * params["gamma"]).reshape(dy.shape)


@normalization("normalization-without-mean-term", "backward takes the batch's mean for a constant")
def _without_mean_term(
    inner: Layer, params: Variables, cache: BatchNormalizationCache, dy: Array, need_dx: bool
) -> Any:
    dx, grads = inner.backward(params, cache, dy, need_dx)
    if dx is None or not cache.uses_batch:
        return dx, grads
    rows = dy.reshape(cache.normalized.shape)
    return _scaled(params, cache, rows - cache.normalized * grads["gamma"] / rows.dtype.type(len(rows)), dy), grads


@normalization("normalization-without-variance-term", "backward takes the batch's variance for a constant")
def _without_variance_term(
    inner: Layer, params: Variables, cache: BatchNormalizationCache, dy: Array, need_dx: bool
) -> Any:
    dx, grads = inner.backward(params, cache, dy, need_dx)
    if dx is None or not cache.uses_batch:
        return dx, grads
    rows = dy.reshape(cache.normalized.shape)
    return _scaled(params, cache, rows - sum_rows(rows) / rows.dtype.type(len(rows)), dy), grads


normalization("gamma-gradient-of-x", "the gradient of gamma is the sum of dy, as beta's", shows="backward")(
    gradient("gamma", lambda gradient, dy: sum_rows(dy.reshape(-1, dy.shape[-1])))
)


@backward(
    "padding-backward-from-the-corner",
    "the border is cut off on the wrong sides",
    is_layer(ZeroPadding2D),
    probe="shapes",
)
def _cropped_from_the_corner(inner: ZeroPadding2D, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    _, height, width, _ = cache
    return dy[:, :height, :width], {}


backward(
    "flatten-backward-channels-first",
    "backward shapes the gradient in (channels, height, width) order",
    lambda layer: isinstance(layer.spec, Flatten),
    probe="convolution",
)(backward_of(ChannelsFirstFlatten))
