"""Slips in convolutions, poolings and Dense: borders, strides, sums that are assigned, parts left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.conventions.backward_slips import Back, Grads, behind
from bridge.conventions.outcome import Change, Given, Outcome
from bridge.conventions.relations import number
from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers import build_layer
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.dense import Dense
from core_numpy.layers.pooling import AveragePooling2D, MaxPooling2D
from core_numpy.ops.windows import Windows
from model_spec import layers as specs
from model_spec.shapes import window_extent


def _specs_with_same_output(given: Given) -> Iterator[tuple[str, specs.LayerSpec]]:
    """Other borders, strides and dilations of a layer with windows."""
    spec: Any = given.layer.spec
    window = getattr(spec, "kernel_size", None) or spec.pool_size
    dilation = getattr(spec, "dilation_rate", (1, 1))
    extents = [window_extent(window[axis], dilation[axis]) for axis in (0, 1)]
    symmetric = tuple(((extent - 1) // 2,) * 2 for extent in extents)
    if spec.padding != symmetric:
        yield f"a symmetric border of {symmetric[0][0]} and {symmetric[1][0]} cells", replace(spec, padding=symmetric)
    for border in range(4):
        if spec.padding != ((border, border), (border, border)) and border < min(window) + 2:
            words = f"a border of {border} cells on every side" if border else "no border"
            yield words, _or_none(spec, padding=border)
    for rule in ("valid", "same"):
        if spec.padding != rule:
            yield f'the border of padding="{rule}"', replace(spec, padding=rule)
    if spec.strides[0] != spec.strides[1]:
        yield "the strides of height and width exchanged", replace(spec, strides=spec.strides[::-1])
    for strides in (1, 2, 3):
        if spec.strides != (strides, strides):
            yield f"strides of {strides}", _or_none(spec, strides=strides)
    if dilation != (1, 1):
        yield "no dilation", replace(spec, dilation_rate=1)


def _or_none(spec: Any, **options: Any) -> specs.LayerSpec:
    """The layer with other options; itself where they do not fit."""
    try:
        other: specs.LayerSpec = replace(spec, **options)
    except ValueError:
        other = spec
    return other


def symmetric(given: Given, found: Outcome) -> tuple[str, Given] | None:
    """A border of equal sides where "same" was claimed."""
    spec: Any = given.layer.spec
    if getattr(spec, "padding", None) != "same":
        return None
    words, other = next(_specs_with_same_output(given))
    name = f"it has {words}, as PyTorch's padding=, where padding='same' was claimed"
    return name, given.with_layer(type(given.layer)(other))


def _windows() -> Iterator[Change]:
    for which in range(12):

        def change(given: Given, found: Outcome, which: int = which) -> tuple[str, Given] | None:
            if not isinstance(given.layer.spec, (specs.Conv2D, specs.MaxPooling2D, specs.AveragePooling2D)):
                return None
            others = list(_specs_with_same_output(given))
            if which >= len(others):
                return None
            words, spec = others[which]
            if spec == given.layer.spec:
                return None
            claimed: Any = given.layer.spec
            return (
                f"it has {words} where padding={claimed.padding!r}, strides={claimed.strides} was claimed",
                given.with_layer(type(given.layer)(spec)),
            )

        yield change


class _ZeroBorder(MaxPooling2D):
    """A maximum in which the zeros of the border take part."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        windows = self.windows(x)
        padded = windows.pad(x)
        inner = MaxPooling2D(replace(self.spec, padding="valid"))
        y, cache = inner.forward(params, state, padded, context)
        return y, (windows, inner, cache)

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        windows, inner, own = cache
        return windows.crop(np.asarray(inner.backward(params, own, dy)[0])), {}


def _zero_border(given: Given, found: Outcome) -> tuple[str, Given] | None:
    if type(given.layer) is not MaxPooling2D or given.layer.spec.padding == "valid":
        return None
    return "the zeros of its border take part in the maximum", given.with_layer(_ZeroBorder(given.layer.spec))


class _Started(Layer):
    """A maximum over cells and a number: where the number is larger, no cell gets a gradient."""

    def __init__(self, inner: Layer, start: float) -> None:
        super().__init__(inner.spec)
        object.__setattr__(self, "_own", (inner, start))

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        inner, start = self._own  # type: ignore[attr-defined]
        y, cache = inner.forward(params, state, x, context)
        return np.maximum(y, start), (cache, y >= start)

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        inner, _ = self._own  # type: ignore[attr-defined]
        result: tuple[Array | None, dict[str, Array]] = inner.backward(params, cache[0], dy * cache[1])
        return result


def _started(given: Given, found: Outcome) -> tuple[str, Given] | None:
    """The number that a maximum starts at, read off the least that it gives."""
    if not isinstance(given.layer.spec, (*_MAXIMA, specs.MaxPooling1D, specs.GlobalMaxPooling1D)):
        return None
    start = float(found["y"].min())
    return f"it starts its maximum at {number(start)}, not at -infinity", given.with_layer(_Started(given.layer, start))


def _other_pooling(given: Given, found: Outcome) -> tuple[str, Given] | None:
    spec: Any = given.layer.spec
    if isinstance(spec, specs.MaxPooling2D):
        other: Any = specs.AveragePooling2D(spec.pool_size, spec.strides, spec.padding, name=spec.name)
        return "it takes the mean in place of the maximum", given.with_layer(build_layer(other))
    if isinstance(spec, specs.AveragePooling2D):
        other = specs.MaxPooling2D(spec.pool_size, spec.strides, spec.padding, name=spec.name)
        return "it takes the maximum in place of the mean", given.with_layer(build_layer(other))
    if isinstance(spec, specs.GlobalAveragePooling2D):
        other = specs.GlobalMaxPooling2D(spec.keepdims, name=spec.name)
        return "it takes the maximum in place of the mean", given.with_layer(build_layer(other))
    if isinstance(spec, specs.GlobalMaxPooling2D):
        other = specs.GlobalAveragePooling2D(spec.keepdims, name=spec.name)
        return "it takes the mean in place of the maximum", given.with_layer(build_layer(other))
    return None


def _positions(windows: Windows) -> Iterator[tuple[int, int, slice, slice]]:
    (rows, columns), (tall, wide), (down, across) = windows.output, windows.window, windows.strides
    for i in range(rows):
        for j in range(columns):
            yield i, j, slice(i * down, i * down + tall), slice(j * across, j * across + wide)


def _assigned(inner: Layer, params: Variables, cache: Any, dy: Array) -> tuple[Array | None, Grads]:
    """dx in which a later window overwrites what an earlier one gave."""
    x, own = cache
    dx, grads = inner.backward(params, own, dy)
    windows: Windows = inner.windows(x)  # type: ignore[attr-defined]
    if windows.dilation != (1, 1) or all(s >= w for s, w in zip(windows.strides, windows.window, strict=True)):
        raise ValueError("windows that stand apart overwrite nothing")
    padded = windows.pad(x)
    result = np.zeros_like(padded)
    for i, j, rows, columns in _positions(windows):
        one = dy[:, i, j]
        if isinstance(inner, Conv2D):
            result[:, rows, columns] = np.einsum("nf,ijcf->nijc", one, params["kernel"])
        elif isinstance(inner, AveragePooling2D):
            result[:, rows, columns] = one[:, None, None] / (windows.window[0] * windows.window[1])
        else:
            seen = padded[:, rows, columns]
            result[:, rows, columns] = (seen == seen.max(axis=(1, 2), keepdims=True)) * one[:, None, None]
    return windows.crop(result), grads


def _every_tie(inner: Layer, params: Variables, cache: Any, dy: Array) -> tuple[Array | None, Grads]:
    x, _ = cache
    if isinstance(inner.spec, specs.GlobalMaxPooling2D):
        mask = x == x.max(axis=(1, 2), keepdims=True)
        return mask * dy[:, None, None, :], {}
    windows: Windows = inner.windows(x)  # type: ignore[attr-defined]
    padded = windows.pad(x, -np.inf)
    result = np.zeros_like(padded)
    for i, j, rows, columns in _positions(windows):
        seen = padded[:, rows, columns]
        result[:, rows, columns] += (seen == seen.max(axis=(1, 2), keepdims=True)) * dy[:, i, j][:, None, None]
    return windows.crop(result), {}


def _to_all(inner: Layer, params: Variables, cache: Any, dy: Array) -> tuple[Array | None, Grads]:
    """The whole gradient to each cell of the window."""
    x, _ = cache
    windows: Windows = inner.windows(x)  # type: ignore[attr-defined]
    result = np.zeros_like(windows.pad(x))
    for i, j, rows, columns in _positions(windows):
        result[:, rows, columns] += dy[:, i, j][:, None, None]
    return windows.crop(result), {}


def _first_columns(inner: Layer, params: Variables, cache: Any, dy: Array) -> tuple[Array | None, Grads]:
    """Loops over height for the width too."""
    height, width = dy.shape[1:3]
    short = np.where((np.arange(width) < height)[:, None], dy, 0)
    return inner.backward(params, cache[1], short)


def _kernel_not_turned(inner: Layer, params: Variables, cache: Any, dy: Array) -> tuple[Array | None, Grads]:
    dx, grads = inner.backward(params, cache[1], dy)
    kernel = params["kernel"]
    if isinstance(inner, Dense):
        square = kernel.shape[0] == kernel.shape[1]
        return (dy @ kernel if square else dx), grads
    other, _ = inner.backward({**params, "kernel": kernel[::-1, ::-1]}, cache[1], dy)
    return other, grads


def _of_one(which: int) -> Back:
    """Parameter gradients of one example alone."""

    def back(inner: Layer, params: Variables, cache: Any, dy: Array) -> tuple[Array | None, Grads]:
        dx, _ = inner.backward(params, cache[1], dy)
        alone = np.zeros_like(dy)
        alone[which] = dy[which]
        return dx, inner.backward(params, cache[1], alone)[1]

    return back


def _of_one_position(which: int) -> Back:
    def back(inner: Layer, params: Variables, cache: Any, dy: Array) -> tuple[Array | None, Grads]:
        dx, _ = inner.backward(params, cache[1], dy)
        alone = np.zeros_like(dy)
        alone[:, which, which] = dy[:, which, which]
        return dx, inner.backward(params, cache[1], alone)[1]

    return back


def _bias_without_sum(inner: Layer, params: Variables, cache: Any, dy: Array) -> tuple[Array | None, Grads]:
    dx, grads = inner.backward(params, cache[1], dy)
    return dx, {**grads, "bias": dy.reshape(-1, dy.shape[-1])[0]} if "bias" in grads else grads


_WINDOWS = (specs.Conv2D, specs.MaxPooling2D, specs.AveragePooling2D)
_LINEAR = (specs.Dense, specs.Conv2D)
_MAXIMA = (specs.MaxPooling2D, specs.GlobalMaxPooling2D)

SLIPS: tuple[Change, ...] = (
    *_windows(),
    _zero_border,
    _started,
    _other_pooling,
    behind("backward pays the whole gradient to each cell of a tie", _MAXIMA, _every_tie),
    behind("windows that overlap overwrite each other's gradient: = in place of +=", _WINDOWS, _assigned),
    behind("backward gives the whole gradient to each cell of a window", (specs.AveragePooling2D,), _to_all),
    behind("backward gives the gradient to every cell of a window", (specs.MaxPooling2D,), _to_all),
    behind("backward loops over the height where it should over the width", _WINDOWS, _first_columns),
    behind("backward multiplies with the kernel not transposed", (specs.Dense,), _kernel_not_turned),
    behind("backward has the kernel flipped", (specs.Conv2D,), _kernel_not_turned),
    behind("parameter gradients are of the last example alone: = in place of +=", _LINEAR, _of_one(-1)),
    behind("parameter gradients are of the first example alone", _LINEAR, _of_one(0)),
    behind(
        "parameter gradients are of the last position alone: = in place of +=", (specs.Conv2D,), _of_one_position(-1)
    ),
    behind("parameter gradients are of the first position alone", (specs.Conv2D,), _of_one_position(0)),
    behind("the gradient of the bias is that of one row: the sum is missing", _LINEAR, _bias_without_sum),
)
"""Tried in this order."""
