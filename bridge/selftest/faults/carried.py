"""Faults in what is carried from step to step, and in weights on their way from one model to another."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridge.selftest.faults.fault import Fault, is_layer
from bridge.selftest.faults.updates import PARAMETERS, training
from core_numpy import NumpyModel
from core_numpy.contract import Array, Layer, Variables
from core_numpy.layers.batch_normalization import BatchNormalization
from model_spec import SGD

Arrays = dict[str, Array]


def _moved(state: Variables, cache: Any, momentum: float) -> Variables:
    _, _, mean, variance, of_batch = cache
    if not of_batch:
        return state
    kept = mean.dtype.type(momentum)
    batch = {"moving_mean": mean, "moving_variance": variance}
    return {name: state[name] * kept + batch[name] * (1 - kept) for name in state}


def _swapped_momentum(inner: BatchNormalization, state: Variables, cache: Any) -> Variables:
    return _moved(state, cache, 1 - inner.spec.momentum)


def _momentum_of_float32(inner: BatchNormalization, state: Variables, cache: Any) -> Variables:
    return _moved(state, cache, float(np.float32(inner.spec.momentum)))


def _unbiased_statistics(inner: Layer, state: Variables, cache: Any) -> Variables:
    normalized, inverse, mean, variance, of_batch = cache
    count = len(normalized)
    return inner.next_state(state, (normalized, inverse, mean, variance * (count / (count - 1)), of_batch))


def _unchanged(inner: Layer, state: Variables, cache: Any) -> Variables:
    return state


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


def _standing_stream(model: NumpyModel, right: Any) -> Any:
    def train_on_batch(x: Any, y: Any) -> float:
        loss: float = right(x, y)
        model.dropout_calls = 0
        return loss

    return train_on_batch


def _training_frozen_layers(model: NumpyModel, right: Any) -> Any:
    def train_on_batch(x: Any, y: Any) -> float:
        loss: float = right(x, y)
        own = model.params["dense"]
        model.params["dense"] = {**own, "bias": own["bias"] - own["bias"].dtype.type(0.001)}
        return loss

    return train_on_batch


def _writing_nan(model: NumpyModel, right: Any) -> Any:
    def train_on_batch(x: Any, y: Any) -> float:
        loss: float = right(x, y)
        own = model.params["dense_1"]
        model.params["dense_1"] = {**own, "bias": np.full_like(own["bias"], np.nan)}
        return loss

    return train_on_batch


def _summing_the_loss(model: NumpyModel, right: Any) -> Any:
    return lambda x, y: right(x, y) * len(x)


def _changed(name: str, change: Any) -> Any:
    return lambda weights: {**weights, name: change(weights[name])}


def _with_sixteen_digits(weights: Arrays) -> Arrays:
    return {name: np.vectorize(lambda value: float(f"{value:.15e}"))(value) for name, value in weights.items()}


CARRIED_FAULTS = (
    Fault(
        "moving-momentum-swapped",
        "moving statistics keep 1 - momentum of what they were",
        "training, statistics only",
        is_layer(BatchNormalization),
        next_state=_swapped_momentum,
        training=training(SGD(0.1)),
        probe="normalization",
        blames="batch_normalization/moving_mean or batch_normalization/moving_variance",
    ),
    Fault(
        "moving-momentum-of-float32",
        "a float64 network takes its momentum from float32",
        "training, statistics only",
        is_layer(BatchNormalization),
        next_state=_momentum_of_float32,
        training=training(SGD(0.1)),
        probe="normalization",
        blames="batch_normalization/moving_mean or batch_normalization/moving_variance",
    ),
    Fault(
        "unbiased-moving-variance",
        "the moving variance takes the variance divided by n - 1",
        "training, statistics only",
        is_layer(BatchNormalization),
        next_state=_unbiased_statistics,
        training=training(SGD(0.1)),
        probe="normalization",
        blames="batch_normalization/moving_variance",
    ),
    Fault(
        "statistics-not-updated",
        "moving statistics stay as they were",
        "training, statistics only",
        is_layer(BatchNormalization),
        next_state=_unchanged,
        training=training(SGD(0.1)),
        probe="normalization",
        blames="batch_normalization/moving_mean or batch_normalization/moving_variance",
    ),
    Fault(
        "statistics-updated-in-inference",
        "inference changes the moving mean",
        "inference only",
        methods={"activations": _updating_in_inference},
        probe="normalization",
        blames="batch_normalization",
    ),
    Fault(
        "standing-dropout-stream",
        "every step draws the same mask",
        "training",
        methods={"train_on_batch": _standing_stream},
        training=training(SGD(0.1)),
        probe="dropout",
        blames="dropout/dropout_call",
    ),
    Fault(
        "frozen-layer-updated",
        "a layer with trainable=False is trained",
        "training",
        methods={"train_on_batch": _training_frozen_layers},
        training=training(SGD(0.1)),
        probe="frozen",
        blames="dense/bias",
    ),
    Fault(
        "nan-after-the-step",
        "a bias is not a number after the step, whose loss is right",
        "training, parameters only",
        methods={"train_on_batch": _writing_nan},
        training=training(SGD(0.1)),
        blames="dense_1/bias",
    ),
    Fault(
        "summed-training-loss",
        "a training step returns the sum over examples in place of the mean",
        "training, loss value only",
        methods={"train_on_batch": _summing_the_loss},
        training=training(SGD(0.1)),
        blames="loss",
    ),
    Fault(
        "kernel-transposed-in-copy",
        "a square kernel is carried across transposed",
        "weights",
        copying=_changed("dense/kernel", np.transpose),
        blames="dense/kernel",
    ),
    Fault(
        "bias-not-copied",
        "one variable stays at its first value",
        "weights",
        copying=_changed("dense_1/bias", np.zeros_like),
        blames="dense_1/bias",
    ),
    Fault(
        "copied-through-float16",
        "one kernel is cast to half precision on the way",
        "weights",
        copying=_changed("dense_2/kernel", lambda value: value.astype(np.float16).astype(value.dtype)),
        blames="dense_2/kernel",
    ),
    Fault(
        "moving-statistics-exchanged",
        "moving mean and variance change places",
        "weights",
        copying=lambda weights: {
            **weights,
            "batch_normalization/moving_mean": weights["batch_normalization/moving_variance"],
            "batch_normalization/moving_variance": weights["batch_normalization/moving_mean"],
        },
        probe="normalization",
        blames="batch_normalization/moving_mean and batch_normalization/moving_variance",
    ),
    Fault(
        "copied-as-text",
        "weights are written with 16 digits, where float64 needs 17",
        "weights",
        copying=_with_sixteen_digits,
        blames=PARAMETERS,
    ),
)
