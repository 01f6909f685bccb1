"""Conv2DTranspose in Keras: built and read."""

from __future__ import annotations

from typing import Any

from keras_models.layers.dense import read_weighted, weighted
from keras_models.layers.form import Common, Seeds
from keras_models.reading.options import only
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.Conv2DTranspose, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.Conv2DTranspose`` on channels-last images."""
    return keras.layers.Conv2DTranspose(
        layer.filters,
        layer.kernel_size,
        strides=layer.strides,
        padding=layer.padding,
        output_padding=layer.output_padding,
        data_format="channels_last",
        **weighted(layer, seeds, common["dtype"]),
        **common,
    )


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its windows, function, first values and penalties; dilation, which TensorFlow lacks in float64, is refused."""
    only(layer, dilation_rate=(1, 1))
    return specs.Conv2DTranspose(
        layer.filters,
        tuple(layer.kernel_size),
        tuple(layer.strides),
        layer.padding,
        None if layer.output_padding is None else tuple(layer.output_padding),
        **read_weighted(layer, specs.Conv2DTranspose),
        **common,
    )
