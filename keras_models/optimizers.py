"""Optimizers and learning-rate schedules of model_spec as Keras' own objects."""

from __future__ import annotations

import dataclasses
from typing import Any

from keras_models.constants import exact
from keras_models.runtime import keras
from model_spec import optimizers, schedules

_OPTIMIZERS: dict[type, Any] = {
    optimizers.SGD: keras.optimizers.SGD,
    optimizers.Adagrad: keras.optimizers.Adagrad,
    optimizers.RMSprop: keras.optimizers.RMSprop,
    optimizers.Adadelta: keras.optimizers.Adadelta,
    optimizers.Adam: keras.optimizers.Adam,
    optimizers.AdamW: keras.optimizers.AdamW,
    optimizers.Adamax: keras.optimizers.Adamax,
    optimizers.Nadam: keras.optimizers.Nadam,
}

_SCHEDULES: dict[type, Any] = {
    schedules.PiecewiseConstantDecay: keras.optimizers.schedules.PiecewiseConstantDecay,
    schedules.ExponentialDecay: keras.optimizers.schedules.ExponentialDecay,
    schedules.InverseTimeDecay: keras.optimizers.schedules.InverseTimeDecay,
    schedules.PolynomialDecay: keras.optimizers.schedules.PolynomialDecay,
    schedules.CosineDecay: keras.optimizers.schedules.CosineDecay,
}


def keras_schedule(schedule: schedules.Schedule, dtype: str) -> Any:
    """Return the ``keras.optimizers.schedules`` object of a schedule for a model of ``dtype``."""
    if type(schedule) not in _SCHEDULES:
        known = ", ".join(kind.__name__ for kind in _SCHEDULES)
        raise ValueError(f"unknown schedule {schedule!r}; supported are {known}")
    return _SCHEDULES[type(schedule)](**_options(schedule, dtype))


def keras_optimizer(optimizer: optimizers.Optimizer, dtype: str) -> Any:
    """Return a fresh ``keras.optimizers`` object; call it inside ``floatx(dtype)``, whose width its variables take.

    The arguments of model_spec are Keras' arguments, so they are handed over by name.
    """
    if type(optimizer) not in _OPTIMIZERS:
        known = ", ".join(kind.__name__ for kind in _OPTIMIZERS)
        raise ValueError(f"unknown optimizer {optimizer!r}; supported are {known}")
    options = _options(optimizer, dtype)
    if isinstance(optimizer.learning_rate, schedules.Schedule):
        options["learning_rate"] = keras_schedule(optimizer.learning_rate, dtype)
    if isinstance(optimizer, optimizers.AdamW) and optimizer.weight_decay is None:
        # Keras' AdamW refuses None; no decay is a decay of zero.
        options["weight_decay"] = 0.0
    return _OPTIMIZERS[type(optimizer)](**options, name=type(optimizer).__name__.lower())


def _options(specification: Any, dtype: str) -> dict[str, Any]:
    values = {item.name: getattr(specification, item.name) for item in dataclasses.fields(specification)}
    # Adadelta multiplies rho with a Keras variable directly: a NumPy number would take the product over and fail in a
    # graph, and a Python number keeps all its digits there.
    return {name: value if name == "rho" else exact(value, dtype) for name, value in values.items()}
