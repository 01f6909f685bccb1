"""The networks of the experiments: one of the zoo, a table of layers, or the courses' stacks of Dense layers in short.

{zoo = "mlp", hidden = [16]}                         a network of the zoo with its options
{input_shape = [2], layers = [{type = "Dense", ...}]}     layer by layer, as in a model file
{dense = [100, 50], weights = 0.01, dropout = 0.15}       :func:`dense_stack` with its arguments
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from model_spec import ModelSpec, zoo
from model_spec.initializers import RandomNormal
from model_spec.layers import Activation, BatchNormalization, Dense, Dropout, Flatten, LayerSpec, Rescaling
from model_spec.regularizers import L2
from model_spec.serialization import model_from_dict

GAINS = {"xavier": 1.0, "he": 2.0}
"""The textbooks draw from a plain normal distribution of variance gain / inputs; Keras' HeNormal is truncated."""


def network(name: str, entry: dict[str, Any]) -> ModelSpec:
    """The network of an entry.

    Raises:
        ValueError: an entry of no known form, or an option the form does not have.
    """
    forms = sorted({"zoo", "layers", "dense"} & set(entry))
    if len(forms) != 1:
        raise ValueError(f"{name}: a network has zoo, layers or dense, one of them; it has {', '.join(entry)}")
    if forms == ["layers"]:
        return model_from_dict({"name": name, **entry})
    options: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    try:
        if forms == ["dense"]:
            return dense_stack(name, options.pop("dense"), **options)
        kind = options.pop("zoo")
        if kind not in zoo.ZOO:
            raise ValueError(f"{name}: unknown architecture {kind!r}; known are {', '.join(zoo.ZOO)}")
        return zoo.ZOO[kind](**options)
    except TypeError as error:
        raise ValueError(f"{name}: {error}") from None


def dense_stack(
    name: str,
    hidden: Sequence[int],
    weights: float | str = "glorot_uniform",
    activation: str = "relu",
    batch_normalization: dict[str, Any] | None = None,
    dropout: float = 0.0,
    dropouts: int | None = None,
    uninverted: bool = False,
    penalty: float = 0.0,
    penalties: int | None = None,
    input_shape: tuple[int, ...] = (28, 28, 1),
    classes: int = 10,
) -> ModelSpec:
    """Hidden Dense layers, each [normalised,] activated [and dropped out], then one softmax.

    Args:
        name: of the network.
        hidden: units of the hidden layers.
        weights: standard deviation of normal first weights, "xavier" or "he" for that of the textbooks, or the name of
            one of Keras' initializers. Biases start at 0.
        activation: of the hidden layers.
        batch_normalization: arguments of the BatchNormalization between each hidden layer and its activation.
        dropout: rate after the activation; 0 leaves it out.
        dropouts: how many hidden layers have it, from the first; all by default.
        uninverted: x * mask in training and x * (1 - rate) otherwise, as the textbooks drop out.
        penalty: strength of the courses' 0.5 * strength * sum(W**2), in loss and gradient.
        penalties: how many layers have it, from the first; all by default.
        input_shape: flattened first.
        classes: of the softmax.
    """
    layers: list[LayerSpec] = [Flatten()] if len(input_shape) > 1 else []
    inputs = math.prod(input_shape)
    for number, units in enumerate((*hidden, classes)):
        last = number == len(hidden)
        # Keras adds strength * sum(W**2), without the half
        penalised = penalty and (penalties is None or number < penalties)
        plain = "softmax" if last else ("linear" if batch_normalization is not None else activation)
        initializer = _first_weights(weights, inputs)
        regularizer = L2(penalty / 2) if penalised else None
        layers.append(Dense(units, plain, kernel_initializer=initializer, kernel_regularizer=regularizer))
        if not last and batch_normalization is not None:
            layers += [BatchNormalization(**batch_normalization), Activation(activation)]
        if not last and dropout and (dropouts is None or number < dropouts):
            layers += [Dropout(dropout), *([Rescaling(1 - dropout)] if uninverted else [])]
        inputs = units
    return ModelSpec(name, tuple(input_shape), tuple(layers))


def _first_weights(weights: float | str, inputs: int) -> Any:
    if isinstance(weights, str):
        return RandomNormal(0.0, math.sqrt(GAINS[weights] / inputs)) if weights in GAINS else weights
    return RandomNormal(0.0, float(weights))
