"""What faults and variants are made of: which layers they apply to, and the usual forms of a forward and a backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.activation import Activation, ActivationCache
from model_spec.layers import BatchNormalization

Forward = Callable[..., Any]
Backward = Callable[..., Any]


def is_layer(*kinds: type[Layer]) -> Callable[[Layer], bool]:
    """True for layers of these kinds."""
    return lambda layer: isinstance(layer, kinds)


def is_activation(name: str) -> Callable[[Layer], bool]:
    """True for this activation."""
    return lambda layer: isinstance(layer, Activation) and layer.spec.activation == name


def has_bias(layer: Layer) -> bool:
    """True for a layer with a bias."""
    return bool(getattr(layer.spec, "use_bias", False))


def scales_and_shifts(layer: Layer) -> bool:
    """True for a batch normalization with gamma and beta."""
    spec = layer.spec
    return isinstance(spec, BatchNormalization) and spec.scale and spec.center


def forward_of(kind: Callable[[Any], Layer]) -> Forward:
    """The forward of another layer of the same specification: one of ``bridge.conventions``."""
    return lambda inner, *rest: kind(inner.spec).forward(*rest)


def backward_of(kind: Callable[[Any], Layer]) -> Backward:
    """The backward of another layer of the same specification: one of ``bridge.conventions``."""
    return lambda inner, *rest: kind(inner.spec).backward(*rest)


def of_input(function: Callable[[Array], Array]) -> Forward:
    """The forward of an activation from x alone."""

    def forward(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
        y = function(x)
        return y, ActivationCache(x, y)

    return forward


def of_cache(change: Callable[[Any, Array], Array]) -> Backward:
    """The backward of a layer without parameters: dx from (cache, dy)."""
    return lambda inner, params, cache, dy, need_dx: (change(cache, dy), {})


def gradient(name: str, change: Callable[[Array, Array], Array]) -> Backward:
    """Another gradient of one parameter: from (gradient, dy)."""

    def backward(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
        dx, grads = inner.backward(params, cache, dy, need_dx)
        return dx, {**grads, name: change(grads[name], dy)}

    return backward


def of_the_batch_before(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    """A forward whose cache is another batch's."""
    y, _ = inner.forward(params, state, x, context)
    _, stale = inner.forward(params, state, np.roll(x, 1, axis=0), context)
    return y, stale


class KeptInput(NamedTuple):
    """Input and output of a layer beside its own cache."""

    x: Array
    y: Array
    inner: Any


def keeping_input(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    """The right forward, which keeps its input and output, too."""
    y, cache = inner.forward(params, state, x, context)
    return y, KeptInput(x, y, cache)
