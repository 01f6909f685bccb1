"""Permute in Keras: built and read."""

from __future__ import annotations

from typing import Any

from keras_models.layers.form import Common, Seeds
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.Permute, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.Permute``."""
    return keras.layers.Permute(layer.dims, **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its axes."""
    return specs.Permute(tuple(layer.dims), **common)
