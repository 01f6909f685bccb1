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
    """A ``keras.layers.Rescaling`` of two numbers."""
    return keras.layers.Rescaling(exact(layer.scale, common["dtype"]), exact(layer.offset, common["dtype"]), **common)


def read_rescaling(layer: Any, common: Common) -> specs.LayerSpec:
    """Its two numbers, as Keras computes with them; one for each channel is refused."""
    if np.ndim(layer.scale) or np.ndim(layer.offset):
        raise refuse(layer, "a scale or offset for each channel", "supported are single numbers")
    scale, offset = (_as_computed(value, layer.compute_dtype) for value in (layer.scale, layer.offset))
    return specs.Rescaling(scale, offset, **common)


def _as_computed(value: Any, dtype: str) -> float:
    """The number Keras computes with: its cast of a Python float to float64 goes through float32."""
    if dtype != "float64":
        return float(value)
    return float(np.asarray(keras.ops.cast(value, dtype)))
