"""What the table of layers holds of each: the Keras layers it is, how to build one, and how to read one back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras_models.initializers import keras_constraint, keras_initializer, keras_regularizer
from keras_models.reading.options import constraint_of, initializer_of, regularizer_of
from model_spec import LayerSpec

Seeds = Callable[[str], int]
"""Gives the seed of one layer for the first values of a variable, by its name, or for "dropout"."""

Common = dict[str, Any]
"""What every layer takes: name and trainable, and dtype when it is built."""


@dataclass(frozen=True)
class KerasForm:
    """One layer of model_spec in Keras.

    Attributes:
        kinds: the classes of Keras that are read as this layer; a subclass is another layer, whose call may do
            anything.
        build: gives the stock Keras layer; ``data_format`` is always given, for a user's keras.json may say otherwise.
        read: gives the layer of model_spec that computes the same, or refuses what it cannot say exactly.
    """

    kinds: tuple[type, ...]
    build: Callable[[Any, Seeds, Common], Any]
    read: Callable[[Any, Common], LayerSpec]


def variable_options(layer: LayerSpec, seeds: Seeds, dtype: str) -> dict[str, Any]:
    """The first values, penalties and constraints of a Keras layer's variables, as the specification has them."""
    first = {
        f"{variable}_initializer": keras_initializer(rule, seeds(variable))
        for variable, rule in layer.initializers().items()
    }
    penalties = {
        f"{variable}_regularizer": keras_regularizer(rule, dtype) for variable, rule in layer.regularizers().items()
    }
    rules = {f"{variable}_constraint": keras_constraint(rule) for variable, rule in layer.constraints().items()}
    return first | penalties | rules


def read_variable_options(layer: Any, kind: type[LayerSpec]) -> dict[str, Any]:
    """The options of :func:`variable_options` of a Keras layer, for its specification.

    Penalties and constraints that model_spec does not have change training alone: ``training_only`` names them.
    """
    options: dict[str, Any] = {}
    for item in dataclasses.fields(kind):
        _, _, what = item.name.rpartition("_")
        if what == "initializer":
            options[item.name] = initializer_of(getattr(layer, item.name), str(item.default))
        elif what == "regularizer":
            options[item.name] = regularizer_of(getattr(layer, item.name))
        elif what == "constraint":
            options[item.name] = constraint_of(getattr(layer, item.name))
    return options
