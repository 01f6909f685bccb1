"""The poolings in Keras: built and read, over windows and over whole images."""

from __future__ import annotations

from typing import Any

from keras_models.layers.border import after_border
from keras_models.layers.form import Common, KerasForm, Seeds
from model_spec.layers import LayerSpec
from model_spec.layers.pooling import GlobalPooling2D, Pooling2D


def window_pooling(keras_kind: Any, kind: type[Pooling2D]) -> KerasForm:
    """A pooling over windows."""

    def build(layer: Any, seeds: Seeds, common: Common) -> Any:
        padding = after_border(layer.padding)
        return keras_kind(layer.pool_size, layer.strides, padding, data_format="channels_last", **common)

    def read(layer: Any, common: Common) -> LayerSpec:
        return kind(tuple(layer.pool_size), tuple(layer.strides), layer.padding, **common)

    return KerasForm((keras_kind,), build, read)


def global_pooling(keras_kind: Any, kind: type[GlobalPooling2D]) -> KerasForm:
    """A pooling over the whole image."""

    def build(layer: Any, seeds: Seeds, common: Common) -> Any:
        return keras_kind(data_format="channels_last", keepdims=layer.keepdims, **common)

    def read(layer: Any, common: Common) -> LayerSpec:
        return kind(bool(layer.keepdims), **common)

    return KerasForm((keras_kind,), build, read)
