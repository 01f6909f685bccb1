"""The architectures of the courses, each written once.

Examples:
    >>> cnn().output_shape, mlp(hidden=(100, 50)).parameter_count
    ((10,), 84060)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from model_spec.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    LayerSpec,
    MaxPooling2D,
)
from model_spec.model import ModelSpec
from model_spec.names import nearest
from model_spec.shapes import Shape
from model_spec.zoo_extended import CLASSIFIERS


def mlp(
    input_shape: Shape = (28, 28, 1), classes: int = 10, hidden: Sequence[int] = (16,), activation: str = "sigmoid"
) -> ModelSpec:
    """The multi-layer perceptron: hidden Dense layers, then one softmax."""
    layers: list[LayerSpec] = [] if len(input_shape) == 1 else [Flatten()]
    layers += [Dense(units, activation=activation) for units in hidden]
    return ModelSpec("mlp", input_shape, (*layers, Dense(classes, activation="softmax")))


def cnn(input_shape: Shape = (28, 28, 1), classes: int = 10) -> ModelSpec:
    """The 2-layer CNN: one convolution that keeps the size, then one softmax."""
    return ModelSpec(
        "cnn",
        input_shape,
        (
            Conv2D(8, 3, padding="same", activation="relu"),
            Flatten(),
            Dense(classes, activation="softmax"),
        ),
    )


def lenet(input_shape: Shape = (28, 28, 1), classes: int = 10, padding: str | None = None) -> ModelSpec:
    """The LeNet-like CNN with dropout.

    ``padding=None`` means "valid", and "same" where the image side is below 12: valid would leave nothing of an
    8x8 digit.
    """
    if padding is None:
        padding = "same" if min(input_shape[:2]) < 12 else "valid"
    return ModelSpec(
        "lenet",
        input_shape,
        (
            Conv2D(16, 3, padding=padding, activation="relu"),
            Conv2D(32, 3, padding=padding, activation="relu"),
            MaxPooling2D(2),
            Conv2D(64, 3, padding=padding, activation="relu"),
            MaxPooling2D(2),
            Dropout(0.25),
            Flatten(),
            Dense(128, activation="relu"),
            Dropout(0.25),
            Dense(classes, activation="softmax"),
        ),
    )


def bn_cnn(input_shape: Shape = (28, 28, 1), classes: int = 10) -> ModelSpec:
    """A CNN with batch normalization: two convolutions without bias, each normalised before its relu."""
    return ModelSpec(
        "bn_cnn",
        input_shape,
        (
            Conv2D(8, 3, padding="same", use_bias=False),
            BatchNormalization(),
            Activation("relu"),
            MaxPooling2D(2),
            Conv2D(16, 3, padding="same", use_bias=False),
            BatchNormalization(),
            Activation("relu"),
            GlobalAveragePooling2D(),
            Dense(classes, activation="softmax"),
        ),
    )


MAIN = ("mlp", "cnn", "lenet")
"""The architectures of the main job, "all" on the command line."""

ZOO: dict[str, Callable[..., ModelSpec]] = {"mlp": mlp, "cnn": cnn, "lenet": lenet, "bn_cnn": bn_cnn}
"""The courses' architectures by name; each takes ``input_shape`` and ``classes``. See also ``zoo_extended``."""


def build(name: str, input_shape: Shape = (28, 28, 1), classes: int = 10) -> ModelSpec:
    """Return the architecture of that name for this input and number of classes."""
    if name in CLASSIFIERS:
        return CLASSIFIERS[name](input_shape=input_shape, classes=classes)
    if name not in ZOO:
        known = (*ZOO, *CLASSIFIERS)
        raise ValueError(
            f"unknown architecture {name!r}{nearest(name, known)}; known are {', '.join(known)}, or give a .toml file"
        )
    return ZOO[name](input_shape=input_shape, classes=classes)
