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
    "relu6",
    "selu",
    "silu",
    "gelu",
    "hard_sigmoid",
    "hard_silu",
    "mish",
    "softsign",
    "exponential",
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
