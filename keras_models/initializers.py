"""First values and penalties: initializers and regularizers of model_spec as Keras' own objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from keras_models.constants import exact
from keras_models.runtime import keras
from model_spec import constraints, initializers, regularizers

_INITIALIZERS: dict[type, Callable[[Any, int], Any]] = {
    initializers.Zeros: lambda rule, seed: keras.initializers.Zeros(),
    initializers.Ones: lambda rule, seed: keras.initializers.Ones(),
    initializers.Constant: lambda rule, seed: keras.initializers.Constant(rule.value),
    initializers.RandomUniform: lambda rule, seed: keras.initializers.RandomUniform(rule.minval, rule.maxval, seed),
    initializers.RandomNormal: lambda rule, seed: keras.initializers.RandomNormal(rule.mean, rule.stddev, seed),
    initializers.GlorotUniform: lambda rule, seed: keras.initializers.GlorotUniform(seed),
    initializers.GlorotNormal: lambda rule, seed: keras.initializers.GlorotNormal(seed),
    initializers.HeUniform: lambda rule, seed: keras.initializers.HeUniform(seed),
    initializers.HeNormal: lambda rule, seed: keras.initializers.HeNormal(seed),
    initializers.LecunUniform: lambda rule, seed: keras.initializers.LecunUniform(seed),
    initializers.LecunNormal: lambda rule, seed: keras.initializers.LecunNormal(seed),
}

_REGULARIZERS: dict[type, Any] = {
    regularizers.L1: keras.regularizers.L1,
    regularizers.L2: keras.regularizers.L2,
    regularizers.L1L2: keras.regularizers.L1L2,
}


def keras_initializer(rule: initializers.Initializer, seed: int) -> Any:
    """Return the ``keras.initializers`` object of a rule; rules without randomness ignore ``seed``."""
    if type(rule) not in _INITIALIZERS:
        raise ValueError(f"unknown initializer {rule!r}; supported are {_names(_INITIALIZERS)}")
    return _INITIALIZERS[type(rule)](rule, seed)


def keras_regularizer(rule: regularizers.Regularizer | None, dtype: str) -> Any:
    """Return the ``keras.regularizers`` object of a rule for a model of ``dtype``, or None for None."""
    if rule is None:
        return None
    if type(rule) not in _REGULARIZERS:
        raise ValueError(f"unknown regularizer {rule!r}; supported are {_names(_REGULARIZERS)}")
    factors = dataclasses.asdict(rule)
    built = _REGULARIZERS[type(rule)](**factors)
    for name, value in factors.items():
        # Keras' constructors turn the factor back into a Python float (L1: into a float32 tensor).
        setattr(built, name, exact(value, dtype))
    return built


def keras_constraint(rule: constraints.Constraint) -> Any:
    """Return the ``keras.constraints`` object of a rule."""
    options = dataclasses.asdict(rule)
    if isinstance(options.get("axis"), tuple):
        options["axis"] = list(options["axis"])
    return getattr(keras.constraints, type(rule).__name__)(**options)


def _names(table: dict[type, Any]) -> str:
    return ", ".join(rule.__name__ for rule in table)
