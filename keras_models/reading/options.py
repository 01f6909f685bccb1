"""What the layers of a Keras model have in common: names, functions, penalties, first values, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_models.activations import step
from keras_models.runtime import keras, tensorflow
from model_spec import constraints, initializers, regularizers
from model_spec.activations import ACTIVATIONS, ELU_ALPHA, LEAKY_RELU_SLOPE
from model_spec.layers import ELU, LeakyReLU, ReLU

_OF_KERAS: dict[Any, str] = {keras.activations.get(name): name for name in ACTIVATIONS if name != "step"} | {
    step: "step"
}

_FUNCTIONS: dict[Any, str] = {
    getattr(package, {"exponential": "exp"}.get(name, name)): name
    for package in (keras.ops, tensorflow.nn, tensorflow)
    for name in ACTIVATIONS
    # keras.ops.gelu is the approximation by tanh
    if hasattr(package, {"exponential": "exp"}.get(name, name)) and (name, package) != ("gelu", keras.ops)
} | _OF_KERAS
"""The functions that are activations, with their defaults: keras.activations, keras.ops and TensorFlow's own."""

_INITIALIZERS: dict[type, Callable[[Any], initializers.Initializer]] = {
    keras.initializers.Zeros: lambda rule: initializers.Zeros(),
    keras.initializers.Ones: lambda rule: initializers.Ones(),
    keras.initializers.Constant: lambda rule: initializers.Constant(float(rule.value)),
    keras.initializers.RandomUniform: lambda rule: initializers.RandomUniform(rule.minval, rule.maxval),
    keras.initializers.RandomNormal: lambda rule: initializers.RandomNormal(rule.mean, rule.stddev),
    keras.initializers.GlorotUniform: lambda rule: initializers.GlorotUniform(),
    keras.initializers.GlorotNormal: lambda rule: initializers.GlorotNormal(),
    keras.initializers.HeUniform: lambda rule: initializers.HeUniform(),
    keras.initializers.HeNormal: lambda rule: initializers.HeNormal(),
    keras.initializers.LecunUniform: lambda rule: initializers.LecunUniform(),
    keras.initializers.LecunNormal: lambda rule: initializers.LecunNormal(),
}

_REGULARIZERS: dict[type, tuple[type[regularizers.Regularizer], tuple[str, ...]]] = {
    keras.regularizers.L1: (regularizers.L1, ("l1",)),
    keras.regularizers.L2: (regularizers.L2, ("l2",)),
    keras.regularizers.L1L2: (regularizers.L1L2, ("l1", "l2")),
}

_CONSTRAINTS = {getattr(keras.constraints, kind.__name__): kind for kind in constraints.CONSTRAINTS.values()}

FUNCTION_NAMES: dict[str, Any] = {name: keras.activations.serialize(function) for function, name in _OF_KERAS.items()}
FUNCTION_NAMES |= {alias: name for alias, name in (("swish", "silu"), ("hard_swish", "hard_silu"))}
"""{name: what stands for it in a configuration}: the name itself, but for the function that is not Keras' own."""


def _names_of(package: Any, base: Any) -> frozenset[str]:
    return frozenset(name for name, kind in vars(package).items() if isinstance(kind, type) and issubclass(kind, base))


INITIALIZER_CLASSES = _names_of(keras.initializers, keras.initializers.Initializer)
"""Names of Keras' own initializers, in both spellings; nothing rests on them: the values come with the model."""

REGULARIZER_CLASSES = _names_of(keras.regularizers, keras.regularizers.Regularizer)
CONSTRAINT_CLASSES = _names_of(keras.constraints, keras.constraints.Constraint)
"""Names of Keras' own, in both spellings; those that a specification does not have change training alone."""


def refuse(layer: Any, what: str, instead: str) -> ValueError:
    """The error that a layer, or an option of it, is not supported."""
    return ValueError(f"layer {layer.name!r} ({type(layer).__name__}): {what} is not supported; {instead}")


def only(layer: Any, **expected: Any) -> None:
    """Refuse a layer one of whose options is not at the only value that is supported."""
    for name, value in expected.items():
        given = getattr(layer, name, value)
        if given != value:
            raise refuse(layer, f"{name}={_shown(given)}", f"supported is {name}={value!r}")


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, (bool, int, float, str, tuple, list)) else type(value).__name__


def activation_of(layer: Any, function: Any) -> Any:
    """A layer's ``activation``: the name of a function of Keras, or what stands for a layer given as one."""
    if isinstance(function, keras.layers.Layer):
        return activation_of_layer(function)
    try:
        return _FUNCTIONS[function]
    except (KeyError, TypeError):
        if function is keras.ops.gelu:
            # Of the same name as one that is supported
            raise refuse(
                layer, "activation keras.ops.gelu, which approximates by tanh,", "supported is keras.activations.gelu"
            ) from None
        name = getattr(function, "__name__", type(function).__name__)
        own = ", which is not Keras' own," if name in ACTIVATIONS else ""
        raise refuse(layer, f"activation {name}{own}", f"supported are {', '.join(ACTIVATIONS)}") from None


def activation_of_layer(layer: Any) -> Any:
    """The function that one of Keras' activation layers computes: its name, or a layer of model_spec with its options.

    Numbers of which a function has a name are read as this name.
    """
    kind = type(layer)
    if kind is keras.layers.Activation:
        return activation_of(layer, layer.activation)
    if kind is keras.layers.ReLU:
        largest, slope, threshold = layer.max_value, float(layer.negative_slope), float(layer.threshold)
        if largest in (None, 6) and slope == threshold == 0:
            return "relu" if largest is None else "relu6"
        return ReLU(None if largest is None else float(largest), slope, threshold)
    if kind is keras.layers.LeakyReLU:
        named = np.float32(layer.negative_slope) == np.float32(LEAKY_RELU_SLOPE)
        return "leaky_relu" if named else LeakyReLU(float(layer.negative_slope))
    if kind is keras.layers.ELU:
        return "elu" if layer.alpha == ELU_ALPHA else ELU(float(layer.alpha))
    if kind is keras.layers.Softmax:
        only(layer, axis=-1)
        return "softmax"
    if kind is keras.layers.Identity:
        return "linear"
    raise refuse(layer, "this layer as an activation", f"supported are {', '.join(ACTIVATIONS)}")


def regularizer_of(rule: Any) -> regularizers.Regularizer | None:
    """The penalty of one variable; None for one that a specification does not have, which changes training alone."""
    if type(rule) not in _REGULARIZERS:
        return None
    kind, factors = _REGULARIZERS[type(rule)]
    return kind(**{name: float(np.asarray(getattr(rule, name))) for name in factors})


def constraint_of(rule: Any) -> constraints.Constraint | None:
    """What training keeps a variable to; None for a rule that a specification does not have."""
    kind = _CONSTRAINTS.get(type(rule))
    if kind is None:
        return None
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in rule.get_config().items()}
    try:
        return kind(**options)
    except ValueError:
        return None


def initializer_of(rule: Any, otherwise: str) -> Any:
    """The rule of a variable's first values; ``otherwise`` where the specification has no such rule.

    Nothing rests on it: the values come with the model.
    """
    known = _INITIALIZERS.get(type(rule))
    return otherwise if known is None else known(rule)
