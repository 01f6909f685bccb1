"""Faults where a network branches: in merges, and in the gradients of values that several layers read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bridge.selftest.faults.fault import Declarations, Fault
from bridge.selftest.faults.parts import is_layer
from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.dense import Dense
from core_numpy.layers.merging import Add, Average, Concatenate, Maximum, Multiply, Subtract

Parts = tuple[Array, ...]


def _of_parts(change: Callable[[Parts], Parts]) -> Callable[..., Any]:
    """The right backward of a merge, whose gradients are then changed."""

    def backward(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
        parts: Any = inner.backward(params, cache, dy)[0]
        return (change(parts) if need_dx else None), {}

    return backward


faults = Declarations(Fault)
forward = faults.of("forward", shows="forward", probe="branches")
backward = faults.of("backward", shows="backward", probe="branches")
of_parts = faults.of("backward", _of_parts, shows="backward", probe="branches")


@forward("add-forgets-an-input", "the last input of an Add is not added", is_layer(Add))
def _forgets_an_input(inner: Layer, params: Variables, state: Variables, x: Any, context: Context) -> Any:
    _, cache = inner.forward(params, state, x, context)
    return Add(inner.spec).merge(x[:-1]), cache


@forward("concatenate-in-another-order", "the last input comes first", is_layer(Concatenate))
def _last_first(inner: Layer, params: Variables, state: Variables, x: Any, context: Context) -> Any:
    _, cache = inner.forward(params, state, x, context)
    return inner.forward(params, state, (x[-1], *x[:-1]), context)[0], cache  # type: ignore[arg-type]


@forward("subtract-the-other-way", "the first input is taken from the second", is_layer(Subtract))
def _other_way(inner: Layer, params: Variables, state: Variables, x: Any, context: Context) -> Any:
    y, cache = inner.forward(params, state, x, context)
    return -y, cache


@backward("concatenate-split-elsewhere", "the gradient is cut one place further on", is_layer(Concatenate))
def _cut_elsewhere(inner: Concatenate, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    return inner.backward(params, cache, np.roll(dy, 1, axis=inner.spec.axis), need_dx)


of_parts("add-gradient-shared-out", "each input gets its share of the gradient, not all of it", is_layer(Add))(
    lambda parts: tuple(part / part.dtype.type(len(parts)) for part in parts)
)
of_parts("subtract-gradient-sign", "both inputs get the gradient with one sign", is_layer(Subtract))(
    lambda parts: (parts[0], parts[0])
)
of_parts("multiply-gradients-swapped", "each input's gradient is the other's", is_layer(Multiply))(
    lambda parts: (*parts[1:], parts[0])
)
of_parts("average-gradient-not-shared", "each input gets the whole gradient", is_layer(Average))(
    lambda parts: tuple(part * part.dtype.type(len(parts)) for part in parts)
)
of_parts("maximum-gradient-to-all", "the gradient goes to all inputs, not to the largest", is_layer(Maximum))(
    lambda parts: (sum(parts),) * len(parts)
)


@backward("fork-gradient-once", "of all readers of a value one does not give it its gradient", is_layer(Dense), at=2)
def _forgotten_reader(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    dx, grads = inner.backward(params, cache, dy, need_dx)
    return (None if dx is None else np.zeros_like(dx)), grads
