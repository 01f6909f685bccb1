"""Merges from scratch: several values made one, or laid behind one another; the gradients of all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec import layers as specs

Parts = tuple[Array, ...]
"""One array for each input, in the order the specification names them."""


class Merge(Layer):
    """The base of all merges: ``x`` and ``dx`` are tuples with an array for each input."""

    def forward(self, params: Variables, state: Variables, x: Parts, context: Context) -> tuple[Array, Any]:  # type: ignore[override]
        return self.merge(x), x

    def backward(  # type: ignore[override]
        self, params: Variables, cache: Parts, dy: Array, need_dx: bool = True
    ) -> tuple[Parts | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        if all(part.shape == dy.shape for part in cache):
            return self.split(cache, dy), {}
        parts = self.split([np.broadcast_to(part, dy.shape) for part in cache], dy)
        return tuple(summed(part, x.shape) for part, x in zip(parts, cache, strict=True)), {}

    def merge(self, x: Sequence[Array]) -> Array:
        """The output."""
        raise TypeError(f"{type(self).__name__} has no merge; a layer must define it")

    def split(self, x: Sequence[Array], dy: Array) -> Parts:
        """The gradient of each input."""
        raise TypeError(f"{type(self).__name__} has no split; a layer must define it")


def summed(dx: Array, shape: tuple[int, ...]) -> Array:
    """The gradient of an input of this shape from that of the shape it was repeated to."""
    axes = tuple(axis for axis, size in enumerate(shape) if size < dx.shape[axis])
    return dx.sum(axis=axes, keepdims=True) if axes else dx


class Add(Merge):
    """x1 + x2 + ...; each input gets the whole gradient."""

    def merge(self, x: Sequence[Array]) -> Array:
        return reduce(np.add, x)

    def split(self, x: Sequence[Array], dy: Array) -> Parts:
        return (dy,) * len(x)


class Subtract(Merge):
    """x1 - x2; the second input gets the gradient with the other sign."""

    def merge(self, x: Sequence[Array]) -> Array:
        return np.subtract(*x)

    def split(self, x: Sequence[Array], dy: Array) -> Parts:
        return dy, -dy


class Multiply(Merge):
    """x1 * x2 * ...; each input's gradient is that of y times all others."""

    def merge(self, x: Sequence[Array]) -> Array:
        return reduce(np.multiply, x)

    def split(self, x: Sequence[Array], dy: Array) -> Parts:
        return tuple(reduce(np.multiply, (*x[:at], *x[at + 1 :]), dy) for at in range(len(x)))


class Average(Merge):
    """(x1 + x2 + ...) / count; each input gets its share of the gradient."""

    def merge(self, x: Sequence[Array]) -> Array:
        return reduce(np.add, x) / x[0].dtype.type(len(x))

    def split(self, x: Sequence[Array], dy: Array) -> Parts:
        return (dy / dy.dtype.type(len(x)),) * len(x)


class Extreme(Merge):
    """The common part of Maximum and Minimum: pair after pair; of two equals the first takes the gradient.

    So TensorFlow's gradients of ``maximum`` and ``minimum`` have it (tensorflow/python/ops/math_grad.py,
    ``_MaximumMinimumGrad``), and Keras folds more than two inputs from first to last.
    """

    pick: Any
    first_wins: Any

    def merge(self, x: Sequence[Array]) -> Array:
        return reduce(self.pick, x)

    def split(self, x: Sequence[Array], dy: Array) -> Parts:
        reached = [x[0]]
        for value in x[1:]:
            reached.append(self.pick(reached[-1], value))
        parts = []
        for before, value in zip(reached[-2::-1], x[:0:-1], strict=True):
            first = self.first_wins(before, value)
            parts.append(np.where(first, dy.dtype.type(0), dy))
            dy = np.where(first, dy, dy.dtype.type(0))
        return (dy, *reversed(parts))


class Maximum(Extreme):
    """The largest of all inputs, value by value."""

    pick = staticmethod(np.maximum)
    first_wins = staticmethod(np.greater_equal)


class Minimum(Extreme):
    """The smallest of all inputs, value by value."""

    pick = staticmethod(np.minimum)
    first_wins = staticmethod(np.less_equal)


class ConcatenateCache(NamedTuple):
    """Where each input ends along the axis, but the last."""

    ends: tuple[int, ...]


class Concatenate(Layer):
    """All inputs behind one another along one axis; the gradient is cut at the same places."""

    spec: specs.Concatenate

    def forward(self, params: Variables, state: Variables, x: Parts, context: Context) -> tuple[Array, Any]:  # type: ignore[override]
        ends = np.cumsum([part.shape[self.spec.axis] for part in x])[:-1]
        return np.concatenate(x, axis=self.spec.axis), ConcatenateCache(tuple(int(end) for end in ends))

    def backward(  # type: ignore[override]
        self, params: Variables, cache: ConcatenateCache, dy: Array, need_dx: bool = True
    ) -> tuple[Parts | None, dict[str, Array]]:
        return tuple(np.split(dy, cache.ends, axis=self.spec.axis)) if need_dx else None, {}
