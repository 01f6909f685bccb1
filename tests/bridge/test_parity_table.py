"""One table: every layer, option, activation, loss and penalty against Keras, in both precisions and modes."""

import zlib
from dataclasses import dataclass, fields
from functools import partial
from itertools import product

import numpy as np
import pytest

import bridge
from bridge.fuzzing.fuzz import random_inputs, random_targets
from bridge.judge.tensor import TIE
from bridge.selftest.faults import Fault
from core_numpy import NumpyModel
from keras_models import KerasModel
from model_spec import (
    ELU,
    Activation,
    Add,
    Average,
    AveragePooling1D,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GroupNormalization,
    LayerNormalization,
    LeakyReLU,
    Maximum,
    MaxPooling1D,
    MaxPooling2D,
    Minimum,
    ModelSpec,
    Multiply,
    Normalization,
    Permute,
    PReLU,
    ReLU,
    RepeatVector,
    Rescaling,
    Reshape,
    SeparableConv2D,
    Softmax,
    Subtract,
    UnitNormalization,
    UpSampling2D,
    ZeroPadding1D,
    ZeroPadding2D,
)
from model_spec.activations import ACTIVATIONS
from model_spec.layers import LAYERS
from model_spec.losses import (
    LOSSES,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    HalfSumSquaredError,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanSquaredError,
    SquaredHinge,
)
from model_spec.regularizers import L1, L1L2, L2, REGULARIZERS

DTYPES = ("float64", "float32")
FORWARD_LIMIT, GRADIENT_LIMIT = 1e-12, 1e-11
"""Largest difference of float64 results, over the tensor's largest entry."""


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes:
        layers: the network, most often the layer alone.
        shape: of one example.
        batch: number of examples.
        data: kind of inputs, see ``bridge.fuzzing.fuzz.DATA``.
        loss: judged besides the pulled-back random cotangent; None judges the cotangent alone.
        one_hot: whether the targets of a categorical cross-entropy are rows.
        ties: True where rounding decides which of several equal cells wins, so that the sides may choose differently.
        zero: parameters whose gradient is mathematically zero: judged by the bound, which is all there is of them.
        cancels: True where saturated outputs leave gradients that are small differences of large numbers, so that
            fewer digits than elsewhere agree in float64: these gradients too are judged by the bound alone.
        backward: False for what has no gradient.
        dtypes: precisions.
    """

    layers: tuple
    shape: tuple
    batch: int = 3
    data: str = "normal"
    loss: object = None
    one_hot: bool = False
    ties: bool = False
    zero: tuple = ()
    cancels: bool = False
    backward: bool = True
    dtypes: tuple = DTYPES

    @property
    def name(self):
        return self.text(self.loss)

    @property
    def seed(self):
        """From the name with every field of the loss: what a repr leaves out does not draw other data."""
        items = () if self.loss is None else fields(self.loss)
        values = ", ".join(f"{item.name}={getattr(self.loss, item.name)!r}" for item in items)
        return zlib.crc32(self.text(self.loss and f"{type(self.loss).__name__}({values})").encode())

    def text(self, loss):
        layers = " + ".join(layer.describe() for layer in self.layers)
        loss = "" if loss is None else f" | {loss}{' one-hot' if self.one_hot else ''}"
        data = "" if self.data == "normal" else f" | {self.data}"
        return f"{layers} on {self.batch}x{'x'.join(str(size) for size in self.shape)}{data}{loss}"


def line(*layers, shape, **options):
    return Case(layers, shape, **options)


IMAGE, SMALL, STEPS, ROW = (7, 5, 2), (5, 4, 3), (9, 3), (6,)
DATA = ("normal", "integers", "background")

CONVOLUTIONS = [
    *(
        line(Conv2D(3, kernel, strides=strides, padding=padding), shape=IMAGE, batch=2)
        for kernel, strides, padding in product((2, 3, (4, 2)), (1, 2, (3, 1)), ("valid", "same"))
    ),
    # Strided 1x1 convolutions in float64 only: in float32 TensorFlow's filter gradient writes past its buffer (oneDNN
    # issue 6035) and may take the test process with it
    *(
        line(Conv2D(3, 1, strides=strides, padding=padding), shape=IMAGE, batch=2, dtypes=dtypes)
        for strides, dtypes in ((1, DTYPES), (2, ("float64",)), ((3, 1), ("float64",)))
        for padding in ("valid", "same")
    ),
    *(
        line(Conv2D(2, kernel, dilation_rate=dilation, padding=padding), shape=(9, 8, 2), batch=batch)
        for batch, (kernel, dilation, padding) in enumerate(product((2, 3), (2, (3, 1)), ("valid", "same")), start=1)
        if batch <= 5
    ),
    *(
        line(DepthwiseConv2D(kernel, stride, padding, multiplier), shape=IMAGE, batch=2)
        for kernel, stride, padding, multiplier in product((1, 3, (4, 2)), (1, 2), ("valid", "same", 1), (1, 3))
    ),
    *(
        line(DepthwiseConv2D(2, dilation_rate=rate, padding=padding, activation="tanh"), shape=(9, 8, 2))
        for rate, padding in product((2, (3, 1)), ("valid", "same"))
    ),
    *(
        line(Conv1D(3, size, stride, padding), shape=STEPS, batch=2)
        for size, stride, padding in product((2, 3), (1, 2), ("valid", "same", "causal"))
    ),
    *(
        line(Conv1D(3, 2, padding=padding, dilation_rate=rate, activation="tanh"), shape=STEPS)
        for padding, rate in product(("valid", "same", "causal"), (2, 3))
    ),
    *(line(ZeroPadding1D(padding), Conv1D(2, 2), shape=STEPS) for padding in (0, 2, (1, 0))),
    *(line(ZeroPadding1D(), shape=STEPS, data=data) for data in DATA),
    *(line(Cropping2D(cropping), Conv2D(2, 2), shape=IMAGE) for cropping in (0, 1, (2, 1), ((1, 0), (0, 2)))),
    *(line(Cropping2D(((1, 2), (0, 1))), shape=IMAGE, data=data) for data in DATA),
    line(Conv1D(3, 1, use_bias=False), shape=(5, 1)),
    line(Conv1D(3, 3, trainable=False), Conv1D(2, 2, activation="relu"), shape=STEPS),
    line(Conv1D(2, 2, kernel_regularizer=L2(0.1), bias_regularizer=L1(0.2)), shape=STEPS, loss=MeanSquaredError()),
    *(line(Conv1D(3, 3, padding="causal"), shape=STEPS, data=data) for data in DATA[1:]),
    *(
        line(kind(size, stride, padding), shape=STEPS)
        for kind, (size, stride), padding in product(
            (MaxPooling1D, AveragePooling1D), ((2, 1), (2, 3), (3, None), (3, 1), (3, 2)), ("valid", "same")
        )
    ),
    *(
        line(kind(), shape=STEPS, data=data)
        for kind, data in product((MaxPooling1D, AveragePooling1D, GlobalMaxPooling1D, GlobalAveragePooling1D), DATA)
    ),
    *(
        line(kind(keepdims=True), Conv2D(2, 1, activation="tanh"), shape=IMAGE, data=data)
        for kind, data in product((GlobalMaxPooling2D, GlobalAveragePooling2D), DATA)
    ),
    *(
        line(kind(keepdims=True), Conv1D(2, 1, activation="tanh"), shape=STEPS, data=data)
        for kind, data in product((GlobalMaxPooling1D, GlobalAveragePooling1D), DATA)
    ),
    line(
        Conv1D(4, 3, activation="relu"),
        MaxPooling1D(2),
        BatchNormalization(),
        Conv1D(4, 2, padding="causal"),
        GlobalAveragePooling1D(),
        shape=(16, 3),
    ),
    *(
        line(SeparableConv2D(3, kernel, stride, padding, depth_multiplier=multiplier), shape=IMAGE, batch=2)
        for kernel, stride, padding, multiplier in product((2, (4, 3)), (1, 2), ("valid", "same", 1), (1, 3))
    ),
    *(
        line(SeparableConv2D(2, 2, dilation_rate=rate, padding=padding, activation="tanh"), shape=(9, 8, 2))
        for rate, padding in product((2, (3, 1)), ("valid", "same"))
    ),
    line(SeparableConv2D(2, 3, use_bias=False), shape=(6, 6, 1)),
    line(SeparableConv2D(2, 1), shape=(6, 6, 3)),
    line(SeparableConv2D(3, 3, padding="same", trainable=False), Conv2D(4, 1, activation="relu"), shape=SMALL),
    line(
        SeparableConv2D(2, 2, depthwise_regularizer=L2(0.1), pointwise_regularizer=L1(0.1), bias_regularizer=L1(0.2)),
        shape=SMALL,
        loss=MeanSquaredError(),
    ),
    *(line(SeparableConv2D(3, 3, padding="same"), shape=IMAGE, data=data) for data in DATA[1:]),
    *(
        line(Conv2DTranspose(3, kernel, strides, padding), shape=SMALL, batch=2)
        for kernel, strides, padding in product((2, 3, (4, 2)), (1, 2, (3, 1)), ("valid", "same"))
    ),
    *(line(Conv2DTranspose(3, 1, padding=padding), shape=SMALL, batch=2) for padding in ("valid", "same")),
    *(
        line(Conv2DTranspose(2, 3, 2, padding, chosen, activation="tanh"), shape=SMALL)
        for padding, chosen in product(("valid", "same"), (0, 1, (1, 0)))
    ),
    line(Conv2DTranspose(1, 3, use_bias=False), shape=(1, 1, 1), batch=1),
    line(Conv2DTranspose(2, 2, 2, trainable=False), Conv2D(4, 2, 2, activation="relu"), shape=SMALL),
    line(
        Conv2DTranspose(2, 2, kernel_regularizer=L2(0.1), bias_regularizer=L1(0.2)),
        shape=SMALL,
        loss=MeanSquaredError(),
    ),
    *(line(Conv2DTranspose(3, 3, 2, "same"), shape=SMALL, data=data) for data in DATA[1:]),
    line(DepthwiseConv2D(3, use_bias=False), shape=(6, 6, 1)),
    line(DepthwiseConv2D(3, padding="same", trainable=False), Conv2D(4, 1, activation="relu"), shape=SMALL),
    line(
        DepthwiseConv2D(2, depthwise_regularizer=L2(0.1), bias_regularizer=L1(0.2)),
        shape=SMALL,
        loss=MeanSquaredError(),
    ),
    *(line(DepthwiseConv2D(3, padding="same"), shape=IMAGE, data=data) for data in DATA[1:]),
    *(
        line(Conv2D(4, kernel, strides=strides, padding=padding, groups=groups), shape=(7, 5, 4), batch=2)
        for kernel, strides, padding in product((2, (3, 2)), (1, 2), ("valid", "same"))
        for groups in (2, 4)
    ),
    line(Conv2D(6, 2, dilation_rate=2, groups=3, activation="tanh"), shape=SMALL),
    line(Conv2D(4, 2, groups=2, kernel_regularizer="l2", use_bias=False), shape=IMAGE, loss=MeanSquaredError()),
    *(line(Conv2D(4, 3, padding="same", groups=2), shape=IMAGE, data=data) for data in DATA[1:]),
    *(line(Conv1D(4, 2, 1, padding, groups=2), shape=(9, 4)) for padding in ("valid", "same", "causal")),
    line(Conv1D(6, 3, 2, groups=3, activation="relu"), shape=STEPS),
    line(Conv2D(4, (7, 5)), shape=IMAGE),
    line(Conv2D(1, 3, padding="same"), shape=(1, 1, 1), batch=1),
    line(Conv2D(2, 5, strides=4, padding="same"), shape=(3, 3, 1), batch=5),
    line(Conv2D(3, 3, use_bias=False), shape=IMAGE),
    line(Conv2D(3, 3, trainable=False), shape=IMAGE),
    *(line(Conv2D(3, 3, padding="same"), shape=IMAGE, data=data) for data in DATA[1:]),
]

POOLINGS = [
    *(
        line(kind(window, strides, padding), shape=IMAGE, batch=2, data=data)
        for kind, window, strides, padding, data in product(
            (MaxPooling2D, AveragePooling2D), (2, 3, (1, 4)), (None, 1, (2, 3)), ("valid", "same"), DATA[:2]
        )
        if data == "normal" or kind is MaxPooling2D
    ),
    *(line(kind(2, padding="same"), shape=(1, 1, 1), batch=1) for kind in (MaxPooling2D, AveragePooling2D)),
    *(line(kind(3, 2), shape=IMAGE, data="background") for kind in (MaxPooling2D, AveragePooling2D)),
    line(Activation("relu"), MaxPooling2D(2), shape=IMAGE),
    line(Activation("relu"), MaxPooling2D(3, 1, "same"), shape=IMAGE, data="background"),
    line(Conv2D(3, 2, activation="relu"), MaxPooling2D(2), shape=IMAGE),
    line(Conv2D(3, 2, activation="relu"), MaxPooling2D(2, padding="same"), shape=IMAGE, data="background", ties=True),
    *(
        line(kind(), shape=shape, data=data, batch=batch)
        for kind in (GlobalAveragePooling2D, GlobalMaxPooling2D)
        for shape, data, batch in ((IMAGE, "normal", 1), (SMALL, "integers", 4), ((1, 1, 2), "normal", 3))
    ),
    line(GlobalMaxPooling2D(), shape=IMAGE, data="background"),
    line(Activation("relu"), GlobalMaxPooling2D(), Dense(3), shape=IMAGE),
]

RESHAPING = [
    *(line(ZeroPadding2D(padding), shape=IMAGE, batch=2) for padding in (1, 0, (2, 1), ((1, 0), (0, 3)))),
    line(ZeroPadding2D(1), Conv2D(2, 3), shape=SMALL),
    *(line(UpSampling2D(size), shape=IMAGE, data=data) for size in (1, 2, (1, 3), (3, 2)) for data in DATA[:2]),
    # TensorFlow interpolates in float32, in float64 networks too
    *(
        line(UpSampling2D(size, "bilinear"), shape=IMAGE, data=data, dtypes=("float32",))
        for size in (1, 2, (1, 3), (3, 2))
        for data in DATA
    ),
    line(Conv2D(3, 2), UpSampling2D(3, "bilinear"), Conv2D(2, 3), shape=SMALL, dtypes=("float32",)),
    *(line(Permute(dims), shape=IMAGE) for dims in ((2, 1, 3), (3, 1, 2), (2, 3, 1))),
    line(Conv1D(3, 2), Permute((2, 1)), Dense(2), shape=STEPS),
    *(line(RepeatVector(n), shape=ROW, data=data) for n in (1, 3) for data in DATA[:2]),
    line(Dense(3), RepeatVector(4), Conv1D(2, 2), shape=ROW),
    line(Conv2D(3, 2), UpSampling2D(3), Conv2D(2, 3), shape=SMALL),
    line(Dense(3), UpSampling2D(3), AveragePooling2D(3), shape=SMALL),
    line(Dense(3), UpSampling2D(3), GlobalAveragePooling2D(), shape=SMALL),
    line(Conv2D(3, 2, activation="relu"), UpSampling2D(2), MaxPooling2D(2, 1), shape=SMALL, ties=True),
    line(Flatten(), shape=IMAGE),
    line(Flatten(), shape=ROW),
    *(line(Reshape(target), shape=IMAGE) for target in ((70,), (-1,), (5, 14), (2, -1, 7), (7, 5, 2))),
    line(Reshape((2, 3, 1)), Conv2D(2, 2), shape=ROW),
    *(line(Rescaling(scale, offset), shape=SMALL) for scale, offset in ((1.0, 0.0), (1 / 255, 0.0), (-2.5, 0.3))),
    line(Rescaling(0.1, -0.7), shape=ROW, batch=1),
    line(Rescaling([1 / 229, 1 / 224, 0.3], [-2.1, 0.1, 0.7]), shape=(6, 7, 3)),
]

DENSE = [
    *(line(Dense(units), shape=ROW, batch=batch) for units, batch in ((1, 1), (4, 2), (7, 5))),
    line(Dense(5), shape=(1,)),
    line(Dense(3, use_bias=False), shape=ROW),
    line(Dense(3), Dense(2), shape=ROW),
    line(Dense(3), shape=(4, 5)),
    line(Dense(3, activation="tanh"), shape=IMAGE),
    line(Dense(3, trainable=False), Dense(2), shape=ROW),
    line(Dense(3), Dense(2, trainable=False), shape=ROW),
    line(Dense(200), shape=(300,), batch=2),
    *(line(Dense(4), shape=ROW, data=data) for data in DATA[1:]),
]

ACTIVATION = [
    *(
        line(layer(name), shape=shape, backward=name != "step")
        for name in ACTIVATIONS
        for layer, shape in (
            (Activation, (3, 4, 5)),
            (lambda name: Dense(5, activation=name), (9,)),
            (lambda name: Conv2D(4, 2, activation=name), IMAGE),
        )
    ),
    # Beyond 6 the share of a normal distribution is 0 or 1, and nothing is rounded
    *(
        line(Rescaling(3.0 if name == "gelu" else 20.0), Activation(name), shape=(8,))
        for name in ACTIVATIONS
        if name != "step"
    ),
    *(line(Activation(name), shape=SMALL, data="integers") for name in ("relu", "leaky_relu", "elu", "softplus")),
    line(Activation("step"), shape=SMALL, data="integers", backward=False),
    *(line(ELU(alpha), shape=SMALL, data=data) for alpha in (0.5, 1.0, 2.0, 0.0) for data in DATA[:2]),
    line(Rescaling(30.0), ELU(0.7), Dense(3), shape=ROW),
    *(line(LeakyReLU(slope), shape=SMALL, data=data) for slope in (0.3, 0.01, 1.5, 0.0) for data in DATA[:2]),
    line(Conv2D(3, 2), BatchNormalization(), LeakyReLU(0.1), shape=IMAGE, zero=("conv2d/bias",)),
    *(
        line(ReLU(largest, slope, threshold), shape=SMALL, data=data)
        for largest, slope, threshold in (
            *product((None, 6.0, 0.7, 1.0), (0.0, 0.2), (0.0, 0.5)),
            (1.0, 1.5, 2.0),
            (None, 0.1, 0.3),
            (0.0, 0.1, 0.0),
        )
        for data in DATA[:2]
        # Of the whole numbers from 0 on none lies between 0 and 0.7: every gradient would be 0
        if data == "normal" or largest is None or largest >= 1
    ),
    line(Rescaling(5.0), ReLU(6.0, 0.0, 0.0), shape=SMALL, data="integers"),
    line(Dense(4), ReLU(1.0, 0.1), Dense(3), shape=ROW),
    *(
        line(Dense(4, activation=function), shape=ROW)
        for function in (LeakyReLU(0.1), LeakyReLU(0.3), ELU(0.5), ReLU(1.0, 0.1), ReLU(6.0, 0.0, 0.5))
    ),
    *(
        line(kind(activation=LeakyReLU(0.1)), shape=IMAGE)
        for kind in (
            partial(Conv2D, 2, 2),
            partial(DepthwiseConv2D, 2),
            partial(SeparableConv2D, 2, 2),
            partial(Conv2DTranspose, 2, 2),
        )
    ),
    line(Conv1D(2, 2, activation=ELU(0.5)), shape=STEPS),
    *(line(Softmax(axis), shape=shape) for axis, shape in product((1, 2, -1), (SMALL, IMAGE))),
    line(Softmax(-2), shape=STEPS),
    line(Rescaling(20.0), Softmax(1), shape=STEPS),
    line(Dense(3), Softmax(), shape=ROW, loss=CategoricalCrossentropy()),
    line(PReLU(), Softmax(2), Flatten(), Dense(2), shape=SMALL),
    *(line(PReLU(shared_axes=axes), shape=SMALL) for axes in (None, 2, (1, 2), (1, 2, 3))),
    *(
        line(Rescaling(0.5, -0.75), PReLU(shared_axes=axes), shape=SMALL, data=data)
        for axes in (None, 3)
        for data in DATA
    ),
    *(line(PReLU(alpha_regularizer=rule), shape=ROW, loss=MeanSquaredError()) for rule in (L1(0.05), L1L2(0.1, 0.2))),
    line(Conv2D(3, 2), PReLU(shared_axes=(1, 2)), MaxPooling2D(2), shape=IMAGE),
]

DROPOUT = [
    *(line(Dropout(rate), shape=shape) for rate in (0.0, 0.1, 0.25, 0.5, 0.9) for shape in ((11,), (3, 5, 2))),
    line(Dropout(0.5), Dense(4), Dropout(0.3), shape=(7,), batch=5),
    line(Conv2D(3, 2), Dropout(0.4), shape=IMAGE),
    *(line(Dropout(0.4, noise), shape=SMALL) for noise in ((None, 1, 1, None), (None, 5, 1, 1), (None, None, 1, 3))),
    line(Conv2D(3, 2), Dropout(0.5, (None, 1, 1, None)), Dense(2), shape=IMAGE, batch=5),
]

NORMALIZATION = [
    *(
        line(BatchNormalization(center=center, scale=scale, epsilon=epsilon), shape=shape, batch=batch)
        for center, scale in product((True, False), (True, False))
        for epsilon, shape, batch in ((1e-3, IMAGE, 3), (1e-5, (4,), 5))
    ),
    *(
        line(LayerNormalization(axis, epsilon, center, scale), shape=shape)
        for center, scale in product((True, False), (True, False))
        for epsilon, axis, shape in (
            (1e-3, -1, SMALL),
            (1e-5, -1, (9,)),
            (1e-3, (1, 2, 3), IMAGE),
            (1e-2, 1, IMAGE),
            (1e-3, (-3, -1), IMAGE),
        )
    ),
    *(
        line(GroupNormalization(groups, epsilon, center, scale), shape=shape)
        for center, scale in product((True, False), (True, False))
        for groups, epsilon, shape in ((1, 1e-3, IMAGE), (2, 1e-2, (5, 4, 6)), (-1, 1e-3, IMAGE), (2, 1e-3, (8,)))
    ),
    *(line(GroupNormalization(2), shape=(5, 4, 4), data=data) for data in DATA[1:]),
    line(Conv2D(4, 2), GroupNormalization(2), Activation("relu"), Conv2D(2, 2), shape=IMAGE),
    *(line(UnitNormalization(axis), shape=IMAGE) for axis in (-1, 1, (1, 3), (1, 2, 3))),
    line(UnitNormalization(), shape=(9,)),
    line(Dense(6), UnitNormalization(), Dense(3), shape=ROW),
    line(Conv2D(4, 2), UnitNormalization(), Activation("tanh"), shape=IMAGE),
    *(line(Normalization(axis), shape=IMAGE, data=data) for axis in (-1, 1, None, (1, 2, 3)) for data in DATA),
    line(Normalization(), Dense(3), shape=ROW),
    *(line(LayerNormalization((1, 2, 3)), shape=IMAGE, data=data) for data in DATA[1:]),
    line(Rescaling(1.0, 100.0), LayerNormalization(), shape=(9,)),
    line(Dense(8), LayerNormalization(), Activation("gelu"), Dense(3), shape=ROW, batch=5),
    line(Conv2D(4, 2), LayerNormalization(), shape=IMAGE),
    line(BatchNormalization(trainable=False), shape=IMAGE),
    line(BatchNormalization(momentum=0.5), shape=(1, 1, 3), batch=2),
    line(BatchNormalization(), shape=SMALL, batch=1),
    line(BatchNormalization(), shape=IMAGE, data="background"),
    line(Rescaling(1.0, 100.0), BatchNormalization(), shape=IMAGE),
    line(Dense(4), BatchNormalization(), shape=ROW, batch=5, zero=("dense/bias",)),
    line(Conv2D(3, 2), BatchNormalization(), shape=IMAGE, zero=("conv2d/bias",)),
    line(BatchNormalization(), Activation("relu"), shape=IMAGE),
]

PENALTIES = [
    line(layer(3, *size, kernel_regularizer=kernel, bias_regularizer=bias), shape=shape, loss=MeanSquaredError())
    for layer, size, shape in ((Dense, (), ROW), (Conv2D, (2,), SMALL))
    for kernel, bias in (
        (L1(0.02), None),
        (L2(0.03), None),
        (L1L2(0.01, 0.02), None),
        (None, L1(0.05)),
        (None, L2(0.1)),
        (L2(0.01), L1L2(0.2, 0.3)),
    )
]
PENALTIES += [
    line(
        Dense(4, trainable=False, kernel_regularizer=L2(0.5)),
        Dense(3, kernel_regularizer=L1(0.1)),
        shape=ROW,
        loss=MeanSquaredError(),
    )
]

POSITIVE = (
    (Dense(4, activation="sigmoid"), Rescaling(0.9, 0.05)),
    (Dense(4, activation="relu"), Rescaling(0.2, 0.1)),
    (Dense(4, activation="softmax"), Reshape((4,))),
)
"""Outputs that are no softmax's and no sigmoid's to Keras, so that it takes them for probabilities."""


def far(*layers, **options):
    """A line whose outputs are far from the target."""
    return line(*layers, shape=ROW, batch=5, cancels=True, **options)


LOSS_LINES = [
    *(
        line(Dense(4, activation=last), shape=ROW, batch=5, loss=loss(smoothing), one_hot=one_hot)
        for last, smoothing, (loss, one_hot) in product(
            ("softmax", "sigmoid"),
            (0.0, 0.1),
            (
                (lambda s: CategoricalCrossentropy(label_smoothing=s), False),
                (lambda s: CategoricalCrossentropy(label_smoothing=s), True),
                (lambda s: BinaryCrossentropy(label_smoothing=s), True),
            ),
        )
    ),
    *(
        line(Dense(4), shape=ROW, batch=4, loss=loss(from_logits=True, label_smoothing=smoothing), one_hot=one_hot)
        for smoothing in (0.0, 0.2)
        for loss, one_hot in (
            (CategoricalCrossentropy, False),
            (CategoricalCrossentropy, True),
            (BinaryCrossentropy, True),
        )
    ),
    *(
        line(*layers, shape=ROW, batch=5, loss=loss(label_smoothing=smoothing), one_hot=one_hot)
        for layers in POSITIVE
        for smoothing in (0.0, 0.1)
        for loss, one_hot in (
            (CategoricalCrossentropy, False),
            (CategoricalCrossentropy, True),
            (BinaryCrossentropy, True),
        )
    ),
    *(
        line(*layers, shape=ROW, batch=4, loss=loss)
        for loss in (MeanSquaredError(), HalfSumSquaredError())
        for layers in (
            (Dense(4),),
            (Dense(4, activation="softmax"),),
            (Dense(1, activation="sigmoid"),),
            (Reshape((2, 3)), Dense(2)),
        )
    ),
    line(Dense(1, activation="sigmoid"), shape=ROW, loss=BinaryCrossentropy()),
    *(
        line(*layers, shape=ROW, batch=4, loss=loss, data=data)
        for loss in (
            *(MeanAbsoluteError(), Huber(), Huber(0.3), LogCosh(), Hinge(), SquaredHinge(), CategoricalHinge()),
            KLDivergence(),
        )
        for layers in (
            (Dense(4),),
            (Dense(4, activation="softmax"),),
            (Dense(3, activation="sigmoid"),),
            (Reshape((2, 3)), Dense(2)),
        )
        for data in DATA[:2]
    ),
    *(line(Rescaling(3.0), shape=ROW, data="integers", loss=loss) for loss in (MeanAbsoluteError(), Hinge())),
    *(line(Activation("linear"), shape=ROW, data="integers", loss=loss) for loss in (Hinge(), CategoricalHinge())),
    line(Dense(3, activation="sigmoid"), shape=(4, 5), loss=BinaryCrossentropy()),
    # Far from the target: logits are not clipped, probabilities are
    *(
        far(Rescaling(30.0), Dense(4, activation=last), loss=loss, one_hot=one_hot)
        for last in ("softmax", "sigmoid")
        for loss, one_hot in (
            (CategoricalCrossentropy(), False),
            (CategoricalCrossentropy(), True),
            (BinaryCrossentropy(), True),
        )
    ),
    *(
        far(Rescaling(30.0), Dense(4, activation="sigmoid"), Rescaling(1.0), loss=loss, one_hot=row)
        for loss, row in (
            (CategoricalCrossentropy(), False),
            (CategoricalCrossentropy(), True),
            (BinaryCrossentropy(), True),
        )
    ),
    # A layer that hands its input on as it is leaves the softmax's logits in sight
    *(
        far(Rescaling(30.0), Dense(4, activation=last), tail, loss=CategoricalCrossentropy())
        for last in ("softmax", "sigmoid")
        for tail in (Activation("linear"), Dropout(0.5), Dropout(0.0), Flatten())
    ),
]

MERGED = ("input", "side", "side_2")
MERGES = [
    *(
        line(Rescaling(0.7, 0.2, name="side"), kind(inputs=MERGED[:2]), shape=shape, data=data)
        for kind, shape, data in product(
            (Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate), (ROW, SMALL), DATA[:2]
        )
        if data == "normal" or kind in (Maximum, Minimum)
    ),
    *(
        line(
            Conv2D(2, 3, padding="same", activation="tanh", name="side"),
            Dense(2, inputs="input", name="side_2"),
            kind(inputs=MERGED),
            shape=IMAGE,
        )
        for kind in (Add, Multiply, Average, Maximum, Minimum, Concatenate)
    ),
    *(
        line(Conv2D(2, kernel, padding=padding, name="side"), Concatenate(axis, inputs=MERGED[:2]), shape=IMAGE)
        for axis, kernel, padding in ((1, (2, 1), "valid"), (2, (1, 3), "valid"), (-2, (1, 3), "valid"), (3, 2, "same"))
    ),
    # A value for each channel, and one for each place, beside an image
    *(
        line(
            GlobalAveragePooling2D(True),
            Dense(channels, activation="sigmoid", name="side"),
            kind(inputs=("input", "side")),
            shape=IMAGE,
        )
        for kind, channels in product((Subtract, Multiply, Maximum, Minimum), (2, 1))
    ),
    line(Dense(1, name="side"), Multiply(inputs=("side", "input")), Conv2D(3, 2), shape=IMAGE),
    # A tensor that one merge reads twice, and one whose error reaches the merge on three ways
    *(line(Dense(5, name="side"), kind(inputs=("side", "side")), shape=ROW) for kind in (Add, Multiply, Maximum)),
    *(
        line(
            Dense(5, activation="softplus", name="stem"),
            Activation("tanh", name="side"),
            BatchNormalization(inputs="stem", name="side_2"),
            kind(inputs=("stem", "side", "side_2")),
            Dense(3, activation="softmax"),
            shape=ROW,
            batch=5,
            loss=CategoricalCrossentropy(),
        )
        for kind in (Add, Multiply, Average, Concatenate)
    ),
    # Forks into a pooling and a convolution, behind Dropout, behind a frozen layer
    line(
        Conv2D(3, 2, name="stem"),
        MaxPooling2D(2, 1, "same", name="side"),
        Conv2D(3, 3, padding="same", inputs="stem", name="side_2"),
        Concatenate(inputs=("side", "side_2", "stem")),
        GlobalAveragePooling2D(),
        Dense(3),
        shape=IMAGE,
    ),
    line(Dropout(0.4, name="side"), Add(inputs=MERGED[:2]), Dense(3), shape=(7,), batch=5),
    line(
        Dense(4, trainable=False, name="stem"),
        Dense(4, activation="relu", name="side"),
        Subtract(inputs=("side", "stem")),
        Dense(2),
        shape=ROW,
        loss=MeanSquaredError(),
    ),
]

TABLE = [
    *MERGES,
    *CONVOLUTIONS,
    *POOLINGS,
    *RESHAPING,
    *DENSE,
    *ACTIVATION,
    *DROPOUT,
    *NORMALIZATION,
    *PENALTIES,
    *LOSS_LINES,
]


class ForwardOnly:
    """A model as the judge sees it that has no gradients."""

    def __init__(self, model):
        self.spec, self.dtype, self.dropout_seed = model.spec, model.dtype, model.dropout_seed
        self.activations, self.predict, self.weights = model.activations, model.predict, model.weights


def compared(case, dtype, fault=None):
    """The report on one line of the table, in one precision; of a planted fault one knows the place and the cause."""
    seed = case.seed
    random = np.random.default_rng(seed)
    spec = ModelSpec("line", case.shape, case.layers)
    ours = NumpyModel(spec, seed=1, dtype=dtype, dropout_seed=5)
    theirs = KerasModel(spec, seed=2, dtype=dtype, dropout_seed=5)
    ours.set_weights(bridge.random_weights(spec, seed))
    bridge.copy_weights(ours, theirs)
    if fault is not None:
        fault.plant(ours, len(ours.network.steps) - 1)
    x = random_inputs(case.data, (case.batch, *case.shape), random)
    y = None
    if case.loss is not None:
        y = random_targets(case.loss, (case.batch, *spec.output_shape), case.one_hot, random)
    sides = (ours, theirs) if case.backward else (ForwardOnly(ours), ForwardOnly(theirs))
    return bridge.compare_models(*sides, x, y, seed=seed, loss=case.loss, locate=fault is None)


def assert_agreement(case, dtype, report):
    """Raise AssertionError unless everything that can be compared was, and agrees as closely as it must."""
    assert report.passed, str(report)
    spec = report.spec
    for mode in ("inference", "training"):
        assert {layer.name for layer in spec.layers} <= {
            row.tensor for row in report.select(mode=mode, stage="forward")
        }
        stages = ["pullback"] * case.backward + ["loss gradient"] * (case.loss is not None)
        for stage in stages:
            tensors = {row.tensor for row in report.select(mode=mode, stage=stage)}
            assert "gradient of x" in tensors
            assert {f"gradient of {name}" for name in spec.trainable_parameters} <= tensors
            assert ("loss" in tensors) == (stage == "loss gradient")
    if any(row.error for row in report.rows):
        # A bound that nothing comes near proves nothing
        assert max(row.error_over_bound for row in report.rows) > 1e-3
    zero = {f"gradient of {name}" for name in case.zero}
    for row in report.rows:
        if row.verdict == TIE:
            assert case.ties, f"{row.tensor} differs by ties, where none is left to rounding"
            continue
        assert row.error_over_bound < 1
        forward = row.stage == "forward"
        by_bound_alone = (case.cancels and not forward) or (row.tensor in zero and row.mode == "training")
        if dtype == "float64" and not by_bound_alone:
            limit = FORWARD_LIMIT if forward else GRADIENT_LIMIT
            assert row.error_over_scale <= limit, f"{row.tensor}: {row.error_over_scale:.2g} of its largest entry"


@pytest.mark.parametrize(
    ("case", "dtype"), [pytest.param(case, dtype, id=f"{case.name} {dtype}") for case in TABLE for dtype in case.dtypes]
)
def test_agrees_with_keras(case, dtype):
    assert_agreement(case, dtype, compared(case, dtype))


def test_every_layer_option_activation_loss_and_penalty_is_in_the_table():
    assert sum(len(case.dtypes) for case in TABLE) >= 250
    assert len({case.name for case in TABLE}) == len(TABLE)
    layers = [layer for case in TABLE for layer in case.layers]
    for kind in LAYERS.values():
        found = [layer for layer in layers if type(layer) is kind]
        assert found, f"{kind.__name__} is not in the table: add a line"
        for item in fields(kind):
            # First values and constraints are no part of one pass
            idle = item.name in ("name", "inputs", "trainable", "weights_of")
            if not idle and not item.name.endswith(("_initializer", "_constraint")):
                values = {getattr(layer, item.name) for layer in found}
                assert len(values) > 1, f"{kind.__name__}({item.name}=...) has one value in the table, {values}"
    for kind in (Activation, Dense, Conv2D):
        assert {layer.activation for layer in layers if type(layer) is kind} >= set(ACTIVATIONS)
    assert {type(case.loss) for case in TABLE if case.loss is not None} == set(LOSSES.values())
    for variable in ("kernel", "bias"):
        penalties = {type(getattr(layer, f"{variable}_regularizer", None)) for layer in layers}
        assert set(REGULARIZERS.values()) <= penalties
    assert {case.batch for case in TABLE} == {1, 2, 3, 4, 5}
    assert {case.data for case in TABLE} == set(DATA)


SLIGHTLY = 1 + 1e-8


def scaled_forward(inner, params, state, x, context):
    y, cache = inner.forward(params, state, x, context)
    return y * SLIGHTLY, cache


def scaled_input_gradient(inner, params, cache, dy, need_dx):
    dx, gradients = inner.backward(params, cache, dy, need_dx)
    return dx * SLIGHTLY, gradients


def scaled_parameter_gradient(inner, params, cache, dy, need_dx):
    dx, gradients = inner.backward(params, cache, dy, need_dx)
    name = next(reversed(gradients))
    return dx, {**gradients, name: gradients[name] * SLIGHTLY}


FAULTS = {"forward": scaled_forward, "dx": scaled_input_gradient, "parameters": scaled_parameter_gradient}


ALONE = {
    name: case
    for name, kind in LAYERS.items()
    for case in [case for case in TABLE if [type(layer) for layer in case.layers] == [kind]][:1]
}
"""The first line of each layer alone; tests/test_layers_are_complete.py says which has none."""
WITH_PARAMETERS = [
    name for name, case in ALONE.items() if ModelSpec("alone", case.shape, case.layers).trainable_parameters
]


@pytest.mark.parametrize(
    ("name", "place"),
    [*product(ALONE, ("forward", "dx")), *product(WITH_PARAMETERS, ("parameters",))],
)
def test_a_deviation_in_the_ninth_digit_is_noticed_in_every_layer(name, place):
    """The check above can fail: forward, dx or a parameter gradient of the layer alone, off by one part in 10**8."""
    case = ALONE[name]
    wrong = {"forward": FAULTS[place]} if place == "forward" else {"backward": FAULTS[place]}
    report = compared(case, "float64", Fault("scaled", "", "", lambda layer: True, **wrong))
    with pytest.raises(AssertionError, match="DIFFER"):
        assert_agreement(case, "float64", report)
    expected = {"forward": {"forward"}, "dx": {"gradient of x"}, "parameters": {"gradient of"}}[place]
    seen = {row.stage if place == "forward" else row.tensor for row in report.failures}
    assert any(text in value for text in expected for value in seen)
    if place != "forward":
        assert not report.select(stage="forward", verdict="BUG")
