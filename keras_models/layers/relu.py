"""ReLU in Keras: built and read; without options, or with ``max_value=6`` alone, it is read as an Activation."""

from __future__ import annotations

from typing import Any

from keras_models.layers import activation
from keras_models.layers.form import Common, Seeds
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.ReLU, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.ReLU``."""
    return keras.layers.ReLU(layer.max_value, layer.negative_slope, layer.threshold, **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its three numbers."""
    return activation.read(layer, common)
