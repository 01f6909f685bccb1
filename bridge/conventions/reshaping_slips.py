"""Slips in layers without parameters: the order of a Flatten, scale and offset of a Rescaling."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.conventions.outcome import Change, Given, Outcome
from core_numpy.contract import Array, Context, Variables
from core_numpy.layers.reshaping import Reshape
from model_spec import layers as specs


class _Ordered(Reshape):
    def __init__(self, spec: Any, order: tuple[int, ...]) -> None:
        super().__init__(spec)
        object.__setattr__(self, "order", order)

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        y, cache = super().forward(params, state, x, context)
        order: tuple[int, ...] = self.order  # type: ignore[attr-defined]
        turned = x.transpose(0, *(axis + 1 for axis in order))
        return turned.reshape(y.shape), (x.shape, turned.shape, order)

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        _, turned, order = cache
        back = np.argsort([0, *(axis + 1 for axis in order)])
        return dy.reshape(turned).transpose(back), {}


def _orders() -> Iterator[Change]:
    for count in (2, 3):
        for order in list(itertools.permutations(range(count)))[1:]:

            def change(given: Given, found: Outcome, order: tuple[int, ...] = order) -> tuple[str, Given] | None:
                spec = given.layer.spec
                if not isinstance(spec, (specs.Flatten, specs.Reshape)) or given.x.ndim != len(order) + 1:
                    return None
                names = {3: ("height", "width", "channels"), 2: ("rows", "columns")}[len(order)]
                words = f"it takes the values in the order {', '.join(names[axis] for axis in order)}"
                return words, given.with_layer(_Ordered(spec, order))

            yield change


def _rescaling(given: Given, found: Outcome) -> tuple[str, Given] | None:
    """Scale and offset, solved for."""
    spec, y = given.layer.spec, found["y"]
    if not isinstance(spec, specs.Rescaling) or y.shape != given.x.shape:
        return None
    if isinstance(spec.scale, tuple) or isinstance(spec.offset, tuple):
        return None
    scale, offset = (float(f"{value:.12g}") for value in np.polyfit(given.x.ravel(), y.ravel(), 1))
    words = f"it computes {scale:.6g} x + {offset:.6g} in place of {spec.scale:g} x + {spec.offset:g}"
    return words, given.with_layer(type(given.layer)(replace(spec, scale=scale, offset=offset)))


SLIPS: tuple[Change, ...] = (
    *_orders(),
    _rescaling,
)
"""Tried in this order."""
