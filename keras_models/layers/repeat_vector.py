"""RepeatVector in Keras: built and read."""

from __future__ import annotations

from typing import Any

from keras_models.layers.form import Common, Seeds
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.RepeatVector, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.RepeatVector``."""
    return keras.layers.RepeatVector(layer.n, **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """How often it repeats."""
    return specs.RepeatVector(layer.n, **common)
