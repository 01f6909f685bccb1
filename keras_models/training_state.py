"""Everything a training run carries besides the weights, as a dict of arrays that goes out and comes back in."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_models.layers.normalization import adopt_statistics
from keras_models.runtime import keras
from keras_models.states import dropout_call, dropout_layers, moving_statistics, set_dropout_call
from model_spec.inputs import check_weights

SLOTS = (
    "momentum",
    "velocity",
    "velocity_hat",
    "accumulator",
    "accumulated_grad",
    "accumulated_delta_var",
    "average_gradient",
    "norm",
)
"""Keras' names of what an optimizer keeps for each variable."""


def optimizer_variables(model: Any) -> dict[str, Any]:
    """The optimizer's Keras variables {"adam/dense/kernel/momentum": variable, "adam/iterations": ...}.

    Empty where no optimizer is set. The learning rate is among them unless it follows a schedule.
    """
    # Keras sets the attribute when a model is first compiled.
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return {}
    prefix = type(optimizer).__name__.lower()
    slots = {
        f"{variable.path.replace('/', '_')}_{slot}": f"{prefix}/{layer.name}/{variable.name}/{slot}"
        for layer in model.layers
        for variable in layer.trainable_weights
        for slot in SLOTS
    }
    named: dict[str, Any] = {}
    for variable in optimizer.variables:
        if variable is optimizer.iterations:
            named[f"{prefix}/iterations"] = variable
        elif variable.name in slots:
            named[slots[variable.name]] = variable
        elif isinstance(optimizer, keras.optimizers.Nadam) and variable.name.startswith("variable"):
            # Nadam's running product of momenta has no name of its own in Keras.
            named[f"{prefix}/u_product"] = variable
        elif variable.name == "learning_rate":
            named[f"{prefix}/learning_rate"] = variable
        else:
            raise ValueError(
                f"Keras' {type(optimizer).__name__} keeps a variable {variable.path!r} this program does not know; "
                f"Keras {keras.__version__} may be newer than it"
            )
    return named


def training_state(model: Any) -> dict[str, np.ndarray]:
    """Return copies of optimizer slots, iterations, moving statistics and dropout counters."""
    variables = optimizer_variables(model) | moving_statistics(model)
    state = {name: np.array(variable.numpy()) for name, variable in variables.items()}
    for layer in dropout_layers(model):
        state[f"{layer.name}/dropout_call"] = np.array(dropout_call(layer), dtype=np.int64)
    return state


def set_training_state(model: Any, state: dict[str, Any], dtype: str) -> None:
    """Put back what :func:`training_state` gave, all or nothing.

    Raises:
        ValueError: every name that is missing, unknown, of another shape or not finite.
    """
    if not isinstance(state, dict):
        raise ValueError(f"a training state is a dict of arrays, got {type(state).__name__}; give training_state()")
    variables = optimizer_variables(model) | moving_statistics(model)
    counters = {f"{layer.name}/dropout_call": layer for layer in dropout_layers(model)}
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()} | dict.fromkeys(counters, ())
    # Only for its checks: it casts all to the model's float width, in which a large counter would lose digits.
    check_weights(state, shapes, dtype)
    for name, variable in variables.items():
        variable.assign(np.asarray(state[name]).astype(variable.dtype))
    adopt_statistics(model)
    for name, layer in counters.items():
        set_dropout_call(layer, int(np.asarray(state[name])))
