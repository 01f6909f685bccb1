"""Dense in Keras: built and read; and the options it shares with Conv2D."""

from __future__ import annotations

from typing import Any

from keras_models.activations import keras_activation
from keras_models.layers.form import Common, Seeds, read_variable_options, variable_options
from keras_models.reading.options import activation_of, only
from keras_models.runtime import keras
from model_spec import layers as specs

_Weighted = specs.Dense | specs.Conv1D | specs.Conv2D | specs.Conv2DTranspose


def weighted(layer: _Weighted, seeds: Seeds, dtype: str) -> dict[str, Any]:
    """The arguments that Dense and these convolutions share, for Keras."""
    options = variable_options(layer, seeds, dtype)
    return {"activation": keras_activation(layer.activation, dtype), "use_bias": layer.use_bias, **options}


def read_weighted(layer: Any, kind: type[specs.LayerSpec]) -> dict[str, Any]:
    """The arguments Dense and Conv2D share, for model_spec."""
    only(layer, lora_enabled=False)
    options = read_variable_options(layer, kind)
    return {"activation": activation_of(layer, layer.activation), "use_bias": bool(layer.use_bias), **options}


def build(layer: specs.Dense, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.Dense``."""
    return keras.layers.Dense(layer.units, **weighted(layer, seeds, common["dtype"]), **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its units, function, first values and penalties."""
    return specs.Dense(layer.units, **read_weighted(layer, specs.Dense), **common)
