"""The names of the activation functions both backends know."""

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
)

LEAKY_RELU_SLOPE = 0.20000000298023224
"""Slope left of zero, as in ``keras.activations.leaky_relu`` (the LeakyReLU LAYER of Keras uses 0.3).

0.2 rounded to float32: TensorFlow keeps the slope as a float32 attribute even in float64 networks.
"""

ELU_ALPHA = 1.0
"""Limit left of zero is ``-ELU_ALPHA``, as in ``keras.activations.elu``."""
