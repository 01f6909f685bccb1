"""Conv2D in Keras: built and read."""

from __future__ import annotations

from typing import Any

from keras_models.layers.border import after_border
from keras_models.layers.dense import read_weighted, weighted
from keras_models.layers.form import Common, Seeds
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.Conv2D, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.Conv2D`` on channels-last images."""
    return keras.layers.Conv2D(
        layer.filters,
        layer.kernel_size,
        strides=layer.strides,
        padding=after_border(layer.padding),
        dilation_rate=layer.dilation_rate,
        groups=layer.groups,
        data_format="channels_last",
        **weighted(layer, seeds, common["dtype"]),
        **common,
    )


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its windows, function, groups, first values and penalties."""
    return specs.Conv2D(
        layer.filters,
        tuple(layer.kernel_size),
        tuple(layer.strides),
        layer.padding,
        tuple(layer.dilation_rate),
        groups=layer.groups,
        **read_weighted(layer, specs.Conv2D),
        **common,
    )
