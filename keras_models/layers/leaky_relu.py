"""LeakyReLU in Keras: built and read; with the slope of the function of that name it is read as an Activation."""

from __future__ import annotations

from typing import Any

from keras_models.layers import activation
from keras_models.layers.form import Common, Seeds
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.LeakyReLU, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.LeakyReLU``."""
    return keras.layers.LeakyReLU(negative_slope=layer.negative_slope, **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its slope."""
    return activation.read(layer, common)
