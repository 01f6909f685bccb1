"""From-scratch layers, one a file: the table of them; ``build.py`` makes the steps of a network."""

from __future__ import annotations

from collections.abc import Callable

from core_numpy.contract import Layer
from core_numpy.layers.activation import Activation
from core_numpy.layers.batch_normalization import BatchNormalization
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.conv2d_transpose import Conv2DTranspose
from core_numpy.layers.cropping2d import Cropping2D
from core_numpy.layers.dense import Dense
from core_numpy.layers.depthwise_conv2d import DepthwiseConv2D
from core_numpy.layers.dropout import Dropout
from core_numpy.layers.elu import ELU
from core_numpy.layers.global_pooling import GlobalAveragePooling2D, GlobalMaxPooling2D
from core_numpy.layers.layer_normalization import LayerNormalization
from core_numpy.layers.leaky_relu import LeakyReLU
from core_numpy.layers.merging import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract
from core_numpy.layers.over_steps import OverSteps
from core_numpy.layers.pooling import AveragePooling2D, MaxPooling2D
from core_numpy.layers.prelu import PReLU
from core_numpy.layers.relu import ReLU
from core_numpy.layers.reshaping import Rescaling, Reshape, ZeroPadding2D
from core_numpy.layers.separable_conv2d import SeparableConv2D
from core_numpy.layers.up_sampling2d import UpSampling2D
from model_spec import layers as specs

LAYERS: dict[type[specs.LayerSpec], Callable[..., Layer]] = {
    specs.Dense: Dense,
    specs.Conv2D: Conv2D,
    specs.DepthwiseConv2D: DepthwiseConv2D,
    specs.SeparableConv2D: SeparableConv2D,
    specs.Conv2DTranspose: Conv2DTranspose,
    specs.Conv1D: OverSteps,
    specs.MaxPooling1D: OverSteps,
    specs.AveragePooling1D: OverSteps,
    specs.GlobalAveragePooling1D: OverSteps,
    specs.GlobalMaxPooling1D: OverSteps,
    specs.MaxPooling2D: MaxPooling2D,
    specs.AveragePooling2D: AveragePooling2D,
    specs.GlobalAveragePooling2D: GlobalAveragePooling2D,
    specs.GlobalMaxPooling2D: GlobalMaxPooling2D,
    specs.Cropping2D: Cropping2D,
    specs.ZeroPadding1D: OverSteps,
    specs.ZeroPadding2D: ZeroPadding2D,
    specs.UpSampling2D: UpSampling2D,
    specs.Flatten: Reshape,
    specs.Reshape: Reshape,
    specs.Rescaling: Rescaling,
    specs.Dropout: Dropout,
    specs.BatchNormalization: BatchNormalization,
    specs.LayerNormalization: LayerNormalization,
    specs.Activation: Activation,
    specs.PReLU: PReLU,
    specs.LeakyReLU: LeakyReLU,
    specs.ELU: ELU,
    specs.ReLU: ReLU,
    specs.Add: Add,
    specs.Subtract: Subtract,
    specs.Multiply: Multiply,
    specs.Average: Average,
    specs.Maximum: Maximum,
    specs.Minimum: Minimum,
    specs.Concatenate: Concatenate,
}
"""The layer that computes each specification."""
