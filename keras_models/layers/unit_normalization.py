"""UnitNormalization in Keras: built and read."""

from __future__ import annotations

from typing import Any

from keras_models.layers.form import Common, Seeds
from keras_models.reading.options import refuse
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.UnitNormalization, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.UnitNormalization``."""
    return keras.layers.UnitNormalization(list(layer.axis) if isinstance(layer.axis, tuple) else layer.axis, **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its axes."""
    axis = tuple(layer.axis) if isinstance(layer.axis, (list, tuple)) else layer.axis
    try:
        return specs.UnitNormalization(axis, **common)
    except ValueError as error:
        raise refuse(layer, f"axis={layer.axis}", str(error)) from None
