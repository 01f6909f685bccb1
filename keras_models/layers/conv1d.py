"""Conv1D in Keras: built and read."""

from __future__ import annotations

from typing import Any

from keras_models.layers.dense import read_weighted, weighted
from keras_models.layers.form import Common, Seeds
from keras_models.reading.options import only
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.Conv1D, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.Conv1D`` on channels-last sequences."""
    return keras.layers.Conv1D(
        layer.filters,
        layer.kernel_size,
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
        groups=layer.groups,
        data_format="channels_last",
        **weighted(layer, seeds, common["dtype"]),
        **common,
    )


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its windows, function, groups, first values and penalties; channels-first sequences are refused."""
    only(layer, data_format="channels_last")
    return specs.Conv1D(
        layer.filters,
        layer.kernel_size[0],
        layer.strides[0],
        layer.padding,
        layer.dilation_rate[0],
        groups=layer.groups,
        **read_weighted(layer, specs.Conv1D),
        **common,
    )
