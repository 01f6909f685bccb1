"""Normalization in Keras: built and read; its statistics are constants to Keras, made of its variables."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_models.layers.form import Common, Seeds
from keras_models.reading.options import only, refuse
from keras_models.runtime import keras
from model_spec import layers as specs


def build(layer: specs.Normalization, seeds: Seeds, common: Common) -> Any:
    """A ``keras.layers.Normalization``, to be adapted."""
    return keras.layers.Normalization(layer.axis, **common)


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """Its axes; what undoes a normalization is refused."""
    only(layer, invert=False)
    axes = tuple(layer.axis)
    try:
        return specs.Normalization(axes[0] if len(axes) == 1 else axes or None, **common)
    except ValueError as error:
        raise refuse(layer, f"axis={axes}", str(error)) from None


def statistics(layer: Any) -> dict[str, np.ndarray]:
    """The mean and the variance that a built layer computes with, adapted or given."""
    shape = layer._mean_and_var_shape
    return {name: np.array(getattr(layer, name)).reshape(shape) for name in ("mean", "variance")}


def adopt_statistics(model: Any) -> None:
    """Make Keras compute with the statistics in the variables, which it has as constants in all it has traced."""
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Normalization)]
    for layer in layers:
        layer.finalize_state()
    if layers:
        model.train_function = model.test_function = model.predict_function = None
