"""What a network and a training run ARE, and how they lie on disk: the ground floor both backends stand on.

Names are loaded when they are first asked for: a program that only predicts does not pay for optimizers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model_spec import initializers, losses, optimizers, regularizers, schedules, zoo
    from model_spec.callbacks import Callback, EpochHook, ModelCheckpoint, ReduceLROnPlateau
    from model_spec.layers import (
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
        LayerSpec,
        LeakyReLU,
        Maximum,
        MaxPooling1D,
        MaxPooling2D,
        Minimum,
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
    from model_spec.model import ModelSpec
    from model_spec.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Nadam, RMSprop
    from model_spec.protocol import Gradients, History, Model
    from model_spec.serialization import load_model, model_from_dict, model_from_json, to_dict, to_json
    from model_spec.training import EarlyStopping, TrainingSpec

__all__ = [
    "ELU",
    "SGD",
    "Activation",
    "Add",
    "Average",
    "Concatenate",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "AveragePooling1D",
    "AveragePooling2D",
    "BatchNormalization",
    "Callback",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "EarlyStopping",
    "EpochHook",
    "Flatten",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "Gradients",
    "GroupNormalization",
    "History",
    "LayerNormalization",
    "LayerSpec",
    "LeakyReLU",
    "MaxPooling1D",
    "MaxPooling2D",
    "Model",
    "ModelCheckpoint",
    "ModelSpec",
    "Nadam",
    "PReLU",
    "Normalization",
    "Permute",
    "RMSprop",
    "ReLU",
    "ReduceLROnPlateau",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "SeparableConv2D",
    "Softmax",
    "TrainingSpec",
    "UnitNormalization",
    "UpSampling2D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "initializers",
    "load_model",
    "losses",
    "model_from_dict",
    "model_from_json",
    "optimizers",
    "regularizers",
    "schedules",
    "to_dict",
    "to_json",
    "zoo",
]

_WHERE = {
    "callbacks": ("Callback", "EpochHook", "ModelCheckpoint", "ReduceLROnPlateau"),
    "model": ("ModelSpec",),
    "optimizers": ("SGD", "Adadelta", "Adagrad", "Adam", "Adamax", "AdamW", "Nadam", "RMSprop"),
    "protocol": ("Gradients", "History", "Model"),
    "serialization": ("load_model", "model_from_dict", "model_from_json", "to_dict", "to_json"),
    "training": ("EarlyStopping", "TrainingSpec"),
}
"""Where the public names live; all others are layers."""

_MODULES = ("initializers", "losses", "optimizers", "regularizers", "schedules", "zoo")


def __getattr__(name: str) -> Any:
    """Load the module a public name lives in, and keep the name."""
    if name in _MODULES:
        return import_module(f"model_spec.{name}")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = next((module for module, names in _WHERE.items() if name in names), "layers")
    value = getattr(import_module(f"model_spec.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
