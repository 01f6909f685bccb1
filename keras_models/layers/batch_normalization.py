"""BatchNormalization in Keras: built and read, on the axis of the channels."""

from __future__ import annotations

from typing import Any

from keras_models.layers.form import Common, Seeds
from keras_models.reading.options import only
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.BatchNormalization, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.BatchNormalization`` on the last axis."""
    return keras.layers.BatchNormalization(
        axis=-1, momentum=layer.momentum, epsilon=layer.epsilon, center=layer.center, scale=layer.scale, **common
    )


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its axis is looked at by ``reading.order``, which knows where the channels stand."""
    only(layer, renorm=False)
    return specs.BatchNormalization(
        float(layer.momentum), float(layer.epsilon), bool(layer.center), bool(layer.scale), **common
    )
