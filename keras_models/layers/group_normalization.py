"""GroupNormalization in Keras: built and read."""

from __future__ import annotations

from typing import Any

from keras_models.layers.form import Common, Seeds
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.GroupNormalization, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.GroupNormalization`` along the last axis."""
    return keras.layers.GroupNormalization(
        layer.groups, epsilon=layer.epsilon, center=layer.center, scale=layer.scale, **common
    )


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its groups, epsilon, and whether it scales and shifts; ``reading.order`` looks at its axis."""
    return specs.GroupNormalization(
        int(layer.groups), float(layer.epsilon), bool(layer.center), bool(layer.scale), **common
    )
