"""What a network and a training run ARE: the ground floor both backends stand on (standard library only)."""

from model_spec import initializers, losses, optimizers, regularizers, schedules, zoo
from model_spec.callbacks import Callback, EpochHook, ModelCheckpoint, ReduceLROnPlateau
from model_spec.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    LayerSpec,
    MaxPooling2D,
    Rescaling,
    Reshape,
    ZeroPadding2D,
)
from model_spec.model import ModelSpec
from model_spec.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Nadam, RMSprop
from model_spec.protocol import Gradients, History, Model
from model_spec.serialization import load_model, model_from_dict, model_from_json, to_dict, to_json
from model_spec.training import EarlyStopping, TrainingSpec

__all__ = [
    "SGD",
    "Activation",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "AveragePooling2D",
    "BatchNormalization",
    "Callback",
    "Conv2D",
    "Dense",
    "Dropout",
    "EarlyStopping",
    "EpochHook",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Gradients",
    "History",
    "LayerSpec",
    "MaxPooling2D",
    "Model",
    "ModelCheckpoint",
    "ModelSpec",
    "Nadam",
    "RMSprop",
    "ReduceLROnPlateau",
    "Rescaling",
    "Reshape",
    "TrainingSpec",
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
