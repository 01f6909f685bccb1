"""The functions Keras takes as ``activation=``: its own by name, and the step function, which it lacks."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from keras_models.runtime import keras
from model_spec import LayerSpec


@keras.saving.register_keras_serializable(package="keras_models")
def step(x: Any) -> Any:
    """1 where x > 0, else 0, in x's shape and dtype; it has no gradient."""
    return keras.ops.cast(x > 0, x.dtype)


def keras_activation(value: Any, dtype: str) -> Any:
    """Return what Keras takes as ``activation=``: its own name of the function, :func:`step`, or a layer of its own."""
    if isinstance(value, LayerSpec):
        # What every layer of a network has says nothing about a function
        common = {field.name for field in fields(LayerSpec)}
        options = {name: option for name, option in vars(value).items() if name not in common}
        return getattr(keras.layers, type(value).__name__)(**options, dtype=dtype)
    return step if value == "step" else value
