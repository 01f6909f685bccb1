"""SeparableConv2D in Keras: built and read."""

from __future__ import annotations

from typing import Any

from keras_models.activations import keras_activation
from keras_models.layers.border import after_border
from keras_models.layers.dense import read_weighted
from keras_models.layers.form import Common, Seeds, variable_options
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.SeparableConv2D, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.SeparableConv2D`` on channels-last images."""
    options = variable_options(layer, seeds, common["dtype"])
    return keras.layers.SeparableConv2D(
        layer.filters,
        layer.kernel_size,
        strides=layer.strides,
        padding=after_border(layer.padding),
        data_format="channels_last",
        dilation_rate=layer.dilation_rate,
        depth_multiplier=layer.depth_multiplier,
        activation=keras_activation(layer.activation, common["dtype"]),
        use_bias=layer.use_bias,
        # Keras calls a kernel depthwise_kernel and its options depthwise_initializer and depthwise_regularizer
        **{name.replace("_kernel_", "_"): value for name, value in options.items()},
        **common,
    )


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its windows, function, first values and penalties."""
    return specs.SeparableConv2D(
        layer.filters,
        tuple(layer.kernel_size),
        tuple(layer.strides),
        layer.padding,
        tuple(layer.dilation_rate),
        layer.depth_multiplier,
        **read_weighted(layer, specs.SeparableConv2D),
        **common,
    )
