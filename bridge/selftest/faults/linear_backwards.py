"""Faults in what Dense and Conv2D pull back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bridge.selftest.faults.backwards import gradient, of_the_batch_before
from bridge.selftest.faults.fault import Fault, has_bias, is_layer
from core_numpy.contract import Array, Layer, Variables
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.dense import Dense

Backward = Callable[..., Any]


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


def _first_example(dy: Array) -> Array:
    kept = np.zeros_like(dy)
    kept[:1] = dy[:1]
    return kept


def _without_last_row(dy: Array) -> Array:
    kept = dy.copy()
    kept[:, -1] = 0
    return kept


def _without_last_column(dx: Array) -> Array:
    kept = dx.copy()
    kept[:, :, -1] = 0
    return kept


def _flipped_for_input(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    _, grads = inner.backward(params, cache, dy, False)
    dx, _ = inner.backward({**params, "kernel": params["kernel"][::-1, ::-1]}, cache, dy, need_dx)
    return dx, grads


IS_LINEAR = is_layer(Dense, Conv2D)

LINEAR_BACKWARD_FAULTS = (
    Fault(
        "dropped-bias-gradient",
        "the bias gradient is zero",
        "backward, only in a bias",
        has_bias,
        backward=gradient("bias", lambda gradient, dy: np.zeros_like(gradient)),
        at=2,
    ),
    Fault(
        "averaged-bias-gradient",
        "the bias gradient is the mean over examples in place of the sum",
        "backward, only in a bias",
        has_bias,
        backward=gradient("bias", lambda gradient, dy: gradient / gradient.dtype.type(len(dy))),
    ),
    Fault(
        "wrong-sign-kernel-gradient",
        "the kernel gradient has the wrong sign",
        "backward",
        IS_LINEAR,
        backward=gradient("kernel", lambda gradient, dy: -gradient),
        probe="zero",
    ),
    Fault(
        "kernel-gradient-of-one-example",
        "only the first example counts in the kernel gradient",
        "backward",
        IS_LINEAR,
        backward=_kernel_gradient_of(_first_example),
        probe="convolution",
    ),
    Fault(
        "kernel-gradient-without-last-row",
        "the last row of the image is left out of the kernel gradient",
        "backward",
        is_layer(Conv2D),
        backward=_kernel_gradient_of(_without_last_row),
        probe="convolution",
    ),
    Fault(
        "input-gradient-without-last-column",
        "dx is zero in the last column of the image",
        "backward",
        is_layer(Conv2D),
        backward=_input_gradient(_without_last_column),
        probe="convolution",
    ),
    Fault(
        "input-gradient-unflipped",
        "dx is taken with the kernel turned by 180 degrees",
        "backward",
        is_layer(Conv2D),
        backward=_flipped_for_input,
        probe="convolution",
        at=2,
    ),
    Fault(
        "wrong-sign-input-gradient",
        "dx has the wrong sign",
        "backward",
        IS_LINEAR,
        backward=_input_gradient(lambda dx: -dx),
    ),
    Fault(
        "slightly-wrong-input-gradient",
        "dx is off by one part in ten thousand",
        "backward",
        IS_LINEAR,
        backward=_input_gradient(lambda dx: dx * dx.dtype.type(1.0001)),
        at=2,
    ),
    Fault(
        "stale-cache",
        "backward works on the inputs of another batch",
        "backward",
        IS_LINEAR,
        forward=of_the_batch_before,
        at=2,
    ),
)
