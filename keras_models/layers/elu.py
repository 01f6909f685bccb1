"""ELU in Keras: built and read; with an alpha of 1 it is read as an Activation."""

from __future__ import annotations

from typing import Any

from keras_models.layers import activation
from keras_models.layers.form import Common, Seeds
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.ELU, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.ELU``."""
    return keras.layers.ELU(alpha=layer.alpha, **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its alpha."""
    return activation.read(layer, common)
