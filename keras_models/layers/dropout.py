"""Dropout in Keras: built with the seed of its masks, and read; the spatial dropouts are read as one with a mask."""

from __future__ import annotations

from typing import Any

from keras_models.layers.form import Common, Seeds
from keras_models.reading.options import refuse
from keras_models.runtime import keras
from model_spec import layers as specs

SPATIAL = (keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D, keras.layers.SpatialDropout3D)


def build(layer: specs.Dropout, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.Dropout``."""
    noise = layer.noise_shape and tuple(None if size == -1 else size for size in layer.noise_shape)
    return keras.layers.Dropout(layer.rate, noise, seed=seeds("dropout"), **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its rate, and the shape of its masks."""
    if isinstance(layer, SPATIAL):
        axes = layer.input_spec.ndim - 2
        shared = (1,) * axes
        channels_first = getattr(layer, "data_format", "channels_last") == "channels_first"
        return specs.Dropout(
            float(layer.rate), (None, None, *shared) if channels_first else (None, *shared, None), **common
        )
    noise = layer.noise_shape
    if noise is not None and (not noise or noise[0] is not None):
        raise refuse(layer, f"noise_shape={noise}", "supported are masks with None for the batch in front")
    return specs.Dropout(float(layer.rate), noise and tuple(noise), **common)
