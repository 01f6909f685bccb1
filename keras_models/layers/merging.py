"""The merges in Keras: built and read; one class of Keras for each of model_spec's."""

from __future__ import annotations

from typing import Any

from keras_models.ends import Outputs
from keras_models.layers.form import Common, KerasForm, Seeds
from keras_models.runtime import keras
from model_spec import layers as specs

MERGES = (
    keras.layers.Add,
    keras.layers.Subtract,
    keras.layers.Multiply,
    keras.layers.Average,
    keras.layers.Maximum,
    keras.layers.Minimum,
    keras.layers.Concatenate,
)
"""The layers that merge tensors."""

PRODUCT_OF_VECTORS = (
    "write keras.layers.Multiply, then keras.layers.Dense(1, use_bias=False, kernel_initializer='ones') for the sum of "
    "the products"
)
"""What to write in place of a product of the vectors that two layers give, such as ``keras.layers.Dot``."""

TAKES_LIST = (*MERGES, Outputs)
"""What is called on a list of tensors."""


def merge(keras_kind: Any, kind: type[specs.LayerSpec]) -> KerasForm:
    """A merge without options."""

    def build(layer: Any, seeds: Seeds, common: Common) -> Any:
        return keras_kind(**common)

    def read(layer: Any, common: Common) -> specs.LayerSpec:
        return kind(**common)

    return KerasForm((keras_kind,), build, read)


def build_concatenate(layer: specs.Concatenate, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.Concatenate``."""
    return keras.layers.Concatenate(axis=layer.axis, **common)


def read_concatenate(layer: Any, common: Common) -> specs.LayerSpec:
    """Its axis; that of channels-first images is turned by ``reading.order``."""
    return specs.Concatenate(layer.axis, **common)
