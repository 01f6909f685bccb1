"""Faults in what a layer computes: its forward."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridge.conventions.flatten import ChannelsFirstFlatten
from bridge.conventions.kernels import SwappedConv2D, TransposedDense
from bridge.conventions.windows import BeforeConv2D, BeforeMaxPooling2D, PaddingCountedAveragePooling2D
from bridge.selftest.faults.fault import Declarations, Fault
from bridge.selftest.faults.parts import backward_of, forward_of, has_bias, is_layer
from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.dense import Dense
from core_numpy.layers.global_pooling import GlobalAveragePooling2D
from core_numpy.layers.pooling import AveragePooling2D, MaxPooling2D
from core_numpy.layers.reshaping import Rescaling, ZeroPadding2D
from core_numpy.ops.pooling import real_cell_counts
from model_spec import layers as specs

faults = Declarations(Fault)
forward = faults.of("forward", shows="forward")
convention = faults.of("forward", forward_of, shows="forward")

SHIFTED_SAME = "the odd cell of SAME padding goes before the image"


@forward(
    "flipped-kernel",
    "the kernel's first axis is reversed, as in a true convolution",
    is_layer(Conv2D, Dense),
    probe="convolution",
)
def _flipped_kernel(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    return inner.forward({**params, "kernel": params["kernel"][::-1]}, state, x, context)


convention(
    "transposed-kernel",
    "the kernel's memory is read as (units, inputs)",
    is_layer(Dense),
    backward=backward_of(TransposedDense),
    at=2,
)(TransposedDense)
convention(
    "swapped-kernel-axes",
    "height and width of the kernel are swapped",
    lambda layer: isinstance(layer.spec, specs.Conv2D) and len(set(layer.spec.kernel_size)) == 1,
    probe="convolution",
    at=2,
)(SwappedConv2D)


@forward(
    "missing-bias",
    "the bias is not added; shows only where it is not zero",
    has_bias,
    shows="forward, only in a bias",
    at=2,
)
def _missing_bias(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    return inner.forward({"kernel": params["kernel"]}, state, x, context)


convention("same-padding-before", SHIFTED_SAME, is_layer(Conv2D), probe="convolution")(BeforeConv2D)
convention("pooling-padding-before", SHIFTED_SAME, is_layer(MaxPooling2D), probe="pooling")(BeforeMaxPooling2D)


@forward("stride-off-by-one", "the first window stands one cell late", is_layer(Conv2D), probe="convolution", at=2)
def _one_cell_late(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    return inner.forward(params, state, np.roll(x, -1, axis=1), context)


@forward(
    "pooling-padded-with-zeros",
    "the border of max pooling holds zeros in place of minus infinity",
    is_layer(MaxPooling2D),
    probe="pooling",
)
def _padded_with_zeros(inner: MaxPooling2D, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    y, cache = inner.forward(params, state, x, context)
    windows = cache.windows
    at_border = real_cell_counts(windows, x.dtype) < windows.window[0] * windows.window[1]
    return np.where(at_border, np.maximum(y, 0), y), cache


convention(
    "average-counts-padding",
    "average pooling divides by the whole window at the border",
    is_layer(AveragePooling2D),
    backward=backward_of(PaddingCountedAveragePooling2D),
    probe="pooling",
)(PaddingCountedAveragePooling2D)


@forward(
    "global-average-by-height",
    "the mean over the image divides by height squared",
    is_layer(GlobalAveragePooling2D),
    probe="shapes",
)
def _divided_by_height(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    return x.sum(axis=(1, 2)) / x.dtype.type(x.shape[1] ** 2), x.shape


convention(
    "flatten-channels-first",
    "images are flattened in (channels, height, width) order",
    lambda layer: isinstance(layer.spec, specs.Flatten),
    probe="convolution",
)(ChannelsFirstFlatten)


@forward("one-sided-zero-padding", "the whole border stands before the image", is_layer(ZeroPadding2D), probe="shapes")
def _padded_on_one_side(inner: ZeroPadding2D, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    rows, columns = inner.spec.padding
    return np.pad(x, ((0, 0), (sum(rows), 0), (sum(columns), 0), (0, 0))), x.shape


@forward(
    "rescaling-offset-first", "(x + offset) * scale in place of x * scale + offset", is_layer(Rescaling), probe="shapes"
)
def _offset_first(inner: Rescaling, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    kind = x.dtype.type
    return (x + kind(inner.spec.offset)) * kind(inner.spec.scale), None
