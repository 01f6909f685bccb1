"""Slips of precision: inputs, parameters or products that are rounded to fewer bits on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.conventions.outcome import Change, Given, Outcome
from core_numpy.contract import Array, Context, Layer, Variables


def _round_to_bits(value: Array, bits: int) -> Array:
    """Round to so many significant bits, nearest."""
    mantissa, exponent = np.frexp(value)
    return np.ldexp(np.rint(mantissa * 2.0**bits), exponent - bits)


def _chopped(value: Array, bits: int) -> Array:
    mantissa, exponent = np.frexp(value)
    return np.ldexp(np.trunc(mantissa * 2.0**bits), exponent - bits)


def _as_both(value: Array) -> Array:
    """Where values are neither tiny nor huge, the two are one.

    Raises:
        ValueError: they differ.
    """
    bits, half = _round_to_bits(value, 11), value.astype(np.float16).astype(np.float64)
    if not np.array_equal(bits, half):
        raise ValueError("TF32 and float16 differ here")
    return bits


BOTH = "TF32 or float16 (10 bits behind the leading one)"
"""Said where nothing is so small or large that the two would differ."""

PRECISIONS: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("float32", lambda value: value.astype(np.float32).astype(np.float64)),
    (BOTH, _as_both),
    ("float16", lambda value: value.astype(np.float16).astype(np.float64)),
    ("TF32 (10 bits behind the leading one)", lambda value: _round_to_bits(value, 11)),
    ("TF32 (10 bits behind the leading one, cut off)", lambda value: _chopped(value, 11)),
    ("bfloat16 (7 bits behind the leading one)", lambda value: _round_to_bits(value, 8)),
    ("whole numbers (integer arithmetic)", np.trunc),
    ("whole numbers (rounded)", np.rint),
)
"""What numbers may have been rounded to on the way."""


_ROUNDED = (
    "x",
    "the kernel",
    "parameters",
    "x and the kernel",
    "x and parameters",
    "the gradient of the output",
    "x and the gradient of the output",
    "the kernel and the gradient of the output",
    "everything",
)
"""What is rounded, in turn."""


def precision() -> Iterator[Change]:
    """Inputs, parameters, the cotangent, or both factors of every product in lower precision."""
    yield from _products()
    for name, cast in PRECISIONS:
        for what in _ROUNDED:

            def change(
                given: Given, found: Outcome, name: str = name, cast: Callable[[Array], Array] = cast, what: str = what
            ) -> tuple[str, Given] | None:
                changed = given
                if what in ("x", "x and the kernel", "x and parameters", "everything"):
                    changed = replace(changed, x=cast(given.x))
                if what in ("parameters", "x and parameters", "everything"):
                    changed = replace(changed, params={key: cast(value) for key, value in given.params.items()})
                if what in ("the kernel", "x and the kernel", "the kernel and the gradient of the output"):
                    if "kernel" not in given.params:
                        return None
                    changed = replace(changed, params={**given.params, "kernel": cast(given.params["kernel"])})
                if what in ("x and the gradient of the output",):
                    changed = replace(changed, x=cast(given.x))
                if "the gradient of the output" in what or what == "everything":
                    changed = replace(changed, dy=cast(given.dy))
                return f"{what if what != 'everything' else 'all it is given'} is rounded to {name}", changed

            yield change


def _products() -> Iterator[Change]:
    for name, cast in PRECISIONS:

        def change(
            given: Given, found: Outcome, name: str = name, cast: Callable[[Array], Array] = cast
        ) -> tuple[str, Given] | None:
            if "kernel" not in given.params:
                return None
            words = f"its products are computed in {name}: both factors are rounded, sums are not"
            return words, given.with_layer(_Products(given.layer, cast))

        yield change


class _Products(Layer):
    """A layer whose factors of every product are rounded, and whose biases and sums are not."""

    def __init__(self, inner: Layer, cast: Callable[[Array], Array]) -> None:
        super().__init__(inner.spec)
        object.__setattr__(self, "_own", (inner, cast))

    def _rounded(self, params: Variables) -> Variables:
        return {**params, "kernel": self._own[1](params["kernel"])}  # type: ignore[attr-defined]

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        inner, cast = self._own  # type: ignore[attr-defined]
        y, cache = inner.forward(self._rounded(params), state, cast(x), context)
        return y, cache

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        inner, cast = self._own  # type: ignore[attr-defined]
        dx, grads = inner.backward(self._rounded(params), cache, cast(dy))
        if "bias" in grads:
            grads = {**grads, "bias": dy.reshape(-1, dy.shape[-1]).sum(axis=0)}
        return dx, grads
