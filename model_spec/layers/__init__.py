"""The layers a network is written with: frozen dataclasses with Keras' names, arguments and defaults.

A layer is imported when its name is first asked for: a network pays for the layers it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_spec.layers.base import LayerSpec
from model_spec.lazy_table import LazyTable

if TYPE_CHECKING:
    from model_spec.layers.activation import Activation
    from model_spec.layers.batch_normalization import BatchNormalization
    from model_spec.layers.conv1d import Conv1D
    from model_spec.layers.conv2d import Conv2D
    from model_spec.layers.conv2d_transpose import Conv2DTranspose
    from model_spec.layers.cropping2d import Cropping2D
    from model_spec.layers.dense import Dense
    from model_spec.layers.depthwise_conv2d import DepthwiseConv2D
    from model_spec.layers.dropout import Dropout
    from model_spec.layers.elu import ELU
    from model_spec.layers.group_normalization import GroupNormalization
    from model_spec.layers.layer_normalization import LayerNormalization
    from model_spec.layers.leaky_relu import LeakyReLU
    from model_spec.layers.merging import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract
    from model_spec.layers.normalization import Normalization
    from model_spec.layers.permute import Permute
    from model_spec.layers.pooling import (
        AveragePooling2D,
        GlobalAveragePooling2D,
        GlobalMaxPooling2D,
        MaxPooling2D,
    )
    from model_spec.layers.pooling1d import (
        AveragePooling1D,
        GlobalAveragePooling1D,
        GlobalMaxPooling1D,
        MaxPooling1D,
    )
    from model_spec.layers.prelu import PReLU
    from model_spec.layers.relu import ReLU
    from model_spec.layers.repeat_vector import RepeatVector
    from model_spec.layers.reshaping import Flatten, Rescaling, Reshape, ZeroPadding2D
    from model_spec.layers.separable_conv2d import SeparableConv2D
    from model_spec.layers.softmax import Softmax
    from model_spec.layers.unit_normalization import UnitNormalization
    from model_spec.layers.up_sampling2d import UpSampling2D
    from model_spec.layers.zero_padding1d import ZeroPadding1D

LAYERS: LazyTable[type[LayerSpec]] = LazyTable(
    "model_spec.layers",
    {
        "Dense": "dense",
        "Conv2D": "conv2d",
        "DepthwiseConv2D": "depthwise_conv2d",
        "SeparableConv2D": "separable_conv2d",
        "Conv2DTranspose": "conv2d_transpose",
        "Conv1D": "conv1d",
        "MaxPooling1D": "pooling1d",
        "AveragePooling1D": "pooling1d",
        "GlobalAveragePooling1D": "pooling1d",
        "GlobalMaxPooling1D": "pooling1d",
        "MaxPooling2D": "pooling",
        "AveragePooling2D": "pooling",
        "GlobalAveragePooling2D": "pooling",
        "GlobalMaxPooling2D": "pooling",
        "ZeroPadding1D": "zero_padding1d",
        "ZeroPadding2D": "reshaping",
        "Cropping2D": "cropping2d",
        "UpSampling2D": "up_sampling2d",
        "Flatten": "reshaping",
        "Reshape": "reshaping",
        "Permute": "permute",
        "RepeatVector": "repeat_vector",
        "Rescaling": "reshaping",
        "Dropout": "dropout",
        "BatchNormalization": "batch_normalization",
        "LayerNormalization": "layer_normalization",
        "GroupNormalization": "group_normalization",
        "UnitNormalization": "unit_normalization",
        "Normalization": "normalization",
        "Activation": "activation",
        "PReLU": "prelu",
        "LeakyReLU": "leaky_relu",
        "ELU": "elu",
        "ReLU": "relu",
        "Softmax": "softmax",
        "Add": "merging",
        "Subtract": "merging",
        "Multiply": "merging",
        "Average": "merging",
        "Maximum": "merging",
        "Minimum": "merging",
        "Concatenate": "merging",
    },
)
"""The file of each layer in this folder."""

__all__ = [
    "ELU",
    "LAYERS",
    "Add",
    "Average",
    "Concatenate",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "Activation",
    "AveragePooling1D",
    "AveragePooling2D",
    "BatchNormalization",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GroupNormalization",
    "LayerNormalization",
    "LayerSpec",
    "LeakyReLU",
    "MaxPooling1D",
    "MaxPooling2D",
    "Normalization",
    "PReLU",
    "Permute",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "SeparableConv2D",
    "Softmax",
    "UnitNormalization",
    "UpSampling2D",
    "ZeroPadding1D",
    "ZeroPadding2D",
]


def __getattr__(name: str) -> Any:
    """Import the file of a layer, and keep the layer's name."""
    if name not in LAYERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = LAYERS[name]
    return globals()[name]
