"""From a ModelSpec to a real keras.Sequential of stock Keras layers."""

from __future__ import annotations

import re
from typing import Any

from keras_models.layers import build_layer
from keras_models.layers.border import border
from keras_models.runtime import floatx, keras
from model_spec import ModelSpec


def build_sequential(spec: ModelSpec, seed: int, dropout_seed: int, dtype: str) -> Any:
    """Return a built ``keras.Sequential`` with the layers, names and first values the specification says.

    Raises:
        ValueError: a layer Keras does not have, named with the supported list.
    """
    # TensorFlow uses the model's name as the name of a graph scope, which takes no spaces or slashes.
    name = re.sub(r"[^A-Za-z0-9_.\-]", "_", spec.name)
    with floatx(dtype):
        layers = []
        for i, layer in enumerate(spec.layers):
            in_front = border(layer, dtype)
            layers += [] if in_front is None else [in_front]
            layers.append(build_layer(layer, i, seed, dropout_seed, dtype))
        model = keras.Sequential(
            [keras.Input(spec.input_shape, dtype=spec.input_dtype or dtype), *layers], name=f"model_{name}"
        )
    found = {f"{layer.name}/{variable.name}": tuple(variable.shape) for layer in layers for variable in layer.weights}
    if list(found.items()) != list(spec.variable_shapes.items()):
        raise ValueError(
            f"Keras built other variables than model {spec.name!r} says: {found} instead of {spec.variable_shapes}; "
            f"this Keras version ({keras.__version__}) may name or order them differently"
        )
    return model
