"""Faults in what is carried from step to step, and in weights on their way from one model to another."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridge.selftest.faults.fault import Declarations, Fault
from bridge.selftest.faults.parts import is_layer
from bridge.selftest.faults.updates import PARAMETERS, training
from core_numpy import NumpyModel
from core_numpy.contract import Array, Layer, Variables
from core_numpy.layers.batch_normalization import BatchNormalization, BatchNormalizationCache
from model_spec import SGD

Arrays = dict[str, Array]

MEAN, VARIANCE = "batch_normalization/moving_mean", "batch_normalization/moving_variance"

faults = Declarations(Fault)
statistics = faults.of(
    "next_state",
    shows="training, statistics only",
    applies=is_layer(BatchNormalization),
    training=training(SGD(0.1)),
    probe="normalization",
    blames=f"{MEAN} or {VARIANCE}",
)
train_on_batch = faults.of(
    "methods", lambda wrap: {"train_on_batch": wrap}, shows="training", training=training(SGD(0.1))
)
copying = faults.of("copying", shows="weights")


def _moved(state: Variables, cache: BatchNormalizationCache, momentum: float) -> Variables:
    if not cache.uses_batch:
        return state
    kept = cache.mean.dtype.type(momentum)
    batch = {"moving_mean": cache.mean, "moving_variance": cache.variance}
    return {name: state[name] * kept + batch[name] * (1 - kept) for name in state}


@statistics("moving-momentum-swapped", "moving statistics keep 1 - momentum of what they were")
def _swapped_momentum(inner: BatchNormalization, state: Variables, cache: Any) -> Variables:
    return _moved(state, cache, 1 - inner.spec.momentum)


@statistics("moving-momentum-of-float32", "a float64 network takes its momentum from float32")
def _momentum_of_float32(inner: BatchNormalization, state: Variables, cache: Any) -> Variables:
    return _moved(state, cache, float(np.float32(inner.spec.momentum)))


@statistics("unbiased-moving-variance", "the moving variance takes the variance divided by n - 1", blames=VARIANCE)
def _unbiased_statistics(inner: Layer, state: Variables, cache: BatchNormalizationCache) -> Variables:
    count = len(cache.normalized)
    return inner.next_state(state, cache._replace(variance=cache.variance * (count / (count - 1))))


@statistics("statistics-not-updated", "moving statistics stay as they were")
def _unchanged(inner: Layer, state: Variables, cache: Any) -> Variables:
    return state


@faults.of("methods", lambda wrap: {"activations": wrap})(
    "statistics-updated-in-inference",
    "inference changes the moving mean",
    shows="inference only",
    probe="normalization",
    blames="batch_normalization",
)
def _updating_in_inference(model: NumpyModel, right: Any) -> Any:
    def activations(x: Any, training: bool = False, **options: Any) -> Any:
        values = right(x, training=training, **options)
        if not training:
            name = "batch_normalization"
            output = values[name]
            mean = output.reshape(-1, output.shape[-1]).mean(axis=0)
            share = mean.dtype.type(0.99)
            own = model.state[name]
            model.state[name] = {**own, "moving_mean": own["moving_mean"] * share + mean * (1 - share)}
        return values

    return activations


@train_on_batch(
    "standing-dropout-stream", "every step draws the same mask", probe="dropout", blames="dropout/dropout_call"
)
def _standing_stream(model: NumpyModel, right: Any) -> Any:
    def train_on_batch(x: Any, y: Any) -> float:
        loss: float = right(x, y)
        model.dropout_calls = 0
        return loss

    return train_on_batch


@train_on_batch("frozen-layer-updated", "a layer with trainable=False is trained", probe="frozen", blames="dense/bias")
def _training_frozen_layers(model: NumpyModel, right: Any) -> Any:
    def train_on_batch(x: Any, y: Any) -> float:
        loss: float = right(x, y)
        own = model.params["dense"]
        model.params["dense"] = {**own, "bias": own["bias"] - own["bias"].dtype.type(0.001)}
        return loss

    return train_on_batch


@train_on_batch(
    "nan-after-the-step",
    "a bias is not a number after the step, whose loss is right",
    shows="training, parameters only",
    blames="dense_1/bias",
)
def _writing_nan(model: NumpyModel, right: Any) -> Any:
    def train_on_batch(x: Any, y: Any) -> float:
        loss: float = right(x, y)
        own = model.params["dense_1"]
        model.params["dense_1"] = {**own, "bias": np.full_like(own["bias"], np.nan)}
        return loss

    return train_on_batch


@train_on_batch(
    "summed-training-loss",
    "a training step returns the sum over examples in place of the mean",
    shows="training, loss value only",
    blames="loss",
)
def _summing_the_loss(model: NumpyModel, right: Any) -> Any:
    return lambda x, y: right(x, y) * len(x)


def _changed(name: str, change: Any) -> Any:
    return lambda weights: {**weights, name: change(weights[name])}


copying("kernel-transposed-in-copy", "a square kernel is carried across transposed", blames="dense/kernel")(
    _changed("dense/kernel", np.transpose)
)
copying("bias-not-copied", "one variable stays at its first value", blames="dense_1/bias")(
    _changed("dense_1/bias", np.zeros_like)
)
copying("copied-through-float16", "one kernel is cast to half precision on the way", blames="dense_2/kernel")(
    _changed("dense_2/kernel", lambda value: value.astype(np.float16).astype(value.dtype))
)
copying(
    "moving-statistics-exchanged",
    "moving mean and variance change places",
    probe="normalization",
    blames=f"{MEAN} and {VARIANCE}",
)(lambda weights: {**weights, MEAN: weights[VARIANCE], VARIANCE: weights[MEAN]})


@copying("copied-as-text", "weights are written with 16 digits, where float64 needs 17", blames=PARAMETERS)
def _with_sixteen_digits(weights: Arrays) -> Arrays:
    return {name: np.vectorize(lambda value: float(f"{value:.15e}"))(value) for name, value in weights.items()}
