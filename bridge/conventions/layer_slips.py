"""Slips in layers with windows or statistics: borders, strides, sums that are assigned, parts left out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.conventions.outcome import Change, Given, Outcome
from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers import LAYERS
from core_numpy.layers.batch_normalization import BatchNormalization
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.dense import Dense
from core_numpy.layers.pooling import AveragePooling2D, MaxPooling2D
from core_numpy.layers.reshaping import Reshape
from core_numpy.ops.windows import Windows
from model_spec import layers as specs
from model_spec.shapes import window_extent

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


# ---- windows


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
    for number in range(12):

        def change(given: Given, found: Outcome, number: int = number) -> tuple[str, Given] | None:
            if not isinstance(given.layer.spec, (specs.Conv2D, specs.MaxPooling2D, specs.AveragePooling2D)):
                return None
            others = list(_specs_with_same_output(given))
            if number >= len(others):
                return None
            words, spec = others[number]
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


def _other_pooling(given: Given, found: Outcome) -> tuple[str, Given] | None:
    spec: Any = given.layer.spec
    if isinstance(spec, specs.MaxPooling2D):
        other: Any = specs.AveragePooling2D(spec.pool_size, spec.strides, spec.padding, name=spec.name)
        return "it takes the mean in place of the maximum", given.with_layer(LAYERS[type(other)](other))
    if isinstance(spec, specs.AveragePooling2D):
        other = specs.MaxPooling2D(spec.pool_size, spec.strides, spec.padding, name=spec.name)
        return "it takes the maximum in place of the mean", given.with_layer(LAYERS[type(other)](other))
    if isinstance(spec, specs.GlobalAveragePooling2D):
        other = specs.GlobalMaxPooling2D(name=spec.name)
        return "it takes the maximum in place of the mean", given.with_layer(LAYERS[type(other)](other))
    if isinstance(spec, specs.GlobalMaxPooling2D):
        other = specs.GlobalAveragePooling2D(name=spec.name)
        return "it takes the mean in place of the maximum", given.with_layer(LAYERS[type(other)](other))
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


# ---- batch normalization

EPSILON = "its epsilon is"


def _epsilon(given: Given, found: Outcome) -> tuple[str, Given] | None:
    """The epsilon, solved for from y."""
    spec, y = given.layer.spec, found["y"]
    if not isinstance(spec, specs.BatchNormalization) or y.shape != given.x.shape:
        return None
    layer = given.layer
    _, cache = layer.forward(given.params, given.state, given.x, Context(given.training))
    # (n, ..., c) -> (rows, c)
    centred = given.x.reshape(-1, given.x.shape[-1]) - cache.mean
    shifted = y.reshape(centred.shape) - given.params.get("beta", 0.0)
    scaled = centred * given.params.get("gamma", 1.0)
    with np.errstate(all="ignore"):
        inverse = (shifted * scaled).sum(axis=0) / np.square(scaled).sum(axis=0)
        roots = 1 / inverse
        outside = type(layer).__name__ == "OutsideEpsilonBatchNormalization"
        found_each = roots - np.sqrt(cache.variance) if outside else np.square(roots) - cache.variance
    # The channel with the smallest variance says it most exactly
    at = int(np.argmin(np.where(np.isfinite(found_each), cache.variance, np.inf)))
    epsilon = float(found_each[at])
    if not np.isfinite(epsilon) or not 0 <= epsilon < 1e3:
        epsilon = 0.0 if abs(epsilon) < 1e-12 else -1.0
    if epsilon < 0 or abs(epsilon - spec.epsilon) <= 1e-6 * spec.epsilon:
        return None
    simple = float(f"{epsilon:.3g}")
    epsilon = simple if abs(simple - epsilon) <= 1e-3 * max(epsilon, 1e-30) or epsilon < 1e-13 else epsilon
    if epsilon < 1e-13:
        return "its epsilon is left out", given.with_layer(_with_epsilon(layer, 1e-300))
    words = f"{EPSILON} {epsilon:.6g} in place of {spec.epsilon:g}"
    return words, given.with_layer(_with_epsilon(layer, epsilon))


def _with_epsilon(layer: Layer, epsilon: float) -> Layer:
    return type(layer)(replace(layer.spec, epsilon=epsilon))  # type: ignore[call-arg]


class _VarianceForRoot(BatchNormalization):
    """Divides by variance + epsilon."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        _, cache = super().forward(params, state, x, context)
        normalized = cache.normalized * cache.inverse
        y = normalized * params.get("gamma", 1.0) + params.get("beta", 0.0)
        return y.reshape(x.shape), cache._replace(normalized=normalized)


def _variance_for_root(given: Given, found: Outcome) -> tuple[str, Given] | None:
    if type(given.layer) is not BatchNormalization:
        return None
    return "it divides by the variance: the root is missing", given.with_layer(_VarianceForRoot(given.layer.spec))


class _RowNormalization(BatchNormalization):
    """Statistics of each example in place of the batch: layer normalization."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        axes = tuple(range(1, x.ndim))
        mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
        normalized = (x - mean) / np.sqrt(variance + self.spec.epsilon)
        _, cache = super().forward(params, state, x, context)
        return normalized * params.get("gamma", 1.0) + params.get("beta", 0.0), cache


def _over_examples(given: Given, found: Outcome) -> tuple[str, Given] | None:
    if type(given.layer) is not BatchNormalization or not given.training:
        return None
    words = "it normalizes each example by itself (layer normalization), not each feature over the batch"
    return words, given.with_layer(_RowNormalization(given.layer.spec))


def _momentum(given: Given, found: Outcome) -> tuple[str, Given] | None:
    """The momentum of the moving statistics, solved for."""
    spec: Any = given.layer.spec
    if not isinstance(spec, specs.BatchNormalization) or "moving_mean" not in found or not given.training:
        return None
    _, cache = given.layer.forward(given.params, given.state, given.x, Context(True))
    old, batch = given.state["moving_mean"], cache.mean
    if found["moving_mean"].shape != old.shape:
        return None
    momentum = float(np.vdot(old - batch, found["moving_mean"] - batch) / np.vdot(old - batch, old - batch))
    if not np.isfinite(momentum) or abs(momentum - spec.momentum) < 1e-9 or not -0.5 <= momentum <= 1.5:
        return None
    momentum = float(f"{momentum:.9g}")
    if not 0 <= momentum < 1:
        if abs(momentum - 1) > 1e-9:
            return None
        return "its moving statistics never change", given.with_layer(_Kept(given.layer.spec))
    kind = type(given.layer)
    words = f"its moving statistics keep {momentum:.6g} of the past, {spec.momentum:g} was claimed"
    if abs(momentum - np.float32(spec.momentum)) < 1e-12:
        words = f"its momentum is {spec.momentum:g} rounded to float32, {momentum:.12g}"
    elif abs(momentum - (1 - spec.momentum)) < 1e-9:
        words = (
            f"its momentum is the other way round, as PyTorch's: the moving statistics keep {momentum:.6g} of the past "
            f"and take {1 - momentum:.6g} of the batch"
        )
    return words, given.with_layer(kind(replace(spec, momentum=momentum)))


class _Kept(BatchNormalization):
    def next_state(self, state: Variables, cache: Any) -> Variables:
        return state


class _UnbiasedMoving(BatchNormalization):
    """The batch's variance goes into the moving one times n / (n - 1), as in PyTorch and in Keras' fused kernel."""

    def next_state(self, state: Variables, cache: Any) -> Variables:
        count = len(cache.normalized)
        return super().next_state(state, cache._replace(variance=cache.variance * count / max(count - 1, 1)))


class _DeviationMoving(BatchNormalization):
    def next_state(self, state: Variables, cache: Any) -> Variables:
        return super().next_state(state, cache._replace(variance=np.sqrt(cache.variance)))


def _moving(kind: type[BatchNormalization], words: str) -> Change:
    def change(given: Given, found: Outcome) -> tuple[str, Given] | None:
        if type(given.layer) is not BatchNormalization or not given.training:
            return None
        return words, given.with_layer(kind(given.layer.spec))

    return change


def _normalization(mean: float, variance: float, gamma: bool = True, count: float = 1.0) -> Back:
    """dx = inverse gamma (dy - mean share - variance share), parts of it left out or scaled."""

    def back(inner: Layer, params: Variables, cache: Any, dy: Array) -> tuple[Array | None, Grads]:
        _, own = cache
        _, grads = inner.backward(params, own, dy)
        rows = dy.reshape(own.normalized.shape)
        dbeta, dgamma = rows.sum(axis=0), (rows * own.normalized).sum(axis=0)
        scale = own.inverse * (params.get("gamma", 1.0) if gamma else 1.0)
        share = (mean * dbeta + variance * own.normalized * dgamma) / len(rows) * count
        return (scale * (rows - share)).reshape(dy.shape), grads

    return back


def _gamma_of(what: str) -> Back:
    def back(inner: Layer, params: Variables, cache: Any, dy: Array) -> tuple[Array | None, Grads]:
        x, own = cache
        dx, grads = inner.backward(params, own, dy)
        rows, values = dy.reshape(own.normalized.shape), x.reshape(own.normalized.shape)
        values = values - own.mean if what == "centred" else values
        if what == "output":
            values = own.normalized * params.get("gamma", 1.0) + params.get("beta", 0.0)
        return dx, {**grads, "gamma": (rows * values).sum(axis=0)} if "gamma" in grads else grads

    return back


# ---- reshaping


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
    scale, offset = (float(f"{value:.12g}") for value in np.polyfit(given.x.ravel(), y.ravel(), 1))
    words = f"it computes {scale:.6g} x + {offset:.6g} in place of {spec.scale:g} x + {spec.offset:g}"
    return words, given.with_layer(type(given.layer)(replace(spec, scale=scale, offset=offset)))


_WINDOWS = (specs.Conv2D, specs.MaxPooling2D, specs.AveragePooling2D)
_LINEAR = (specs.Dense, specs.Conv2D)
_BN = (specs.BatchNormalization,)
_MAXIMA = (specs.MaxPooling2D, specs.GlobalMaxPooling2D)

SLIPS: tuple[Change, ...] = (
    *_windows(),
    _zero_border,
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
    _epsilon,
    _variance_for_root,
    _over_examples,
    _momentum,
    _moving(_UnbiasedMoving, "the moving variance takes the unbiased variance, n - 1, as PyTorch's"),
    _moving(_DeviationMoving, "the moving variance takes the standard deviation"),
    _moving(_Kept, "its moving statistics never change"),
    behind("backward lacks the share of the mean", _BN, _normalization(0, 1)),
    behind("backward lacks the share of the variance", _BN, _normalization(1, 0)),
    behind("backward treats mean and variance as constants", _BN, _normalization(0, 0)),
    behind("backward lacks gamma", _BN, _normalization(1, 1, gamma=False)),
    behind("backward has the share of the variance twice", _BN, _normalization(1, 2)),
    behind("backward has half of the share of the variance", _BN, _normalization(1, 0.5)),
    behind("backward has the share of the variance with the other sign", _BN, _normalization(1, -1)),
    behind("the gradient of gamma takes x in place of the normalized x", _BN, _gamma_of("input")),
    behind("the gradient of gamma takes x - mean in place of the normalized x", _BN, _gamma_of("centred")),
    behind("the gradient of gamma takes y in place of the normalized x", _BN, _gamma_of("output")),
    *_orders(),
    _rescaling,
)
"""Tried in this order."""
