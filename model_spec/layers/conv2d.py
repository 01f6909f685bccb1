"""Conv2D: one small kernel slides over the image and every position gets the same weighted sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_spec import activations, constraints, initializers, regularizers
from model_spec.layers.base import LayerSpec
from model_spec.shapes import Pair, Shape, image_shape, windowed_shape
from model_spec.validation import boolean, integer_pair, padding_of_windows, positive_integer


@dataclass(frozen=True)
class Conv2D(LayerSpec):
    """2-D cross-correlation, as ``keras.layers.Conv2D`` (channels last).

    Shapes: input (height, width, channels), kernel (kernel height, kernel width, channels, filters), bias (filters,),
    output (new height, new width, filters). ``padding`` is "valid", "same", or cells of zeros: one integer, (height,
    width) or ((top, bottom), (left, right)), which Keras does with a ``ZeroPadding2D`` in front. With ``groups`` the
    channels and the filters are cut into so many parts, each part of the filters sees its part of the channels alone,
    and the kernel has channels / groups in their place.

    Args:
        filters: number of channels of the output, an integer of at least 1.
        kernel_size: integer, or (height, width) of the window in cells, at least 1.
        strides: integer, or (height, width): cells from one window to the next. Default 1.
        padding: "valid" (none, the default), "same" (zeros, an output for every stride), or cells of zeros: integer,
            (height, width) or ((top, bottom), (left, right)).
        dilation_rate: integer, or (height, width): cells from one entry of the kernel to the next. Default 1.
        activation: name of an activation, or a layer without variables such as ``ReLU``, applied to the sums. Default
            "linear".
        use_bias: boolean: add a bias of shape (filters,). Default True.
        kernel_initializer: name or object of ``model_spec.initializers`` for the kernel. Default "glorot_uniform".
        bias_initializer: the same for the bias. Default "zeros".
        kernel_regularizer: name or object of ``model_spec.regularizers``, added to the loss; None for none (default).
        bias_regularizer: the same for the bias. Default None.
        groups: integer: parts that channels and filters are cut into, each seeing its own alone. Default 1.
        kernel_constraint: object of ``model_spec.constraints``, applied to the kernel after every step; None for none
            (default).
        bias_constraint: the same for the bias. Default None.

    Examples:
        >>> Conv2D(8, 3, padding="same").output_shape((28, 28, 1))
        (28, 28, 8)
        >>> Conv2D(8, 3).parameter_shapes((28, 28, 1))
        {'kernel': (3, 3, 1, 8), 'bias': (8,)}
    """

    filters: int
    kernel_size: Pair
    strides: Pair = (1, 1)
    padding: Any = "valid"
    dilation_rate: Pair = (1, 1)
    activation: Any = "linear"
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    groups: int = 1
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(
            filters=positive_integer("filters", self.filters),
            kernel_size=integer_pair("kernel_size", self.kernel_size),
            strides=integer_pair("strides", self.strides),
            padding=padding_of_windows(self.padding),
            dilation_rate=integer_pair("dilation_rate", self.dilation_rate),
            activation=activations.get(self.activation),
            use_bias=boolean("use_bias", self.use_bias),
            kernel_initializer=initializers.get(self.kernel_initializer),
            bias_initializer=initializers.get(self.bias_initializer),
            kernel_regularizer=regularizers.get(self.kernel_regularizer),
            bias_regularizer=regularizers.get(self.bias_regularizer),
            kernel_constraint=constraints.get(self.kernel_constraint),
            bias_constraint=constraints.get(self.bias_constraint),
            groups=positive_integer("groups", self.groups),
        )
        if self.filters % self.groups:
            raise ValueError(
                f"filters must be a multiple of groups, got {self.filters} filters in {self.groups} groups"
            )
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"strides and dilation_rate cannot both exceed 1 (Keras refuses it), got strides={self.strides} "
                f"and dilation_rate={self.dilation_rate}; set one of them to 1"
            )

    def output_shape(self, input_shape: Shape) -> Shape:
        image = image_shape(input_shape)
        if image[2] % self.groups:
            raise ValueError(
                f"groups must divide the channels of the input, got {self.groups} groups of {image[2]} channels"
            )
        size = windowed_shape(image, self.kernel_size, self.strides, self.padding, self.dilation_rate)
        return (*size, self.filters)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"kernel": (*self.kernel_size, input_shape[-1] // self.groups, self.filters)}
        if self.use_bias:
            shapes["bias"] = (self.filters,)
        return shapes
