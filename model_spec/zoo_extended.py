"""The networks people have beside those of the courses: branches, depthwise convolutions, sequences, images out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from model_spec.layers import (
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    LayerSpec,
    MaxPooling1D,
    MaxPooling2D,
    ReLU,
    Reshape,
)
from model_spec.model import ModelSpec
from model_spec.shapes import Shape


def resnet8(input_shape: Shape = (32, 32, 3), classes: int = 10) -> ModelSpec:
    """The smallest residual network of the CIFAR form (He et al., 2016, section 4.2, with n = 1)."""
    layers: list[LayerSpec] = [
        Conv2D(16, 3, padding="same", use_bias=False, name="stem"),
        BatchNormalization(name="stem_norm"),
        Activation("relu", name="block0_out"),
    ]
    for number, (filters, stride) in enumerate(((16, 1), (32, 2), (64, 2)), start=1):
        block, source = f"block{number}", f"block{number - 1}_out"
        layers += [
            Conv2D(filters, 3, stride, "same", use_bias=False, name=f"{block}_conv1", inputs=source),
            BatchNormalization(name=f"{block}_norm1"),
            Activation("relu", name=f"{block}_relu"),
            Conv2D(filters, 3, padding="same", use_bias=False, name=f"{block}_conv2"),
            BatchNormalization(name=f"{block}_norm2"),
        ]
        if stride > 1:
            layers.append(Conv2D(filters, 1, stride, "same", name=f"{block}_short", inputs=source))
            source = f"{block}_short"
        layers += [
            Add(name=f"{block}_add", inputs=(f"{block}_norm2", source)),
            Activation("relu", name=f"{block}_out"),
        ]
    layers += [GlobalAveragePooling2D(), Dense(classes, activation="softmax")]
    return ModelSpec("resnet8", input_shape, tuple(layers))


def inception_block(input_shape: Shape = (28, 28, 1), classes: int = 10) -> ModelSpec:
    """One block of four branches that are put side by side (Szegedy et al., 2015, figure 2b)."""
    same: dict[str, Any] = {"padding": "same", "activation": "relu"}
    branches: tuple[LayerSpec, ...] = (
        Conv2D(8, 1, **same, name="one", inputs="stem"),
        Conv2D(4, 1, **same, name="three_in", inputs="stem"),
        Conv2D(8, 3, **same, name="three"),
        Conv2D(2, 1, **same, name="five_in", inputs="stem"),
        Conv2D(4, 5, **same, name="five"),
        MaxPooling2D(3, 1, "same", name="pool", inputs="stem"),
        Conv2D(4, 1, **same, name="pool_out"),
    )
    return ModelSpec(
        "inception_block",
        input_shape,
        (
            Conv2D(8, 3, 2, "same", activation="relu", name="stem"),
            *branches,
            Concatenate(inputs=("one", "three", "five", "pool_out")),
            GlobalAveragePooling2D(),
            Dense(classes, activation="softmax"),
        ),
    )


def mobilenet_small(input_shape: Shape = (28, 28, 1), classes: int = 10) -> ModelSpec:
    """Depthwise and pointwise convolutions in turn (Howard et al., 2017, table 1, its first rows a quarter as wide)."""
    layers: list[LayerSpec] = [Conv2D(8, 3, 2, "same", use_bias=False), BatchNormalization(), ReLU(6.0)]
    for filters, stride in ((16, 1), (32, 2), (32, 1)):
        layers += [
            DepthwiseConv2D(3, stride, "same", use_bias=False),
            BatchNormalization(),
            ReLU(6.0),
            Conv2D(filters, 1, use_bias=False),
            BatchNormalization(),
            ReLU(6.0),
        ]
    layers += [GlobalAveragePooling2D(), Dense(classes, activation="softmax")]
    return ModelSpec("mobilenet_small", input_shape, tuple(layers))


def har_conv1d(input_shape: Shape = (128, 9), classes: int = 6) -> ModelSpec:
    """Convolutions over time, as for activities by accelerometer; the rows of an image are taken for its steps."""
    steps: tuple[LayerSpec, ...] = ()
    if len(input_shape) == 3:
        height, width, channels = input_shape
        steps = (Reshape((height, width * channels)),)
    return ModelSpec(
        "har_conv1d",
        input_shape,
        (
            *steps,
            Conv1D(64, 3, activation="relu"),
            Conv1D(64, 3, activation="relu"),
            Dropout(0.5),
            MaxPooling1D(2),
            Flatten(),
            Dense(100, activation="relu"),
            Dense(classes, activation="softmax"),
        ),
    )


def autoencoder(input_shape: Shape = (28, 28, 1)) -> ModelSpec:
    """An image through a narrow place and back; sides that are multiples of 4, trained on the images themselves."""
    return ModelSpec(
        "autoencoder",
        input_shape,
        (
            Conv2D(16, 3, 2, "same", activation="relu"),
            Conv2D(8, 3, 2, "same", activation="relu"),
            Conv2DTranspose(16, 3, 2, "same", activation="relu"),
            Conv2DTranspose(input_shape[-1], 3, 2, "same", activation="sigmoid"),
        ),
    )


def regressor(input_shape: Shape = (10,), outputs: int = 1) -> ModelSpec:
    """Two hidden layers and values, not classes: for a loss such as "mse"."""
    hidden = (Dense(64, activation="relu"), Dense(64, activation="relu"))
    return ModelSpec("regressor", input_shape, (*hidden, Dense(outputs, activation="linear")))


CLASSIFIERS: dict[str, Callable[..., ModelSpec]] = {
    "resnet8": resnet8,
    "inception_block": inception_block,
    "mobilenet_small": mobilenet_small,
    "har_conv1d": har_conv1d,
}
"""Those that take ``input_shape`` and ``classes``, as the architectures of the courses do."""
