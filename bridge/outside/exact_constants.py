"""Constants that Keras rounds to float32, as mathematics has them, and the other way round: both are right."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.activation import Activation, ActivationCache
from core_numpy.network import Network
from model_spec import LayerSpec, ModelSpec
from model_spec import layers as specs

_SLOPE, _ROOT = 0.2, math.sqrt(0.5)


@dataclass(frozen=True)
class OtherConstants:
    """A claim with the same constants, rounded otherwise.

    Attributes:
        words: which they are, for the report.
        network: the claim with them.
        instead: what is said of a layer that has Keras' constants; "" where those are the exact ones.
    """

    words: str
    network: Network
    instead: str = ""


def _erf_shares(x: Array) -> Array:
    return np.array([0.5 * math.erfc(-value * _ROOT) for value in x.reshape(-1).tolist()]).reshape(x.shape)


class ExactActivation(Activation):
    """leaky_relu with a slope of 0.2, and gelu with the root of 1/2, not rounded to float32."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        y = np.where(x > 0, x, _SLOPE * x) if self.spec.activation == "leaky_relu" else x * _erf_shares(x)
        return y, ActivationCache(x, y)

    def backward(
        self, params: Variables, cache: ActivationCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        x = cache.x
        if self.spec.activation == "leaky_relu":
            return np.where(x > 0, dy, _SLOPE * dy), {}
        return dy * (_erf_shares(x) + x * np.exp(-np.square(x) / 2) / math.sqrt(2 * math.pi)), {}


def _exact(layer: Layer) -> tuple[list[float], Layer] | None:
    """(constants that Keras rounds to float32, the layer with them as they are claimed)."""
    spec = layer.spec
    if isinstance(spec, specs.Activation) and spec.activation in ("leaky_relu", "gelu"):
        return [_SLOPE if spec.activation == "leaky_relu" else _ROOT], ExactActivation(spec)
    if isinstance(spec, (specs.LeakyReLU, specs.ReLU)):
        numbers = [getattr(spec, name, None) for name in ("negative_slope", "threshold", "max_value")]
        rounded = [number for number in numbers if number and float(np.float32(number)) != number]
        if rounded:
            kind = type(layer)
            exact = type(f"Exact{kind.__name__}", (kind,), {"kept": lambda self, value, dtype: dtype.type(value)})
            return rounded, exact(spec)
    return None


def _rounded(spec: LayerSpec) -> Iterator[tuple[str, LayerSpec]]:
    """A layer with constants rounded to float32, where Keras takes them as they are."""
    if not isinstance(spec, (specs.BatchNormalization, specs.LayerNormalization)):
        return
    names = [name for name in ("momentum", "epsilon") if hasattr(spec, name)]
    changed = {name: float(np.float32(getattr(spec, name))) for name in names}
    names = [name for name in names if changed[name] != getattr(spec, name)]
    for count in range(1, len(names) + 1):
        for chosen in itertools.combinations(names, count):
            said = " and ".join(f"{name} is rounded to float32, {changed[name]:.12g}" for name in chosen)
            yield said, replace(spec, **{name: changed[name] for name in chosen})  # type: ignore[arg-type]


def other_constants(spec: ModelSpec) -> list[OtherConstants]:
    """The claims beside that of Keras' float64 arithmetic that code written elsewhere may follow as well.

    Args:
        spec: a model of one layer.
    """
    network = Network.of(spec)
    found = []
    for at, step in enumerate(network.steps):
        exact = _exact(step.layer)
        if exact is not None:
            numbers, layer = exact
            said = ", ".join(f"{number:.9g}" for number in numbers)
            single = ", ".join(f"{float(np.float32(number)):.12g}" for number in numbers)
            words = f"it computes with {said}, which Keras rounds to float32: {single}"
            instead = f"it computes with {single}, as Keras: {said} rounded to float32"
            found.append(OtherConstants(words, network.replace_layer(at, layer), instead))
    for words, rounded in _rounded(spec.layers[0]):
        found.append(OtherConstants(words, network.replace_layer(0, type(network.steps[0].layer)(rounded))))
    return found


_LARGEST_CHOICE = 64
"""Networks that are tried: each layer with constants has two or more forms."""


def networks_with_other_constants(spec: ModelSpec) -> Iterator[OtherConstants]:
    """A whole network with constants rounded otherwise, in one layer or several: all exact ones first."""
    network = Network.of(spec)
    forms: list[list[tuple[str, Layer | None]]] = []
    for step in network.steps:
        own: list[tuple[str, Layer | None]] = [("", None)]
        exact = _exact(step.layer)
        if exact is not None:
            said = ", ".join(f"{number:.9g}" for number in exact[0])
            own.insert(0, (f"{step.name!r} computes with {said}, which Keras rounds to float32", exact[1]))
        own += [(f"of {step.name!r}, {said}", type(step.layer)(rounded)) for said, rounded in _rounded(step.layer.spec)]
        forms.append(own)
    for chosen in itertools.islice(itertools.product(*forms), _LARGEST_CHOICE):
        words = "; ".join(words for words, _ in chosen if words)
        changed = network
        for at, (_, layer) in enumerate(chosen):
            changed = changed if layer is None else changed.replace_layer(at, layer)
        if words:
            yield OtherConstants(words, changed)
