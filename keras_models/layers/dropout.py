"""Dropout in Keras: built with the seed of its masks, and read."""

from __future__ import annotations

from typing import Any

from keras_models.layers.form import Common, Seeds
from keras_models.reading.options import only
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.Dropout, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.Dropout``."""
    return keras.layers.Dropout(layer.rate, seed=seeds("dropout"), **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its rate; masks of another shape than the input are refused."""
    only(layer, noise_shape=None)
    return specs.Dropout(float(layer.rate), **common)
