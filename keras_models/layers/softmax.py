"""Softmax in Keras: built and read; along the last axis it is read as an Activation."""

from __future__ import annotations

import numbers
from typing import Any

from keras_models.layers.form import Common, Seeds
from keras_models.reading.options import refuse
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.Softmax, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.Softmax``."""
    return keras.layers.Softmax(layer.axis, **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its axis; several at once are refused."""
    axis = layer.axis[0] if isinstance(layer.axis, (list, tuple)) and len(layer.axis) == 1 else layer.axis
    if not isinstance(axis, numbers.Integral) or axis == 0:
        raise refuse(layer, f"axis={layer.axis}", "supported is one axis that is not the batch")
    return specs.Activation("softmax", **common) if axis == -1 else specs.Softmax(int(axis), **common)
