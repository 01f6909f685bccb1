"""Faults of precision: numbers that are nearly right."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridge.selftest.faults.fault import Declarations, Fault
from bridge.selftest.faults.parts import is_activation, is_layer, of_input, scales_and_shifts
from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.batch_normalization import BatchNormalization, BatchNormalizationCache
from core_numpy.layers.dense import Dense
from core_numpy.layers.reshaping import Rescaling

faults = Declarations(Fault)
forward = faults.of("forward", shows="forward, float64 only")


@forward(
    "accumulated-in-float16",
    "a float32 network sums in half precision",
    is_layer(Dense),
    shows="forward, float32 only",
    at=2,
)
def _in_half_precision(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    if x.dtype != np.float32:
        return inner.forward(params, state, x, context)
    half = {name: value.astype(np.float16) for name, value in params.items()}
    y, _ = inner.forward(half, state, x.astype(np.float16), context)
    return y.astype(x.dtype), inner.forward(params, state, x, context)[1]


@forward("values-through-float32", "a float64 network casts values to float32 on the way", is_layer(Dense), at=2)
def _through_float32(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    y, cache = inner.forward(params, state, x, context)
    return y.astype(np.float32).astype(x.dtype), cache


@faults.of("backward", shows="backward, float64 only")(
    "gradients-through-float32", "a float64 network keeps its gradients in float32", is_layer(Dense)
)
def _gradients_through_float32(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    dx, grads = inner.backward(params, cache, dy, need_dx)
    return dx, {name: value.astype(np.float32).astype(dy.dtype) for name, value in grads.items()}


@faults.of("forward", of_input, shows="forward, float64 only")(
    "slope-of-float64",
    "a float64 network's slope is 0.2; Keras keeps the float32 number nearest to it",
    is_activation("leaky_relu"),
    probe="shapes",
)
def _slope_of_float64(x: Array) -> Array:
    return np.where(x > 0, x, x.dtype.type(0.2) * x)


@forward(
    "scale-of-float32",
    "a float64 network takes its constant 0.3 from float32",
    is_layer(Rescaling),
    probe="computed-ties",
)
def _scale_of_float32(inner: Rescaling, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    kind = x.dtype.type
    return x * kind(np.float32(inner.spec.scale)) + kind(np.float32(inner.spec.offset)), None


@forward(
    "variance-as-mean-of-squares",
    "E[x**2] - E[x]**2 cancels where the mean is large",
    scales_and_shifts,
    shows="forward, training only",
    probe="shifted",
)
def _mean_of_squares(inner: BatchNormalization, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    if not (context.training and inner.spec.trainable):
        return inner.forward(params, state, x, context)
    rows = x.reshape(-1, x.shape[-1])
    mean = rows.mean(axis=0)
    variance = np.maximum(np.square(rows).mean(axis=0) - np.square(mean), 0)
    inverse = 1 / np.sqrt(variance + x.dtype.type(inner.spec.epsilon))
    normalized = (rows - mean) * inverse
    y = normalized * params["gamma"] + params["beta"]
    return y.reshape(x.shape), BatchNormalizationCache(normalized, inverse, mean, variance, True)
