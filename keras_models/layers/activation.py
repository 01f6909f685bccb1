"""Activation in Keras: built as its Activation layer, read from that and from Keras' layers of one function each."""

from __future__ import annotations

import dataclasses
from typing import Any

from keras_models.activations import keras_activation
from keras_models.layers.form import Common, Seeds
from keras_models.reading.options import activation_of_layer
from keras_models.runtime import keras
from model_spec import layers as specs

KINDS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.ELU,
    keras.layers.Softmax,
    keras.layers.Identity,
)
"""Keras also takes them as the ``activation`` of another layer."""


def build(layer: specs.Activation, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.Activation``."""
    return keras.layers.Activation(keras_activation(layer.activation, common["dtype"]), **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """The function one of these layers computes."""
    found = activation_of_layer(layer)
    return (
        dataclasses.replace(found, **common)
        if isinstance(found, specs.LayerSpec)
        else specs.Activation(found, **common)
    )
