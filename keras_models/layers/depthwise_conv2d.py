"""DepthwiseConv2D in Keras: built and read, also from ConvNeXt's LayerScale, a factor of its own for each channel."""

from __future__ import annotations

from typing import Any

from keras_models.activations import keras_activation
from keras_models.layers.border import after_border
from keras_models.layers.dense import read_weighted
from keras_models.layers.form import Common, Seeds, variable_options
from keras_models.runtime import keras
from model_spec import initializers
from model_spec import layers as specs

LAYER_SCALE = keras.src.applications.convnext.LayerScale


def build(layer: specs.DepthwiseConv2D, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.DepthwiseConv2D`` on channels-last images."""
    options = variable_options(layer, seeds, common["dtype"])
    return keras.layers.DepthwiseConv2D(
        layer.kernel_size,
        strides=layer.strides,
        padding=after_border(layer.padding),
        depth_multiplier=layer.depth_multiplier,
        data_format="channels_last",
        dilation_rate=layer.dilation_rate,
        activation=keras_activation(layer.activation, common["dtype"]),
        use_bias=layer.use_bias,
        # Keras calls the kernel's options by another name than the kernel
        **{name.replace("kernel_", "depthwise_"): value for name, value in options.items()},
        **common,
    )


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its windows, function, first values and penalties; those of a LayerScale are cells and none."""
    if isinstance(layer, LAYER_SCALE):
        first = initializers.Constant(float(layer.init_values))
        return specs.DepthwiseConv2D(1, use_bias=False, depthwise_initializer=first, **common)
    return specs.DepthwiseConv2D(
        tuple(layer.kernel_size),
        tuple(layer.strides),
        layer.padding,
        layer.depth_multiplier,
        tuple(layer.dilation_rate),
        **read_weighted(layer, specs.DepthwiseConv2D),
        **common,
    )
