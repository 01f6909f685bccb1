"""The activation functions both backends know: names, and what an ``activation`` option takes."""

from __future__ import annotations

import dataclasses
from typing import Any

from model_spec.layers.base import LayerSpec
from model_spec.validation import one_of

ACTIVATIONS = (
    "linear",
    "step",
    "relu",
    "leaky_relu",
    "elu",
    "softplus",
    "sigmoid",
    "tanh",
    "softmax",
    "relu6",
    "selu",
    "silu",
    "gelu",
    "hard_sigmoid",
    "hard_silu",
    "mish",
    "softsign",
    "exponential",
    "log_softmax",
)

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
"""Klambauer et al. (2017), as in ``keras.activations.selu``."""

GELU_FACTOR = 0.7071067690849304
"""The square root of 1/2 in ``keras.activations.gelu``: rounded to float32, in float64 networks too, by TensorFlow."""

KINKS = {
    "relu": ((0.0, 1.0),),
    "relu6": ((0.0, 1.0), (6.0, 1.0)),
    "selu": ((0.0, SELU_SCALE * (SELU_ALPHA - 1)),),
    "hard_sigmoid": ((-3.0, 1 / 6), (3.0, 1 / 6)),
    "hard_silu": ((-3.0, 0.5), (3.0, 0.5)),
}
"""Where the slope of a function jumps, and by how much."""

LEAKY_RELU_SLOPE = 0.20000000298023224
"""Slope left of zero, as in ``keras.activations.leaky_relu`` (the LeakyReLU LAYER of Keras uses 0.3).

0.2 rounded to float32: TensorFlow keeps the slope as a float32 attribute even in float64 networks.
"""

ELU_ALPHA = 1.0
"""Limit left of zero is ``-ELU_ALPHA``, as in ``keras.activations.elu``."""


def get(value: Any) -> Any:
    """What a layer keeps as its ``activation``, from all that it takes.

    Args:
        value: a name; None, which is "linear"; or a layer that is a function, such as ``LeakyReLU(0.1)``, for the
            slopes and limits that have no name of their own.

    Returns:
        The name, or the layer without a name of its own.

    Raises:
        ValueError: a name that there is not, or a layer that is no function of each value.
    """
    if not isinstance(value, LayerSpec):
        return one_of("activation", "linear" if value is None else value, ACTIVATIONS)
    name = getattr(value, "activation", None)
    if not value.is_function or value.inputs is not None or getattr(value, "axis", -1) != -1:
        raise ValueError(
            f"activation must be one of {', '.join(sorted(ACTIVATIONS))}, or a layer such as LeakyReLU(0.1), ELU(0.5) "
            f"or ReLU(6.0) without inputs of its own, got {value.describe()}"
        )
    return dataclasses.replace(value, name=None, trainable=True) if name is None else name
