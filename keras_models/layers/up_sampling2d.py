"""UpSampling2D in Keras: built and read."""

from __future__ import annotations

from typing import Any

from keras_models.layers.form import Common, Seeds
from keras_models.reading.options import refuse
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.UpSampling2D, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.UpSampling2D`` of channels-last images."""
    return keras.layers.UpSampling2D(
        layer.size, data_format="channels_last", interpolation=layer.interpolation, **common
    )


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its size and interpolation, of which two are supported."""
    if layer.interpolation not in ("nearest", "bilinear"):
        raise refuse(layer, f"interpolation={layer.interpolation!r}", "supported are 'nearest' and 'bilinear'")
    return specs.UpSampling2D(tuple(layer.size), layer.interpolation, **common)
