"""LayerNormalization in Keras: built and read."""

from __future__ import annotations

from typing import Any

from keras_models.layers.form import Common, Seeds
from keras_models.reading.options import only, refuse
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.LayerNormalization, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.LayerNormalization``."""
    axis = list(layer.axis) if isinstance(layer.axis, tuple) else layer.axis
    return keras.layers.LayerNormalization(axis, layer.epsilon, layer.center, layer.scale, **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its axes, epsilon, and whether it scales and shifts."""
    only(layer, rms_scaling=False)
    axis = tuple(layer.axis) if isinstance(layer.axis, (list, tuple)) else layer.axis
    try:
        return specs.LayerNormalization(axis, float(layer.epsilon), bool(layer.center), bool(layer.scale), **common)
    except ValueError as error:
        raise refuse(layer, f"axis={layer.axis}", str(error)) from None
