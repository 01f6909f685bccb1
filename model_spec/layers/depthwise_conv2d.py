"""DepthwiseConv2D: every channel of the image has small kernels of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_spec import activations, initializers, regularizers
from model_spec.initializers import Initializer
from model_spec.layers.base import LayerSpec
from model_spec.regularizers import Regularizer
from model_spec.shapes import Pair, Shape, image_shape, windowed_shape
from model_spec.validation import boolean, integer_pair, padding_of_windows, positive_integer


@dataclass(frozen=True)
class DepthwiseConv2D(LayerSpec):
    """2-D cross-correlation of each channel by itself, as ``keras.layers.DepthwiseConv2D`` (channels last).

    Shapes: input (height, width, channels), kernel (kernel height, kernel width, channels, depth_multiplier), bias
    (channels * depth_multiplier,), output (new height, new width, channels * depth_multiplier), the outputs of one
    channel side by side. ``padding`` is that of ``Conv2D``.

    Args:
        kernel_size: integer, or (height, width) of the window in cells, at least 1.
        strides: integer, or (height, width): cells from one window to the next. Default 1.
        padding: "valid" (none, the default), "same" (zeros, an output for every stride), or cells of zeros: integer,
            (height, width) or ((top, bottom), (left, right)).
        depth_multiplier: integer: filters of each channel of the input. Default 1.
        dilation_rate: integer, or (height, width): cells from one entry of the kernel to the next. Default 1.
        activation: name of an activation, or a layer without variables such as ``ReLU``, applied to the sums. Default
            "linear".
        use_bias: boolean: add a bias of shape (channels * depth_multiplier,). Default True.
        depthwise_initializer: name or object of ``model_spec.initializers`` for the depthwise kernel. Default
            "glorot_uniform".
        bias_initializer: the same for the bias. Default "zeros".
        depthwise_regularizer: name or object of ``model_spec.regularizers`` for it; None for none (default).
        bias_regularizer: the same for the bias. Default None.

    Examples:
        >>> DepthwiseConv2D(3, depth_multiplier=2).output_shape((28, 28, 4))
        (26, 26, 8)
        >>> DepthwiseConv2D(3, depth_multiplier=2).parameter_shapes((28, 28, 4))
        {'kernel': (3, 3, 4, 2), 'bias': (8,)}
    """

    kernel_size: Pair
    strides: Pair = (1, 1)
    padding: Any = "valid"
    depth_multiplier: int = 1
    dilation_rate: Pair = (1, 1)
    activation: Any = "linear"
    use_bias: bool = True
    depthwise_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    depthwise_regularizer: Any = None
    bias_regularizer: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(
            kernel_size=integer_pair("kernel_size", self.kernel_size),
            strides=integer_pair("strides", self.strides),
            padding=padding_of_windows(self.padding),
            depth_multiplier=positive_integer("depth_multiplier", self.depth_multiplier),
            dilation_rate=integer_pair("dilation_rate", self.dilation_rate),
            activation=activations.get(self.activation),
            use_bias=boolean("use_bias", self.use_bias),
            depthwise_initializer=initializers.get(self.depthwise_initializer),
            bias_initializer=initializers.get(self.bias_initializer),
            depthwise_regularizer=regularizers.get(self.depthwise_regularizer),
            bias_regularizer=regularizers.get(self.bias_regularizer),
        )
        if self.strides[0] != self.strides[1]:
            raise ValueError(
                f"strides must be the same for height and width (TensorFlow refuses others), got {self.strides}"
            )
        if self.strides[0] > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"strides and dilation_rate cannot both exceed 1 (TensorFlow refuses it), got strides={self.strides} "
                f"and dilation_rate={self.dilation_rate}; set one of them to 1"
            )

    def output_shape(self, input_shape: Shape) -> Shape:
        image = image_shape(input_shape)
        size = windowed_shape(image, self.kernel_size, self.strides, self.padding, self.dilation_rate)
        return (*size, image[2] * self.depth_multiplier)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"kernel": (*self.kernel_size, input_shape[-1], self.depth_multiplier)}
        if self.use_bias:
            shapes["bias"] = (input_shape[-1] * self.depth_multiplier,)
        return shapes

    def initializers(self) -> dict[str, Initializer]:
        return {"kernel": self.depthwise_initializer, "bias": self.bias_initializer}

    def regularizers(self) -> dict[str, Regularizer]:
        rules = {"kernel": self.depthwise_regularizer, "bias": self.bias_regularizer}
        return {variable: rule for variable, rule in rules.items() if rule is not None}
