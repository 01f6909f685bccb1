"""Dense: every output is a weighted sum of all inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_spec import activations, constraints, initializers, regularizers
from model_spec.layers.base import LayerSpec
from model_spec.shapes import Shape
from model_spec.validation import boolean, positive_integer


@dataclass(frozen=True)
class Dense(LayerSpec):
    """``activation(x @ kernel + bias)`` on the last axis, as ``keras.layers.Dense``.

    Shapes: input (..., inputs), kernel (inputs, units), bias (units,), output (..., units).

    Args:
        units: number of outputs, an integer of at least 1.
        activation: name of an activation, or a layer without variables such as ``ReLU``, applied to the sums. Default
            "linear".
        use_bias: boolean: add a bias of shape (units,). Default True.
        kernel_initializer: name or object of ``model_spec.initializers`` for the kernel. Default "glorot_uniform".
        bias_initializer: the same for the bias. Default "zeros".
        kernel_regularizer: name or object of ``model_spec.regularizers``, added to the loss; None for none (default).
        bias_regularizer: the same for the bias. Default None.
        kernel_constraint: object of ``model_spec.constraints``, applied to the kernel after every step; None for none
            (default).
        bias_constraint: the same for the bias. Default None.

    Examples:
        >>> Dense(10).output_shape((784,))
        (10,)
        >>> Dense(10).parameter_shapes((784,))
        {'kernel': (784, 10), 'bias': (10,)}
    """

    units: int
    activation: Any = "linear"
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(
            units=positive_integer("units", self.units),
            activation=activations.get(self.activation),
            use_bias=boolean("use_bias", self.use_bias),
            kernel_initializer=initializers.get(self.kernel_initializer),
            bias_initializer=initializers.get(self.bias_initializer),
            kernel_regularizer=regularizers.get(self.kernel_regularizer),
            bias_regularizer=regularizers.get(self.bias_regularizer),
            kernel_constraint=constraints.get(self.kernel_constraint),
            bias_constraint=constraints.get(self.bias_constraint),
        )

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"kernel": (input_shape[-1], self.units)}
        if self.use_bias:
            shapes["bias"] = (self.units,)
        return shapes
