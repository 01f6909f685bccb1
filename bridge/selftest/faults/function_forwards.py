"""Faults in what activations, batch normalization and dropout compute."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridge.conventions.batch_normalization import OutsideEpsilonBatchNormalization, UnbiasedBatchNormalization
from bridge.conventions.dropout import UninvertedDropout
from bridge.selftest.faults.fault import Declarations, Fault
from bridge.selftest.faults.parts import forward_of, is_activation, is_layer, of_input, scales_and_shifts
from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.batch_normalization import BatchNormalization
from core_numpy.layers.dropout import Dropout

faults = Declarations(Fault)
function = faults.of("forward", of_input, shows="forward")
normalization = faults.of("forward", applies=is_layer(BatchNormalization), probe="normalization")
other_normalization = faults.of("forward", forward_of, applies=is_layer(BatchNormalization), probe="normalization")


@function("softmax-over-examples", "softmax runs along the batch", is_activation("softmax"))
def _over_examples(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=0))
    return powers / powers.sum(axis=0)


@function("softmax-without-shift", "exp overflows on large logits", is_activation("softmax"), probe="saturated")
def _without_shift(x: Array) -> Array:
    powers = np.exp(x)
    return powers / powers.sum(axis=-1, keepdims=True)


other_normalization(
    "epsilon-outside-the-root", "batch normalization divides by sqrt(variance) + epsilon", shows="forward"
)(OutsideEpsilonBatchNormalization)
other_normalization("unbiased-variance", "the batch's variance is divided by n - 1", shows="forward, training only")(
    UnbiasedBatchNormalization
)


@normalization(
    "batch-statistics-in-inference",
    "inference normalises by the batch's own mean and variance",
    shows="forward, inference only",
)
def _always_batch_statistics(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    return inner.forward(params, state, x, Context(True, context.masks))


@normalization("forgotten-gamma", "the normalised values are not scaled", scales_and_shifts, shows="forward")
def _missing_gamma(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    return inner.forward({**params, "gamma": np.ones_like(params["gamma"])}, state, x, context)


dropout = faults.of("forward", applies=is_layer(Dropout), probe="dropout")
dropout("uninverted-dropout", "kept values are not scaled by 1 / (1 - rate)", shows="forward, training only")(
    forward_of(UninvertedDropout)
)


@dropout("dropout-in-inference", "values are dropped in inference too", shows="forward, inference only")
def _drops_in_inference(inner: Dropout, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    if context.training:
        return inner.forward(params, state, x, context)
    keep = np.random.default_rng(0).random(x.shape) >= inner.spec.rate
    mask = (keep / (1 - inner.spec.rate)).astype(x.dtype)
    return x * mask, mask


@function(
    "leaky-relu-slope", "the slope below zero is 0.01 in place of 0.2", is_activation("leaky_relu"), probe="shapes"
)
def _small_slope(x: Array) -> Array:
    return np.where(x > 0, x, x.dtype.type(0.01) * x)


@function("elu-alpha", "elu ends at -0.5 in place of -1", is_activation("elu"), probe="shapes")
def _scaled_below_zero(x: Array) -> Array:
    return np.where(x > 0, x, x.dtype.type(0.5) * np.expm1(np.minimum(x, 0)))
