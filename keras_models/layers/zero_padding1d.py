"""ZeroPadding1D in Keras: built and read."""

from __future__ import annotations

from typing import Any

from keras_models.layers.form import Common, Seeds
from keras_models.reading.options import only
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.ZeroPadding1D, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.ZeroPadding1D`` of channels-last sequences."""
    return keras.layers.ZeroPadding1D(layer.padding, data_format="channels_last", **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its steps before and after; channels-first sequences are refused."""
    only(layer, data_format="channels_last")
    return specs.ZeroPadding1D(tuple(layer.padding), **common)
