"""Conv1D: one small kernel slides over the steps of a sequence and every position gets the same weighted sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_spec import activations, constraints, initializers, regularizers
from model_spec.layers.conv2d import Conv2D
from model_spec.layers.over_steps import OverSteps, one_integer
from model_spec.shapes import window_extent
from model_spec.validation import boolean, one_of, positive_integer


@dataclass(frozen=True)
class Conv1D(OverSteps):
    """1-D cross-correlation, as ``keras.layers.Conv1D`` (channels last).

    Shapes: input (steps, channels), kernel (kernel size, channels, filters), bias (filters,), output (new steps,
    filters). ``padding`` is "valid", "same", or "causal": zeros in front alone, so that no output sees a later step
    (keras/src/layers/convolutional/base_conv.py, ``_compute_causal_padding``). ``groups`` is that of ``Conv2D``.

    Args:
        filters: number of channels of the output, an integer of at least 1.
        kernel_size: integer of at least 1: steps of the window.
        strides: integer: steps from one window to the next. Default 1.
        padding: "valid" (none, the default), "same" (zeros, an output for every stride) or "causal" (zeros in front
            alone).
        dilation_rate: integer: steps from one entry of the kernel to the next. Default 1.
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
        >>> Conv1D(8, 5, padding="causal").output_shape((128, 9))
        (128, 8)
        >>> Conv1D(8, 5).parameter_shapes((128, 9))
        {'kernel': (5, 9, 8), 'bias': (8,)}
    """

    filters: int
    kernel_size: int
    strides: int = 1
    padding: str = "valid"
    dilation_rate: int = 1
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
            kernel_size=one_integer("kernel_size", self.kernel_size),
            strides=one_integer("strides", self.strides),
            padding=one_of("padding", self.padding, ("valid", "same", "causal")),
            dilation_rate=one_integer("dilation_rate", self.dilation_rate),
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
        if self.strides > 1 and self.dilation_rate > 1:
            raise ValueError(
                f"strides and dilation_rate cannot both exceed 1 (Keras refuses it), got strides={self.strides} "
                f"and dilation_rate={self.dilation_rate}; set one of them to 1"
            )

    @property
    def on_images(self) -> Conv2D:
        before = window_extent(self.kernel_size, self.dilation_rate) - 1
        return Conv2D(
            self.filters,
            (1, self.kernel_size),
            (1, self.strides),
            ((0, 0), (before, 0)) if self.padding == "causal" else self.padding,
            (1, self.dilation_rate),
            self.activation,
            self.use_bias,
            groups=self.groups,
        )
