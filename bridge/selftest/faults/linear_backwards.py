"""Faults in what Dense and Conv2D pull back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bridge.selftest.faults.fault import Declarations, Fault
from bridge.selftest.faults.parts import Backward, gradient, has_bias, is_layer, of_the_batch_before
from core_numpy.contract import Array, Layer, Variables
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.dense import Dense


def _input_gradient(change: Callable[[Array], Array]) -> Backward:
    """Another dx."""

    def backward(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
        dx, grads = inner.backward(params, cache, dy, need_dx)
        return None if dx is None else change(dx), grads

    return backward


def _kernel_gradient_of(change: Callable[[Array], Array]) -> Backward:
    """The kernel gradient of a changed dy; dx and the bias gradient are right."""

    def backward(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
        dx, grads = inner.backward(params, cache, dy, need_dx)
        _, changed = inner.backward(params, cache, change(dy), False)
        return dx, {**grads, "kernel": changed["kernel"]}

    return backward


faults = Declarations(Fault)
linear: dict[str, Any] = {"shows": "backward", "applies": is_layer(Dense, Conv2D)}
backward = faults.of("backward", **linear)
input_gradient = faults.of("backward", _input_gradient, **linear)
kernel_gradient = faults.of("backward", _kernel_gradient_of, **linear)
bias_gradient = faults.of(
    "backward",
    lambda change: gradient("bias", change),
    shows="backward, only in a bias",
    applies=has_bias,
)

bias_gradient("dropped-bias-gradient", "the bias gradient is zero", at=2)(lambda gradient, dy: np.zeros_like(gradient))
bias_gradient("averaged-bias-gradient", "the bias gradient is the mean over examples in place of the sum")(
    lambda gradient, dy: gradient / gradient.dtype.type(len(dy))
)
backward("wrong-sign-kernel-gradient", "the kernel gradient has the wrong sign", probe="zero")(
    gradient("kernel", lambda gradient, dy: -gradient)
)


@kernel_gradient(
    "kernel-gradient-of-one-example", "only the first example counts in the kernel gradient", probe="convolution"
)
def _first_example(dy: Array) -> Array:
    kept = np.zeros_like(dy)
    kept[:1] = dy[:1]
    return kept


@kernel_gradient(
    "kernel-gradient-without-last-row",
    "the last row of the image is left out of the kernel gradient",
    is_layer(Conv2D),
    probe="convolution",
)
def _without_last_row(dy: Array) -> Array:
    kept = dy.copy()
    kept[:, -1] = 0
    return kept


@input_gradient(
    "input-gradient-without-last-column",
    "dx is zero in the last column of the image",
    is_layer(Conv2D),
    probe="convolution",
)
def _without_last_column(dx: Array) -> Array:
    kept = dx.copy()
    kept[:, :, -1] = 0
    return kept


@backward(
    "input-gradient-unflipped",
    "dx is taken with the kernel turned by 180 degrees",
    is_layer(Conv2D),
    probe="convolution",
    at=2,
)
def _flipped_for_input(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    _, grads = inner.backward(params, cache, dy, False)
    dx, _ = inner.backward({**params, "kernel": params["kernel"][::-1, ::-1]}, cache, dy, need_dx)
    return dx, grads


input_gradient("wrong-sign-input-gradient", "dx has the wrong sign")(lambda dx: -dx)
input_gradient("slightly-wrong-input-gradient", "dx is off by one part in ten thousand", at=2)(
    lambda dx: dx * dx.dtype.type(1.0001)
)
faults.of("forward", **linear)("stale-cache", "backward works on the inputs of another batch", at=2)(
    of_the_batch_before
)
