"""Slips in what any layer computes with: parameters left out or exchanged, lower precision, stale values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.conventions.layers import LAYER_CONVENTIONS
from bridge.conventions.outcome import Change, Given, Outcome
from core_numpy.contract import Array, Context, Layer, Variables
from model_spec.shapes import element_count

OTHERS = "it follows another convention: "


def conventions() -> Iterator[Change]:
    """The layers of other frameworks and books."""
    for convention in LAYER_CONVENTIONS:

        def change(given: Given, found: Outcome, convention: object = convention) -> tuple[str, Given] | None:
            layer = convention.make(given.layer)  # type: ignore[attr-defined]
            if layer is None:
                return None
            words = f"{OTHERS}{convention.name} ({convention.who})"  # type: ignore[attr-defined]
            return words, given.with_layer(layer)

        yield change


def parameters() -> Iterator[Change]:
    """A parameter left out, doubled, or in the place of another."""

    def scaled(name: str, factor: float, words: str) -> Change:
        def change(given: Given, found: Outcome) -> tuple[str, Given] | None:
            if name not in given.params:
                return None
            return words, replace(given, params={**given.params, name: given.params[name] * factor})

        return change

    for name in ("bias", "beta"):
        yield scaled(name, 0.0, f"{name} is left out of the output")
        yield scaled(name, 2.0, f"{name} is added twice")
        yield scaled(name, -1.0, f"{name} is subtracted in place of added")

    def without_gamma(given: Given, found: Outcome) -> tuple[str, Given] | None:
        if "gamma" not in given.params:
            return None
        ones = np.ones_like(given.params["gamma"])
        return "gamma is left out of the output", replace(given, params={**given.params, "gamma": ones})

    def exchanged(given: Given, found: Outcome) -> tuple[str, Given] | None:
        if not {"gamma", "beta"} <= set(given.params):
            return None
        params = {**given.params, "gamma": given.params["beta"], "beta": given.params["gamma"]}
        return "gamma and beta have changed places", replace(given, params=params)

    def transposed(given: Given, found: Outcome) -> tuple[str, Given] | None:
        kernel = given.params.get("kernel")
        if kernel is None or kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1]:
            return None
        return "the kernel is transposed", replace(given, params={**given.params, "kernel": kernel.T.copy()})

    def own_statistics(given: Given, found: Outcome) -> tuple[str, Given] | None:
        if not given.state:
            return None
        words = "training uses the moving statistics in place of the batch's"
        if not given.training:
            words = "inference uses the batch's statistics in place of the moving ones"
        return words, replace(given, training=not given.training)

    yield from (without_gamma, exchanged, transposed, own_statistics)


def order() -> Iterator[Change]:
    """What is computed in the wrong order, or given in it."""

    def updated_first(given: Given, found: Outcome) -> tuple[str, Given] | None:
        dx, layer = found.get("gradient of x"), given.layer
        if not given.params or dx is None or dx.shape != given.x.shape:
            return None
        exact = given.outcome()
        step = {name: exact[f"gradient of {name}"] for name in given.params}

        def moved(rate: float) -> Given:
            return given.with_layer(UpdatedFirst(layer, {name: -rate * value for name, value in step.items()}))

        by_one = moved(1.0).outcome()["gradient of x"] - exact["gradient of x"]
        square = float(np.vdot(by_one, by_one))
        rate = float(np.vdot(by_one, dx - exact["gradient of x"])) / square if square else 0.0
        if not np.isfinite(rate) or abs(rate) < 1e-9:
            return None
        rate = float(f"{rate:.9g}")
        words = f"the gradient of x is computed with the weights after their update (a step of {rate:.6g})"
        return f"{words}: compute it before the update", moved(rate)

    def exchanged(given: Given, found: Outcome) -> tuple[str, Given] | None:
        if given.x.shape != given.dy.shape:
            return None
        words = "backward takes x for the gradient of the output, and that for x: two arguments have changed places"
        return words, replace(given, x_behind=given.dy, dy=given.x)

    yield from (updated_first, exchanged)


class UpdatedFirst(Layer):
    """A layer whose backward gives the gradient of x of other parameters."""

    def __init__(self, inner: Layer, moved: Mapping[str, Array]) -> None:
        super().__init__(inner.spec)
        object.__setattr__(self, "_own", (inner, moved))

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        inner, _ = self._own  # type: ignore[attr-defined]
        y, cache = inner.forward(params, state, x, context)
        return y, cache

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        inner, moved = self._own  # type: ignore[attr-defined]
        _, grads = inner.backward(params, cache, dy)
        after = {name: value + moved.get(name, 0.0) for name, value in params.items()}
        return inner.backward(after, cache, dy)[0], grads

    def next_state(self, state: Variables, cache: Any) -> Variables:
        result: Variables = self._own[0].next_state(state, cache)  # type: ignore[attr-defined]
        return result


def previous(before: Given) -> Iterator[Change]:
    """Values of the call before."""

    def stale_x(given: Given, found: Outcome) -> tuple[str, Given] | None:
        if before.x.shape != given.x.shape:
            return None
        return "backward works with the x of the first call: stale values", replace(given, x_behind=before.x)

    def stale_dy(given: Given, found: Outcome) -> tuple[str, Given] | None:
        if before.dy.shape != given.dy.shape:
            return None
        return "backward works with the gradient given to the first call: stale values", replace(given, dy=before.dy)

    def stale_input(given: Given, found: Outcome) -> tuple[str, Given] | None:
        if before.x.shape != given.x.shape:
            return None
        return "it answers for the x of the first call: stale values", replace(given, x=before.x)

    def stale_mask(given: Given, found: Outcome) -> tuple[str, Given] | None:
        if before.x.shape != given.x.shape or getattr(given.last.spec, "activation", None) != "relu":
            return None
        kept = before.into_last > 0
        words = "its mask is that of the first call, kept where a new one is needed: stale values"
        return words, given.with_last(Masked(given.last.spec, kept))

    yield from (stale_x, stale_dy, stale_input, stale_mask)


class Masked(Layer):
    """Multiplies with a mask that is given."""

    def __init__(self, spec: Any, kept: Array) -> None:
        super().__init__(spec)
        object.__setattr__(self, "_kept", kept)

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        return x * self._kept, None  # type: ignore[attr-defined]

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        return dy * self._kept, {}  # type: ignore[attr-defined]


def cells(given: Given) -> dict[str, float]:
    """{words: number} that sums of this layer run over."""
    spec, shape = given.layer.spec, given.x.shape[1:]
    counts: dict[str, float] = {}
    windows = {"window": ("kernel_size", "pool_size"), "block": ("size",)}
    for what, names in windows.items():
        window = next((getattr(spec, name) for name in names if hasattr(spec, name)), None)
        if window is not None:
            count = math.prod(np.atleast_1d(window).tolist())
            counts[f"the {count} cells of a {what}"] = count
    if len(shape) == 3:
        counts[f"the {shape[0]} x {shape[1]} positions of an image"] = shape[0] * shape[1]
        counts[f"the {len(given.x)} x {shape[0]} x {shape[1]} positions of the batch"] = (
            len(given.x) * shape[0] * shape[1]
        )
        out = given.dy.shape[1:3] if given.dy.ndim == 4 else None
        if out is not None and out != shape[:2]:
            counts[f"the {out[0]} x {out[1]} positions of the output"] = out[0] * out[1]
            counts[f"the {len(given.x)} x {out[0]} x {out[1]} positions of the batch's output"] = (
                len(given.x) * out[0] * out[1]
            )
    counts[f"the {shape[-1]} inputs or channels"] = shape[-1]
    counts[f"the {given.dy.shape[-1]} units or filters"] = given.dy.shape[-1]
    counts[f"the {element_count(shape)} values of an example"] = element_count(shape)
    rate = getattr(spec, "rate", None)
    if rate:
        counts |= {
            f"the rate {rate:g}": rate,
            f"1 - rate = {1 - rate:g}": 1 - rate,
        }
    return counts
