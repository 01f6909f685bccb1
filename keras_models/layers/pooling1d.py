"""The poolings over steps in Keras: built and read, over windows and over whole sequences."""

from __future__ import annotations

from typing import Any

from keras_models.layers.form import Common, KerasForm, Seeds
from keras_models.reading.options import only
from model_spec.layers import LayerSpec
from model_spec.layers.pooling1d import GlobalPooling1D, Pooling1D


def window_pooling1d(keras_kind: Any, kind: type[Pooling1D]) -> KerasForm:
    """A pooling over windows of steps."""

    def build(layer: Any, seeds: Seeds, common: Common) -> Any:
        return keras_kind(layer.pool_size, layer.strides, layer.padding, data_format="channels_last", **common)

    def read(layer: Any, common: Common) -> LayerSpec:
        only(layer, data_format="channels_last")
        return kind(layer.pool_size[0], layer.strides[0], layer.padding, **common)

    return KerasForm((keras_kind,), build, read)


def global_pooling1d(keras_kind: Any, kind: type[GlobalPooling1D]) -> KerasForm:
    """A pooling over all steps; a mask of steps never comes from the layers that are read."""

    def build(layer: Any, seeds: Seeds, common: Common) -> Any:
        return keras_kind(data_format="channels_last", keepdims=layer.keepdims, **common)

    def read(layer: Any, common: Common) -> LayerSpec:
        only(layer, data_format="channels_last")
        return kind(bool(layer.keepdims), **common)

    return KerasForm((keras_kind,), build, read)
