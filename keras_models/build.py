"""From a ModelSpec to a real Keras model of stock Keras layers: a Sequential, or functional where layers branch."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from keras_models.layers import build_layer
from keras_models.layers.border import border
from keras_models.layers.merging import MERGES
from keras_models.runtime import floatx, keras
from keras_models.weight_files import layer_variables
from model_spec import ModelSpec
from model_spec.layers.ends import InputPart, Outputs


def build_model(spec: ModelSpec, seed: int, dropout_seed: int, dtype: str) -> Any:
    """Return a built Keras model with the layers, names and first values the specification says.

    It is a ``keras.Sequential`` where the layers stand in a line, each with weights of its own, else a functional
    ``keras.Model``. A layer with the weights of another one is another call of the other's Keras layer.

    Raises:
        ValueError: a layer Keras does not have, named with the supported list.
    """
    # TensorFlow names a graph scope after the model: no spaces or slashes, and a letter, digit or dot in front
    name = re.sub(r"[^A-Za-z0-9_.\-]", "_", spec.name)
    name = name if name[:1].isalnum() or name[:1] == "." else f"model_{name}"
    with floatx(dtype):
        dtype_in = spec.input_dtype or dtype
        entries = [keras.Input(part.shape, name=part.name, dtype=dtype_in) for part in spec.input_parts]
        entries = entries or [keras.Input(spec.input_shape, dtype=dtype_in)]
        layers: list[Any] = []
        in_line = spec.is_chain and not spec.shares_weights
        by_name: dict[str, Any] = {}
        # In place of the row that several inputs make, which no layer but their own reads
        values: list[Any] = [entries[0]]
        for i, (layer, read) in enumerate(zip(spec.layers, spec.sources, strict=True)):
            if isinstance(layer, InputPart):
                values.append(entries[i])
                continue
            if isinstance(layer, Outputs):
                values.append([values[at] for at in read])
                continue
            in_front = border(layer, dtype)
            layers += [] if in_front is None else [in_front]
            if layer.weights_of is None:
                layers.append(build_layer(layer, i, seed, dropout_seed, dtype))
                by_name[str(layer.name)] = layers[-1]
            if not in_line:
                called = by_name[layer.weights_of or str(layer.name)]
                inputs = [value if in_front is None else in_front(value) for value in (values[at] for at in read)]
                values.append(called(inputs if isinstance(called, MERGES) else inputs[0]))
        if in_line:
            model = keras.Sequential([*entries, *layers], name=name)
        else:
            keys = spec.output_keys
            outputs = values[-1] if keys is None else dict(zip(keys, values[-1], strict=True))
            model = keras.Model(entries if len(entries) > 1 else entries[0], outputs, name=name)
    found = {
        f"{layer.name}/{variable.name}": tuple(variable.shape)
        for layer in layers
        for variable in layer_variables(layer)
    }
    if list(found.items()) != list(spec.variable_shapes.items()):
        raise ValueError(
            f"Keras built other variables than model {spec.name!r} says: {found} instead of {spec.variable_shapes}; "
            f"this Keras version ({keras.__version__}) may name or order them differently"
        )
    return model


def names_of_calls(spec: ModelSpec) -> dict[tuple[str, int], str]:
    """{(name of a Keras layer, number of its call): the layer of the specification} of calls after the first."""
    numbers: Counter[str] = Counter()
    found = {}
    for layer in spec.layers:
        if layer.weights_of is not None:
            numbers[layer.weights_of] += 1
            found[layer.weights_of, numbers[layer.weights_of]] = str(layer.name)
    return found
