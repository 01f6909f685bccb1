"""One Keras layer as a layer of model_spec: a small reader each, which refuses what it cannot say exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_models.reading.options import (
    activation_of,
    activation_of_layer,
    initializer_of,
    only,
    refuse,
    regularizer_of,
)
from keras_models.runtime import keras
from model_spec import layers as specs

Reader = Callable[[Any, dict[str, Any]], specs.LayerSpec]


def _weighted(layer: Any) -> dict[str, Any]:
    """The arguments Dense and Conv2D share."""
    only(layer, kernel_constraint=None, bias_constraint=None, activity_regularizer=None, lora_enabled=False)
    return {
        "activation": activation_of(layer, layer.activation),
        "use_bias": bool(layer.use_bias),
        "kernel_initializer": initializer_of(layer.kernel_initializer, "glorot_uniform"),
        "bias_initializer": initializer_of(layer.bias_initializer, "zeros"),
        "kernel_regularizer": regularizer_of(layer, layer.kernel_regularizer),
        "bias_regularizer": regularizer_of(layer, layer.bias_regularizer),
    }


def _dense(layer: Any, common: dict[str, Any]) -> specs.LayerSpec:
    return specs.Dense(layer.units, **_weighted(layer), **common)


def _conv2d(layer: Any, common: dict[str, Any]) -> specs.LayerSpec:
    only(layer, groups=1)
    return specs.Conv2D(
        layer.filters,
        tuple(layer.kernel_size),
        tuple(layer.strides),
        layer.padding,
        tuple(layer.dilation_rate),
        **_weighted(layer),
        **common,
    )


def _pooling(kind: Any) -> Reader:
    return lambda layer, common: kind(tuple(layer.pool_size), tuple(layer.strides), layer.padding, **common)


def _global_pooling(kind: Any) -> Reader:
    def read(layer: Any, common: dict[str, Any]) -> specs.LayerSpec:
        only(layer, keepdims=False)
        result: specs.LayerSpec = kind(**common)
        return result

    return read


def _zero_padding(layer: Any, common: dict[str, Any]) -> specs.LayerSpec:
    return specs.ZeroPadding2D(tuple(tuple(pair) for pair in layer.padding), **common)


def _rescaling(layer: Any, common: dict[str, Any]) -> specs.LayerSpec:
    if np.ndim(layer.scale) or np.ndim(layer.offset):
        raise refuse(layer, "a scale or offset for each channel", "supported are single numbers")
    scale, offset = (_as_computed(value, layer.compute_dtype) for value in (layer.scale, layer.offset))
    return specs.Rescaling(scale, offset, **common)


def _as_computed(value: Any, dtype: str) -> float:
    """The number Keras computes with: its cast of a Python float to float64 goes through float32."""
    if dtype != "float64":
        return float(value)
    return float(np.asarray(keras.ops.cast(value, dtype)))


def _dropout(layer: Any, common: dict[str, Any]) -> specs.LayerSpec:
    only(layer, noise_shape=None)
    return specs.Dropout(float(layer.rate), **common)


def _batch_normalization(layer: Any, common: dict[str, Any]) -> specs.LayerSpec:
    only(layer, synchronized=False, renorm=False, activity_regularizer=None)
    only(layer, beta_regularizer=None, gamma_regularizer=None, beta_constraint=None, gamma_constraint=None)
    return specs.BatchNormalization(
        float(layer.momentum), float(layer.epsilon), bool(layer.center), bool(layer.scale), **common
    )


def _activation(layer: Any, common: dict[str, Any]) -> specs.LayerSpec:
    return specs.Activation(activation_of_layer(layer), **common)


READERS: dict[type, Reader] = {
    keras.layers.Dense: _dense,
    keras.layers.Conv2D: _conv2d,
    keras.layers.MaxPooling2D: _pooling(specs.MaxPooling2D),
    keras.layers.AveragePooling2D: _pooling(specs.AveragePooling2D),
    keras.layers.GlobalAveragePooling2D: _global_pooling(specs.GlobalAveragePooling2D),
    keras.layers.GlobalMaxPooling2D: _global_pooling(specs.GlobalMaxPooling2D),
    keras.layers.ZeroPadding2D: _zero_padding,
    keras.layers.Flatten: lambda layer, common: specs.Flatten(**common),
    keras.layers.Reshape: lambda layer, common: specs.Reshape(tuple(layer.target_shape), **common),
    keras.layers.Rescaling: _rescaling,
    keras.layers.Dropout: _dropout,
    keras.layers.BatchNormalization: _batch_normalization,
    keras.layers.Activation: _activation,
    keras.layers.ReLU: _activation,
    keras.layers.LeakyReLU: _activation,
    keras.layers.ELU: _activation,
    keras.layers.Softmax: _activation,
    keras.layers.Identity: _activation,
}
"""How each layer of Keras is read; a subclass is another layer, whose call may do anything."""

ACTIVATION_LAYERS = frozenset(kind for kind, reader in READERS.items() if reader is _activation)
"""Those that Keras also takes as the ``activation`` of another layer."""


def read_layer(layer: Any, name: str) -> specs.LayerSpec:
    """The layer of model_spec that computes what a Keras layer computes.

    Raises:
        ValueError: a layer, or an option of one, that model_spec cannot say; named with what is supported.
    """
    if type(layer) not in READERS:
        raise refuse(layer, "this layer", f"supported are {', '.join(kind.__name__ for kind in READERS)}")
    return READERS[type(layer)](layer, {"name": name, "trainable": bool(layer.trainable)})
