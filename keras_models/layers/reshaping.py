"""Layers without parameters that move, pad or rescale values in Keras: built and read."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_models.constants import exact
from keras_models.layers.form import Common, Seeds
from keras_models.reading.options import refuse
from keras_models.runtime import keras
from model_spec import layers as specs


def build_flatten(layer: specs.Flatten, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.Flatten`` of channels-last images."""
    return keras.layers.Flatten(data_format="channels_last", **common)


def read_flatten(layer: Any, common: Common) -> specs.LayerSpec:
    """It has no options but its format, which ``reading.order`` looks at."""
    return specs.Flatten(**common)


def build_reshape(layer: specs.Reshape, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.Reshape``."""
    return keras.layers.Reshape(layer.target_shape, **common)


def read_reshape(layer: Any, common: Common) -> specs.LayerSpec:
    """Its target shape."""
    return specs.Reshape(tuple(layer.target_shape), **common)


def build_zero_padding(layer: specs.ZeroPadding2D, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.ZeroPadding2D`` of channels-last images."""
    return keras.layers.ZeroPadding2D(layer.padding, data_format="channels_last", **common)


def read_zero_padding(layer: Any, common: Common) -> specs.LayerSpec:
    """Its four borders."""
    return specs.ZeroPadding2D(tuple(tuple(pair) for pair in layer.padding), **common)


def build_rescaling(layer: specs.Rescaling, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.Rescaling`` of two numbers, or of one for each channel."""
    scale, offset = (_given(value, common["dtype"]) for value in (layer.scale, layer.offset))
    return keras.layers.Rescaling(scale, offset, **common)


def _given(value: Any, dtype: str) -> Any:
    """An array where a list would lose digits: Keras casts lists of Python floats through float32."""
    if isinstance(value, tuple):
        return np.asarray(value) if dtype == "float64" else list(value)
    return exact(value, dtype)


def read_rescaling(layer: Any, common: Common) -> specs.LayerSpec:
    """Its numbers, as Keras computes with them."""
    for name in ("scale", "offset"):
        value = getattr(layer, name)
        if np.ndim(value) > 1:
            raise refuse(
                layer, f"{name} of shape {np.shape(value)}", "supported are one number and a flat list, one a channel"
            )
        if np.ndim(value) and keras.config.image_data_format() != "channels_last":
            raise refuse(
                layer, f"{name} for each channel while Keras is set to channels first", "set it to channels_last"
            )
    scale, offset = (_as_computed(value, layer.compute_dtype) for value in (layer.scale, layer.offset))
    return specs.Rescaling(scale, offset, **common)


def _as_computed(value: Any, dtype: str) -> Any:
    """The number, or numbers, Keras computes with: its cast of Python floats to float64 goes through float32."""
    if dtype != "float64":
        return np.asarray(value, np.float64).tolist()
    return np.asarray(keras.ops.cast(value, dtype)).tolist()
