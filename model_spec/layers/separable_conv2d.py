"""SeparableConv2D: small kernels for every channel, then a weighted sum of all channels in each place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_spec import initializers, regularizers
from model_spec.initializers import Initializer
from model_spec.layers.base import LayerSpec
from model_spec.layers.conv2d import Conv2D
from model_spec.layers.depthwise_conv2d import DepthwiseConv2D
from model_spec.regularizers import Regularizer
from model_spec.shapes import Pair, Shape
from model_spec.validation import boolean, positive_integer

_VARIABLES = {"depthwise_kernel": "depthwise", "pointwise_kernel": "pointwise", "bias": "bias"}


@dataclass(frozen=True)
class SeparableConv2D(LayerSpec):
    """A ``DepthwiseConv2D`` without bias, then a 1x1 ``Conv2D``, as ``keras.layers.SeparableConv2D`` (channels last).

    Shapes: input (height, width, channels), depthwise_kernel (kernel height, kernel width, channels, depth_multiplier),
    pointwise_kernel (1, 1, channels * depth_multiplier, filters), bias (filters,), output (new height, new width,
    filters). ``padding`` is that of ``Conv2D``.

    Args:
        filters: number of channels of the output, an integer of at least 1.
        kernel_size: integer, or (height, width) of the window in cells, at least 1.
        strides: integer, or (height, width): cells from one window to the next. Default 1.
        padding: "valid" (none, the default), "same" (zeros, an output for every stride), or cells of zeros: integer,
            (height, width) or ((top, bottom), (left, right)).
        dilation_rate: integer, or (height, width): cells from one entry of the kernel to the next. Default 1.
        depth_multiplier: integer: filters of each channel of the input. Default 1.
        activation: name of an activation, or a layer without variables such as ``ReLU``, applied to the sums. Default
            "linear".
        use_bias: boolean: add a bias of shape (filters,). Default True.
        depthwise_initializer: name or object of ``model_spec.initializers`` for the depthwise kernel. Default
            "glorot_uniform".
        pointwise_initializer: name or object of ``model_spec.initializers`` for the pointwise kernel. Default
            "glorot_uniform".
        bias_initializer: the same for the bias. Default "zeros".
        depthwise_regularizer: name or object of ``model_spec.regularizers`` for it; None for none (default).
        pointwise_regularizer: name or object of ``model_spec.regularizers`` for it; None for none (default).
        bias_regularizer: the same for the bias. Default None.

    Examples:
        >>> SeparableConv2D(8, 3).output_shape((28, 28, 4))
        (26, 26, 8)
        >>> SeparableConv2D(8, 3).parameter_shapes((28, 28, 4))
        {'depthwise_kernel': (3, 3, 4, 1), 'pointwise_kernel': (1, 1, 4, 8), 'bias': (8,)}
    """

    filters: int
    kernel_size: Pair
    strides: Pair = (1, 1)
    padding: Any = "valid"
    dilation_rate: Pair = (1, 1)
    depth_multiplier: int = 1
    activation: Any = "linear"
    use_bias: bool = True
    depthwise_initializer: Any = "glorot_uniform"
    pointwise_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    depthwise_regularizer: Any = None
    pointwise_regularizer: Any = None
    bias_regularizer: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_integer("filters", self.filters)
        depthwise, pointwise = self.depthwise, self.pointwise
        self._set(
            filters=pointwise.filters,
            kernel_size=depthwise.kernel_size,
            strides=depthwise.strides,
            padding=depthwise.padding,
            dilation_rate=depthwise.dilation_rate,
            depth_multiplier=depthwise.depth_multiplier,
            activation=pointwise.activation,
            use_bias=boolean("use_bias", self.use_bias),
            depthwise_initializer=initializers.get(self.depthwise_initializer),
            pointwise_initializer=initializers.get(self.pointwise_initializer),
            bias_initializer=initializers.get(self.bias_initializer),
            depthwise_regularizer=regularizers.get(self.depthwise_regularizer),
            pointwise_regularizer=regularizers.get(self.pointwise_regularizer),
            bias_regularizer=regularizers.get(self.bias_regularizer),
        )

    @property
    def depthwise(self) -> DepthwiseConv2D:
        """The first of the two convolutions."""
        return DepthwiseConv2D(
            self.kernel_size, self.strides, self.padding, self.depth_multiplier, self.dilation_rate, use_bias=False
        )

    @property
    def pointwise(self) -> Conv2D:
        """The second of the two convolutions."""
        return Conv2D(self.filters, 1, activation=self.activation, use_bias=self.use_bias)

    def output_shape(self, input_shape: Shape) -> Shape:
        return self.pointwise.output_shape(self.depthwise.output_shape(input_shape))

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        between = (input_shape[-1] * self.depth_multiplier,)
        depthwise, pointwise = (
            self.depthwise.parameter_shapes(input_shape),
            self.pointwise.parameter_shapes(between),
        )
        shapes = {"depthwise_kernel": depthwise["kernel"], "pointwise_kernel": pointwise["kernel"]}
        return shapes | {"bias": pointwise["bias"]} if self.use_bias else shapes

    def initializers(self) -> dict[str, Initializer]:
        return {variable: getattr(self, f"{option}_initializer") for variable, option in _VARIABLES.items()}

    def regularizers(self) -> dict[str, Regularizer]:
        rules = {variable: getattr(self, f"{option}_regularizer") for variable, option in _VARIABLES.items()}
        return {variable: rule for variable, rule in rules.items() if rule is not None}
