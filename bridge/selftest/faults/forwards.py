"""Faults in what a layer computes: its forward."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridge.conventions.flatten import ChannelsFirstFlatten
from bridge.conventions.kernels import SwappedConv2D, TransposedDense
from bridge.conventions.windows import BeforeConv2D, BeforeMaxPooling2D, PaddingCountedAveragePooling2D
from bridge.selftest.faults.fault import Fault, backward_of, forward_of, has_bias, is_layer
from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.dense import Dense
from core_numpy.layers.global_pooling import GlobalAveragePooling2D
from core_numpy.layers.pooling import AveragePooling2D, MaxPooling2D
from core_numpy.layers.reshaping import Rescaling, ZeroPadding2D
from core_numpy.ops.pooling import real_cell_counts
from model_spec import layers as specs


def _flipped_kernel(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    return inner.forward({**params, "kernel": params["kernel"][::-1]}, state, x, context)


def _missing_bias(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    return inner.forward({"kernel": params["kernel"]}, state, x, context)


def _one_cell_late(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    return inner.forward(params, state, np.roll(x, -1, axis=1), context)


def _padded_with_zeros(inner: MaxPooling2D, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    y, (winner, windows) = inner.forward(params, state, x, context)
    full = windows.window[0] * windows.window[1]
    at_border = real_cell_counts(windows, x.dtype) < full
    return np.where(at_border, np.maximum(y, 0), y), (winner, windows)


def _padded_on_one_side(inner: ZeroPadding2D, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    rows, columns = inner.spec.padding
    return np.pad(x, ((0, 0), (sum(rows), 0), (sum(columns), 0), (0, 0))), x.shape


def _offset_first(inner: Rescaling, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    kind = x.dtype.type
    return (x + kind(inner.spec.offset)) * kind(inner.spec.scale), None


def _divided_by_height(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    return x.sum(axis=(1, 2)) / x.dtype.type(x.shape[1] ** 2), x.shape


def _channels_first(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    layer = ChannelsFirstFlatten(inner.spec) if x.ndim == 4 else inner
    return layer.forward(params, state, x, context)


SHIFTED_SAME = "the odd cell of SAME padding goes before the image"

FORWARD_FAULTS = (
    Fault(
        "flipped-kernel",
        "the kernel's first axis is reversed, as in a true convolution",
        "forward",
        is_layer(Conv2D, Dense),
        forward=_flipped_kernel,
        probe="convolution",
    ),
    Fault(
        "transposed-kernel",
        "the kernel's memory is read as (units, inputs)",
        "forward",
        is_layer(Dense),
        forward=forward_of(TransposedDense),
        backward=backward_of(TransposedDense),
        at=2,
    ),
    Fault(
        "swapped-kernel-axes",
        "height and width of the kernel are swapped",
        "forward",
        lambda layer: isinstance(layer.spec, specs.Conv2D) and len(set(layer.spec.kernel_size)) == 1,
        forward=forward_of(SwappedConv2D),
        probe="convolution",
        at=2,
    ),
    Fault(
        "missing-bias",
        "the bias is not added; shows only where it is not zero",
        "forward, only in a bias",
        has_bias,
        forward=_missing_bias,
        at=2,
    ),
    Fault(
        "same-padding-before",
        SHIFTED_SAME,
        "forward",
        is_layer(Conv2D),
        forward=forward_of(BeforeConv2D),
        probe="convolution",
    ),
    Fault(
        "pooling-padding-before",
        SHIFTED_SAME,
        "forward",
        is_layer(MaxPooling2D),
        forward=forward_of(BeforeMaxPooling2D),
        probe="pooling",
    ),
    Fault(
        "stride-off-by-one",
        "the first window stands one cell late",
        "forward",
        is_layer(Conv2D),
        forward=_one_cell_late,
        probe="convolution",
        at=2,
    ),
    Fault(
        "pooling-padded-with-zeros",
        "the border of max pooling holds zeros in place of minus infinity",
        "forward",
        is_layer(MaxPooling2D),
        forward=_padded_with_zeros,
        probe="pooling",
    ),
    Fault(
        "average-counts-padding",
        "average pooling divides by the whole window at the border",
        "forward",
        is_layer(AveragePooling2D),
        forward=forward_of(PaddingCountedAveragePooling2D),
        backward=backward_of(PaddingCountedAveragePooling2D),
        probe="pooling",
    ),
    Fault(
        "global-average-by-height",
        "the mean over the image divides by height squared",
        "forward",
        is_layer(GlobalAveragePooling2D),
        forward=_divided_by_height,
        probe="shapes",
    ),
    Fault(
        "flatten-channels-first",
        "images are flattened in (channels, height, width) order",
        "forward",
        lambda layer: isinstance(layer.spec, specs.Flatten),
        forward=_channels_first,
        probe="convolution",
    ),
    Fault(
        "one-sided-zero-padding",
        "the whole border stands before the image",
        "forward",
        is_layer(ZeroPadding2D),
        forward=_padded_on_one_side,
        probe="shapes",
    ),
    Fault(
        "rescaling-offset-first",
        "(x + offset) * scale in place of x * scale + offset",
        "forward",
        is_layer(Rescaling),
        forward=_offset_first,
        probe="shapes",
    ),
)
