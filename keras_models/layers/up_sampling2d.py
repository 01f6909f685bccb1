"""UpSampling2D in Keras: built and read."""

from __future__ import annotations

from typing import Any

from keras_models.layers.form import Common, Seeds
from keras_models.reading.options import only
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.UpSampling2D, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.UpSampling2D`` of channels-last images."""
    return keras.layers.UpSampling2D(layer.size, data_format="channels_last", interpolation="nearest", **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its size; what interpolates between cells is refused."""
    only(layer, interpolation="nearest")
    return specs.UpSampling2D(tuple(layer.size), **common)
