"""PReLU in Keras: built and read."""

from __future__ import annotations

from typing import Any

from keras_models.layers.form import Common, Seeds, read_variable_options, variable_options
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.PReLU, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.PReLU``."""
    options = variable_options(layer, seeds, common["dtype"])
    return keras.layers.PReLU(shared_axes=layer.shared_axes, **options, **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its first slopes, their penalty, and the axes they are shared along."""
    return specs.PReLU(shared_axes=layer.shared_axes, **read_variable_options(layer, specs.PReLU), **common)
