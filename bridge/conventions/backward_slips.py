"""A slip in backward alone: a layer whose backward is exchanged for another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bridge.conventions.outcome import Change, Given, Outcome
from core_numpy.contract import Array, Context, Layer, Variables
from model_spec import layers as specs

Grads = dict[str, Array]
Back = Callable[[Layer, Variables, Any, Array], "tuple[Array | None, Grads]"]


class _Behind(Layer):
    """A layer with another backward: ``back(inner, params, cache, dy)``."""

    def __init__(self, inner: Layer, back: Back) -> None:
        super().__init__(inner.spec)
        object.__setattr__(self, "inner", inner)
        object.__setattr__(self, "back", back)

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        y, cache = self.inner.forward(params, state, x, context)  # type: ignore[attr-defined]
        return y, (x, cache)

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        own: Any = self
        result: tuple[Array | None, Grads] = own.back(own.inner, params, cache, dy)
        return result

    def next_state(self, state: Variables, cache: Any) -> Variables:
        own: Any = self
        result: Variables = own.inner.next_state(state, cache[1])
        return result


def behind(words: str, kinds: tuple[type[specs.LayerSpec], ...], back: Back) -> Change:
    """A slip in backward of layers of these kinds."""

    def change(given: Given, found: Outcome) -> tuple[str, Given] | None:
        if not isinstance(given.layer.spec, kinds):
            return None
        return words, given.with_layer(_Behind(given.layer, back))

    return change
