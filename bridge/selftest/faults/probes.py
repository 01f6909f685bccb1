"""Probes: tiny networks with data, each chosen so that certain faults show in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from core_numpy.contract import Array
from model_spec import ModelSpec
from model_spec.layers import (
    Activation,
    Add,
    Average,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    LayerSpec,
    Maximum,
    MaxPooling2D,
    Multiply,
    Rescaling,
    Subtract,
    ZeroPadding2D,
)
from model_spec.losses import BinaryCrossentropy, CategoricalCrossentropy, Loss, MeanSquaredError
from model_spec.regularizers import L1L2, L2

CROSS_ENTROPY = CategoricalCrossentropy()


@dataclass(frozen=True)
class Probe:
    """A small network and the data to run it on.

    Attributes:
        spec: the network.
        values: "normal" (positive and negative), "ties" (whole numbers, so exact zeros and equal cells), "zero",
            or "shifted" (a mean of a hundred deviations).
        loss: what the targets are for.
        examples: how many.
    """

    spec: ModelSpec
    values: str = "normal"
    loss: Loss = CROSS_ENTROPY
    examples: int = 6

    @property
    def x(self) -> Array:
        """Inputs that float32 can hold."""
        random = np.random.default_rng(7)
        shape = (self.examples, *self.spec.input_shape)
        if self.values == "ties":
            return random.integers(-2, 3, shape).astype(np.float64)
        if self.values == "zero":
            return np.zeros(shape)
        shift = 100.0 if self.values == "shifted" else 0.0
        return (random.standard_normal(shape) + shift).astype(np.float32).astype(np.float64)

    @property
    def y(self) -> Array:
        """Targets in the form the loss needs."""
        random = np.random.default_rng(8)
        outputs = self.spec.output_shape
        if isinstance(self.loss, CategoricalCrossentropy):
            # Every class is there
            return np.arange(self.examples) % outputs[-1]
        if isinstance(self.loss, BinaryCrossentropy):
            return random.integers(0, 2, (self.examples, *outputs)).astype(np.float64)
        return random.standard_normal((self.examples, *outputs)).astype(np.float32).astype(np.float64)


def _probe(name: str, input_shape: tuple[int, ...], *layers: LayerSpec, **options: Any) -> Probe:
    return Probe(ModelSpec(f"probe-{name}", input_shape, layers), **options)


PROBES: dict[str, Probe] = {
    "dense": _probe(
        "dense", (5,), Dense(5, activation="tanh"), Dense(4, activation="sigmoid"), Dense(3, activation="softmax")
    ),
    "convolution": _probe(
        "convolution",
        (6, 5, 2),
        Conv2D(3, (2, 3), padding="same", activation="relu"),
        Conv2D(2, 3, strides=2, padding="same"),
        Flatten(),
        Dense(3, activation="softmax"),
    ),
    "pooling": _probe(
        "pooling",
        (6, 5, 2),
        Conv2D(2, 2),
        MaxPooling2D(2, 2, padding="same"),
        AveragePooling2D(2, 2, padding="same"),
        Flatten(),
        Dense(3, activation="softmax"),
    ),
    "shapes": _probe(
        "shapes",
        (4, 5, 2),
        Rescaling(0.5, -1.0),
        ZeroPadding2D(((1, 0), (2, 1))),
        Conv2D(3, 2, activation="leaky_relu"),
        Activation("elu"),
        GlobalAveragePooling2D(),
        Dense(2, activation="sigmoid"),
        loss=BinaryCrossentropy(),
    ),
    "normalization": _probe(
        "normalization",
        (4, 4, 2),
        Conv2D(3, 2),
        BatchNormalization(),
        Activation("relu"),
        Flatten(),
        Dropout(0.4),
        Dense(3, activation="softmax"),
    ),
    "shifted": _probe(
        "shifted", (6,), BatchNormalization(), Dense(3), values="shifted", examples=16, loss=MeanSquaredError()
    ),
    # In inference mode, probabilities below the smallest normal number, times values of a hundred
    "confident": _probe(
        "confident", (6,), BatchNormalization(), Dense(3, activation="softmax"), values="shifted", examples=16
    ),
    "saturated": _probe("saturated", (5,), Rescaling(2000.0), Dense(3), Activation("softmax")),
    # Probabilities around 1e-180, whose squares no float64 holds
    "vanishing": _probe("vanishing", (5,), Rescaling(150.0), Dense(3), Activation("softmax")),
    "dropout": _probe("dropout", (6,), Dense(8, activation="relu"), Dropout(0.5), Dense(3, activation="softmax")),
    "ties": _probe(
        "ties",
        (5, 5, 2),
        Activation("relu"),
        MaxPooling2D(2),
        Conv2D(3, 1, activation="tanh"),
        GlobalMaxPooling2D(),
        Dense(3, activation="softmax"),
        values="ties",
    ),
    "global-ties": _probe(
        "global-ties",
        (4, 4, 2),
        Activation("relu"),
        GlobalMaxPooling2D(),
        Dense(3, activation="softmax"),
        values="ties",
    ),
    # 0.3 * 1 - 0.3 is zero, but only after rounding
    "computed-ties": _probe(
        "computed-ties",
        (5, 5, 2),
        Rescaling(0.3, -0.3),
        Activation("relu"),
        MaxPooling2D(2),
        GlobalMaxPooling2D(),
        Dense(3, activation="softmax"),
        values="ties",
    ),
    "computed-kinks": _probe(
        "computed-kinks",
        (6,),
        Rescaling(0.3, -0.3),
        Activation("leaky_relu"),
        Dense(3, activation="softmax"),
        values="ties",
    ),
    "kinks": _probe("kinks", (6,), Activation("leaky_relu"), Dense(3, activation="softmax"), values="ties"),
    "zero": _probe("zero", (5,), Dense(4, activation="tanh"), Dense(3, activation="softmax"), values="zero"),
    "logits": _probe(
        "logits",
        (5,),
        Dense(4, activation="softplus"),
        Dense(3),
        loss=CategoricalCrossentropy(from_logits=True),
    ),
    "regression": _probe("regression", (5,), Dense(4, activation="tanh"), Dense(2), loss=MeanSquaredError()),
    "penalties": _probe(
        "penalties",
        (5,),
        Dense(4, activation="tanh", kernel_regularizer=L2(0.05), bias_regularizer=L1L2(0.02, 0.01)),
        Dense(2),
        loss=MeanSquaredError(),
    ),
    "smoothed": _probe("smoothed", (5,), Dense(3, activation="sigmoid"), loss=BinaryCrossentropy(label_smoothing=0.2)),
    # A last layer behind the sigmoid keeps the loss from being computed from logits; some values leave 0..1
    "probabilities": _probe(
        "probabilities", (5,), Dense(3, activation="sigmoid"), Rescaling(1.4, -0.2), loss=BinaryCrossentropy()
    ),
    "frozen": _probe("frozen", (5,), Dense(4, activation="tanh", trainable=False), Dense(3, activation="softmax")),
    # Every merge has an input that nobody else reads, so that what is wrong with its gradient can be seen alone
    "branches": _probe(
        "branches",
        (5,),
        Dense(4, activation="tanh", name="stem"),
        Dense(4, name="a"),
        Add(inputs=("stem", "a")),
        Dense(4, inputs="stem", name="b"),
        Subtract(inputs=("add", "b")),
        Dense(4, inputs="stem", name="c"),
        Multiply(inputs=("subtract", "c")),
        Dense(4, inputs="stem", name="d"),
        Average(inputs=("multiply", "d")),
        Dense(4, inputs="stem", name="e"),
        Maximum(inputs=("average", "e")),
        Dense(2, inputs="stem", name="f"),
        Concatenate(inputs=("maximum", "f")),
        Dense(3, activation="softmax"),
    ),
    "deep": _probe(
        "deep",
        (9, 9, 2),
        Conv2D(4, 3, activation="softplus"),
        Conv2D(4, 3, activation="softplus"),
        GlobalAveragePooling2D(),
        Dense(3, activation="softmax"),
    ),
}
