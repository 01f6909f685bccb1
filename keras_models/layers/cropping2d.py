"""Cropping2D in Keras: built and read."""

from __future__ import annotations

from typing import Any

from keras_models.layers.form import Common, Seeds
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.Cropping2D, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.Cropping2D`` of channels-last images."""
    return keras.layers.Cropping2D(layer.cropping, data_format="channels_last", **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its four borders."""
    return specs.Cropping2D(tuple(tuple(pair) for pair in layer.cropping), **common)
