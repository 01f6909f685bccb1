"""Faults in what activations, batch normalization and dropout compute."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridge.conventions.batch_normalization import OutsideEpsilonBatchNormalization, UnbiasedBatchNormalization
from bridge.selftest.faults.fault import Fault, forward_of, is_activation, is_layer, scales_and_shifts
from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.batch_normalization import BatchNormalization
from core_numpy.layers.dropout import Dropout


def _over_examples(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    powers = np.exp(x - x.max(axis=0))
    y = powers / powers.sum(axis=0)
    return y, (x, y)


def _without_shift(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    powers = np.exp(x)
    y = powers / powers.sum(axis=-1, keepdims=True)
    return y, (x, y)


def _always_batch_statistics(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    return inner.forward(params, state, x, Context(True, context.masks))


def _missing_gamma(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    return inner.forward({**params, "gamma": np.ones_like(params["gamma"])}, state, x, context)


def _uninverted(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    y, cache = inner.forward(params, state, x, context)
    if cache is None:
        return y, None
    mask = (cache > 0).astype(x.dtype)
    return x * mask, mask


def _drops_in_inference(inner: Dropout, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    if context.training:
        return inner.forward(params, state, x, context)
    keep = np.random.default_rng(0).random(x.shape) >= inner.spec.rate
    mask = (keep / (1 - inner.spec.rate)).astype(x.dtype)
    return x * mask, mask


def _slope(slope: float) -> Any:
    def forward(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
        y = np.where(x > 0, x, x.dtype.type(slope) * x)
        return y, (x, y)

    return forward


def _scaled_below_zero(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    y = np.where(x > 0, x, x.dtype.type(0.5) * np.expm1(np.minimum(x, 0)))
    return y, (x, y)


FUNCTION_FAULTS = (
    Fault(
        "softmax-over-examples",
        "softmax runs along the batch",
        "forward",
        is_activation("softmax"),
        forward=_over_examples,
    ),
    Fault(
        "softmax-without-shift",
        "exp overflows on large logits",
        "forward",
        is_activation("softmax"),
        forward=_without_shift,
        probe="saturated",
    ),
    Fault(
        "epsilon-outside-the-root",
        "batch normalization divides by sqrt(variance) + epsilon",
        "forward",
        is_layer(BatchNormalization),
        forward=forward_of(OutsideEpsilonBatchNormalization),
        probe="normalization",
    ),
    Fault(
        "unbiased-variance",
        "the batch's variance is divided by n - 1",
        "forward, training only",
        is_layer(BatchNormalization),
        forward=forward_of(UnbiasedBatchNormalization),
        probe="normalization",
    ),
    Fault(
        "batch-statistics-in-inference",
        "inference normalises by the batch's own mean and variance",
        "forward, inference only",
        is_layer(BatchNormalization),
        forward=_always_batch_statistics,
        probe="normalization",
    ),
    Fault(
        "forgotten-gamma",
        "the normalised values are not scaled",
        "forward",
        scales_and_shifts,
        forward=_missing_gamma,
        probe="normalization",
    ),
    Fault(
        "uninverted-dropout",
        "kept values are not scaled by 1 / (1 - rate)",
        "forward, training only",
        is_layer(Dropout),
        forward=_uninverted,
        probe="dropout",
    ),
    Fault(
        "dropout-in-inference",
        "values are dropped in inference too",
        "forward, inference only",
        is_layer(Dropout),
        forward=_drops_in_inference,
        probe="dropout",
    ),
    Fault(
        "leaky-relu-slope",
        "the slope below zero is 0.01 in place of 0.2",
        "forward",
        is_activation("leaky_relu"),
        forward=_slope(0.01),
        probe="shapes",
    ),
    Fault(
        "elu-alpha",
        "elu ends at -0.5 in place of -1",
        "forward",
        is_activation("elu"),
        forward=_scaled_below_zero,
        probe="shapes",
    ),
)
