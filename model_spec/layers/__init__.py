"""The layers a network is written with: frozen dataclasses with Keras' names, arguments and defaults."""

from model_spec.layers.activation import Activation
from model_spec.layers.base import LayerSpec
from model_spec.layers.batch_normalization import BatchNormalization
from model_spec.layers.conv1d import Conv1D
from model_spec.layers.conv2d import Conv2D
from model_spec.layers.conv2d_transpose import Conv2DTranspose
from model_spec.layers.cropping2d import Cropping2D
from model_spec.layers.dense import Dense
from model_spec.layers.depthwise_conv2d import DepthwiseConv2D
from model_spec.layers.dropout import Dropout
from model_spec.layers.elu import ELU
from model_spec.layers.layer_normalization import LayerNormalization
from model_spec.layers.leaky_relu import LeakyReLU
from model_spec.layers.merging import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract
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
from model_spec.layers.reshaping import Flatten, Rescaling, Reshape, ZeroPadding2D
from model_spec.layers.separable_conv2d import SeparableConv2D
from model_spec.layers.up_sampling2d import UpSampling2D
from model_spec.layers.zero_padding1d import ZeroPadding1D

LAYERS: dict[str, type[LayerSpec]] = {
    layer.__name__: layer
    for layer in (
        Dense,
        Conv2D,
        DepthwiseConv2D,
        SeparableConv2D,
        Conv2DTranspose,
        Conv1D,
        MaxPooling1D,
        AveragePooling1D,
        GlobalAveragePooling1D,
        GlobalMaxPooling1D,
        MaxPooling2D,
        AveragePooling2D,
        GlobalAveragePooling2D,
        GlobalMaxPooling2D,
        ZeroPadding1D,
        ZeroPadding2D,
        Cropping2D,
        UpSampling2D,
        Flatten,
        Reshape,
        Rescaling,
        Dropout,
        BatchNormalization,
        LayerNormalization,
        Activation,
        PReLU,
        LeakyReLU,
        ELU,
        ReLU,
        Add,
        Subtract,
        Multiply,
        Average,
        Maximum,
        Minimum,
        Concatenate,
    )
}

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
    "LayerNormalization",
    "LayerSpec",
    "LeakyReLU",
    "MaxPooling1D",
    "MaxPooling2D",
    "PReLU",
    "ReLU",
    "Rescaling",
    "Reshape",
    "SeparableConv2D",
    "UpSampling2D",
    "ZeroPadding1D",
    "ZeroPadding2D",
]
