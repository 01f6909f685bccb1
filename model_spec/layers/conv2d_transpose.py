"""Conv2DTranspose: every cell of the image puts a weighted kernel into a larger one; overlapping ones are summed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from model_spec import activations, constraints, initializers, regularizers
from model_spec.layers.base import LayerSpec
from model_spec.names import shown
from model_spec.shapes import Pair, Shape, image_shape, transposed_size
from model_spec.validation import boolean, integer_pair, non_negative_integer, one_of, positive_integer


@dataclass(frozen=True)
class Conv2DTranspose(LayerSpec):
    """The transpose of a 2-D cross-correlation, as ``keras.layers.Conv2DTranspose`` (channels last).

    Shapes: input (height, width, channels), kernel (kernel height, kernel width, filters, channels), bias (filters,),
    output (new height, new width, filters). A new size is that of the image from which a ``Conv2D`` of these windows
    makes the input; as several sizes are, ``output_padding``, below ``strides``, chooses one. None is Keras' choice:
    ``size * stride`` under "same", and under "valid" the smallest in which every cell's kernel and stride have room.

    Args:
        filters: number of channels of the output, an integer of at least 1.
        kernel_size: integer, or (height, width) of the window in cells, at least 1.
        strides: integer, or (height, width): cells of the output from one cell of the input to the next. Default 1.
        padding: "valid" (default) or "same", of the convolution that this one transposes.
        output_padding: integer, or (height, width) below ``strides``: cells added at the end of the output; None
            (default) for Keras' choice.
        activation: name of an activation, or a layer without variables such as ``ReLU``, applied to the sums. Default
            "linear".
        use_bias: boolean: add a bias of shape (filters,). Default True.
        kernel_initializer: name or object of ``model_spec.initializers`` for the kernel. Default "glorot_uniform".
        bias_initializer: the same for the bias. Default "zeros".
        kernel_regularizer: name or object of ``model_spec.regularizers``, added to the loss; None for none (default).
        bias_regularizer: the same for the bias. Default None.
        kernel_constraint: object of ``model_spec.constraints``, applied to the kernel after every step; None for none
            (default).
        bias_constraint: the same for the bias. Default None.

    Examples:
        >>> Conv2DTranspose(8, 3, strides=2, padding="same").output_shape((7, 7, 16))
        (14, 14, 8)
        >>> Conv2DTranspose(8, 3).parameter_shapes((7, 7, 16))
        {'kernel': (3, 3, 8, 16), 'bias': (8,)}
    """

    windows_on_output: ClassVar[bool] = True

    filters: int
    kernel_size: Pair
    strides: Pair = (1, 1)
    padding: str = "valid"
    output_padding: Any = None
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
            filters=positive_integer("filters", self.filters),
            kernel_size=integer_pair("kernel_size", self.kernel_size),
            strides=integer_pair("strides", self.strides),
            padding=one_of("padding", self.padding, ("valid", "same")),
            output_padding=self._output_padding(),
            activation=activations.get(self.activation),
            use_bias=boolean("use_bias", self.use_bias),
            kernel_initializer=initializers.get(self.kernel_initializer),
            bias_initializer=initializers.get(self.bias_initializer),
            kernel_regularizer=regularizers.get(self.kernel_regularizer),
            bias_regularizer=regularizers.get(self.bias_regularizer),
            kernel_constraint=constraints.get(self.kernel_constraint),
            bias_constraint=constraints.get(self.bias_constraint),
        )
        for axis, added in enumerate(self.output_padding or ()):
            if added >= self.strides[axis]:
                raise ValueError(f"output_padding must be below strides, got {self.output_padding} and {self.strides}")
            if self.padding == "same" and self.kernel_size[axis] % 2 == 0 and added == 0:
                raise ValueError(
                    f'output_padding must be at least 1 where a kernel of even size has padding="same" (TensorFlow '
                    f"refuses 0), got {self.output_padding} and kernel_size {self.kernel_size}; leave it None"
                )

    def _output_padding(self) -> tuple[int, int] | None:
        value = self.output_padding
        if value is None:
            return None
        pair = value if isinstance(value, (tuple, list)) else (value, value)
        if len(pair) != 2:
            raise ValueError(f"output_padding must be None, an integer or a pair (height, width), got {shown(value)}")
        height, width = (non_negative_integer(f"output_padding[{axis}]", size) for axis, size in enumerate(pair))
        return height, width

    def output_shape(self, input_shape: Shape) -> Shape:
        image = image_shape(input_shape)
        height, width = (
            transposed_size(
                image[axis],
                self.kernel_size[axis],
                self.strides[axis],
                self.padding,
                None if self.output_padding is None else self.output_padding[axis],
            )
            for axis in (0, 1)
        )
        return (height, width, self.filters)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"kernel": (*self.kernel_size, self.filters, input_shape[-1])}
        if self.use_bias:
            shapes["bias"] = (self.filters,)
        return shapes
