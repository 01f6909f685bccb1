"""What a Keras model carries from batch to batch besides its weights: dropout counters and moving statistics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keras_models.runtime import keras


def dropout_layers(model: Any) -> list[Any]:
    """The layers that draw random numbers; Keras gives Dropout(0) no generator, so it has no counter."""
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout) and layer.rate > 0]


def dropout_call(layer: Any) -> int:
    """Which call of the layer's random stream comes next."""
    return int(layer.seed_generator.state.numpy()[1])


def set_dropout_call(layer: Any, call: int) -> None:
    """Let the layer's next training call be call number ``call``: Keras draws it with the seed (layer seed, call)."""
    layer.seed_generator.state.assign([layer.seed, call])


def moving_statistics(model: Any) -> dict[str, Any]:
    """The Keras variables {"batch_normalization/moving_mean": variable, ...}; those of a Normalization never move."""
    return {
        f"{layer.name}/{variable.name}": variable
        for layer in model.layers
        if isinstance(layer, (keras.layers.BatchNormalization, keras.layers.Normalization))
        for variable in layer.weights
        if variable.name.endswith(("mean", "variance"))
    }


@contextmanager
def kept_states(model: Any, call: int) -> Iterator[None]:
    """Run with all dropout counters at ``call``; leave counters and moving statistics as they were."""
    counters = [(layer, layer.seed_generator.state.numpy()) for layer in dropout_layers(model)]
    statistics = [(variable, variable.numpy()) for variable in moving_statistics(model).values()]
    try:
        for layer, _ in counters:
            set_dropout_call(layer, call)
        yield
    finally:
        for layer, state in counters:
            layer.seed_generator.state.assign(state)
        for variable, value in statistics:
            variable.assign(value)
