"""Layers as other frameworks and books define them: each a from-scratch layer with one convention changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.batch_normalization import BatchNormalization
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.dense import Dense
from core_numpy.layers.dropout import Dropout
from core_numpy.layers.pooling import AveragePooling2D, MaxPooling2D
from core_numpy.layers.reshaping import Reshape
from core_numpy.ops.reduction import sum_rows
from core_numpy.ops.windows import Windows
from model_spec import Flatten


@dataclass(frozen=True)
class LayerConvention:
    """One other way to define a layer.

    Attributes:
        name: short, for reports.
        who: where the convention is found.
        make: gives the changed layer, or None where the convention changes nothing for this layer.
    """

    name: str
    who: str
    make: Callable[[Layer], Layer | None]


def _other_kernel(turn: Callable[[Array], Array], turn_back: Callable[[Array], Array]) -> type[Conv2D]:
    """Conv2D that reads its kernel turned; the gradient comes back in the stored form."""

    class OtherKernel(Conv2D):
        def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
            return super().forward({**params, "kernel": turn(params["kernel"])}, state, x, context)

        def backward(
            self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
        ) -> tuple[Array | None, dict[str, Array]]:
            dx, grads = super().backward({**params, "kernel": turn(params["kernel"])}, cache, dy, need_dx)
            return dx, {**grads, "kernel": turn_back(grads["kernel"])}

    return OtherKernel


def _flip(kernel: Array) -> Array:
    return kernel[::-1, ::-1]


def _swap(kernel: Array) -> Array:
    return kernel.swapaxes(0, 1)


def _from_oihw(kernel: Array) -> Array:
    """The same memory, read as (out, in, height, width)."""
    height, width, inputs, filters = kernel.shape
    return kernel.reshape(filters, inputs, height, width).transpose(2, 3, 1, 0)


def _to_oihw(gradient: Array) -> Array:
    return np.ascontiguousarray(gradient.transpose(3, 2, 0, 1)).reshape(gradient.shape)


FlippedConv2D = _other_kernel(_flip, _flip)
SwappedConv2D = _other_kernel(_swap, _swap)
OihwConv2D = _other_kernel(_from_oihw, _to_oihw)


class TransposedDense(Dense):
    """Dense whose kernel's memory holds (units, inputs)."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        return super().forward({**params, "kernel": _from_rows(params["kernel"])}, state, x, context)

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        kernel = params["kernel"]
        dx, grads = super().backward({**params, "kernel": _from_rows(kernel)}, cache, dy, need_dx)
        return dx, {**grads, "kernel": np.ascontiguousarray(grads["kernel"].T).reshape(kernel.shape)}


def _from_rows(kernel: Array) -> Array:
    return kernel.reshape(kernel.shape[::-1]).T


class BeforeWindows(Windows):
    """Windows whose odd cell of SAME padding goes before the image."""

    @property
    def padding_cells(self) -> tuple[tuple[int, int], tuple[int, int]]:
        (top, bottom), (left, right) = super().padding_cells
        return (bottom, top), (right, left)


def _windows_before(windows: Windows) -> Windows:
    return BeforeWindows(windows.image, windows.window, windows.strides, windows.padding, windows.dilation)


class BeforeConv2D(Conv2D):
    """Conv2D with the odd cell of padding before."""

    def windows(self, x: Array) -> Windows:
        return _windows_before(super().windows(x))


class BeforeMaxPooling2D(MaxPooling2D):
    """MaxPooling2D with the odd cell of padding before."""

    def windows(self, x: Array) -> Windows:
        return _windows_before(super().windows(x))


class BeforeAveragePooling2D(AveragePooling2D):
    """AveragePooling2D with the odd cell of padding before."""

    def windows(self, x: Array) -> Windows:
        return _windows_before(super().windows(x))


class PaddingCountedAveragePooling2D(AveragePooling2D):
    """AveragePooling2D that divides by the window's size, padding included."""

    def _share(self, x: Array) -> Array:
        from core_numpy.ops.pooling import real_cell_counts

        windows = self.windows(x)
        return real_cell_counts(windows, x.dtype) / x.dtype.type(windows.window[0] * windows.window[1])

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        y, windows = super().forward(params, state, x, context)
        share = self._share(x)
        return y * share, (windows, share)

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        windows, share = cache
        return super().backward(params, windows, dy * share, need_dx)


class ChannelsFirstFlatten(Reshape):
    """Flatten in (channels, height, width) order."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        # (n, h, w, c) -> (n, c, h, w) -> (n, c * h * w)
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2)).reshape(len(x), -1), x.shape

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        n, height, width, channels = cache
        dx = dy.reshape(n, channels, height, width).transpose(0, 2, 3, 1)
        return (np.ascontiguousarray(dx) if need_dx else None), {}


class UninvertedDropout(Dropout):
    """Dropout that does not scale what it keeps; inference would have to."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        y, scaled = super().forward(params, state, x, context)
        if scaled is None:
            return y, None
        mask = (scaled != 0).astype(x.dtype)
        return x * mask, mask


class ScaledInferenceDropout(Dropout):
    """Dropout that keeps all in inference, times the share that training keeps."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        kept = x.dtype.type(1 - self.spec.rate)
        y, scaled = super().forward(params, state, x, context)
        factor = np.full_like(x, kept) if scaled is None else (scaled != 0).astype(x.dtype)
        return x * factor, factor


class OutsideEpsilonBatchNormalization(BatchNormalization):
    """(x - mean) / (sqrt(variance) + epsilon)."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        return _normalize(self, params, state, x, context, root_first=True, unbiased=False)

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        # The derivative of 1 / (sqrt(v) + e) has sqrt(v) where that of 1 / sqrt(v + e) has the whole denominator
        _, inverse, _, variance, _ = cache
        root = np.sqrt(variance)
        return _with_variance_share(super().backward, params, cache, dy, need_dx, 1 / (inverse * root) - 1)


class UnbiasedBatchNormalization(BatchNormalization):
    """The batch's variance divided by n - 1."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        return _normalize(self, params, state, x, context, root_first=False, unbiased=True)

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        # d variance / dx has n - 1 in place of n
        count = len(cache[0])
        return _with_variance_share(super().backward, params, cache, dy, need_dx, count / max(count - 1, 1) - 1)


def _with_variance_share(
    backward: Callable[..., Any], params: Variables, cache: Any, dy: Array, need_dx: bool, more: Any
) -> tuple[Array | None, dict[str, Array]]:
    """Keras' backward with the part of dx that goes through the batch's variance grown by the share ``more``."""
    normalized, inverse, _, _, of_batch = cache
    dx, grads = backward(params, cache, dy, need_dx)
    if dx is None or not of_batch:
        return dx, grads
    rows = dy.reshape(normalized.shape)
    scale = inverse * params["gamma"] if "gamma" in params else inverse
    share = scale * normalized * sum_rows(rows * normalized) / rows.dtype.type(len(rows))
    return dx - (share * more).astype(dx.dtype).reshape(dy.shape), grads


def _normalize(
    layer: BatchNormalization,
    params: Variables,
    state: Variables,
    x: Array,
    context: Context,
    root_first: bool,
    unbiased: bool,
) -> tuple[Array, Any]:
    of_batch = context.training and layer.spec.trainable
    rows = x.reshape(-1, x.shape[-1])
    mean, variance = state["moving_mean"], state["moving_variance"]
    if of_batch:
        mean = rows.mean(axis=0)
        variance = np.square(rows - mean).sum(axis=0) / (len(rows) - unbiased)
    epsilon = x.dtype.type(layer.spec.epsilon)
    inverse = 1 / (np.sqrt(variance) + epsilon) if root_first else 1 / np.sqrt(variance + epsilon)
    normalized = (rows - mean) * inverse
    y = normalized * params["gamma"] if "gamma" in params else normalized
    y = y + params["beta"] if "beta" in params else y
    return y.reshape(x.shape), (normalized, inverse, mean, variance, of_batch)


def _of(kind: type[Layer], changed: type[Layer]) -> Callable[[Layer], Layer | None]:
    return lambda layer: changed(layer.spec) if type(layer) is kind else None


def _of_images(layer: Layer) -> Layer | None:
    return ChannelsFirstFlatten(layer.spec) if isinstance(layer.spec, Flatten) else None


def _before(layer: Layer) -> Layer | None:
    kinds: dict[type[Layer], type[Layer]] = {
        Conv2D: BeforeConv2D,
        MaxPooling2D: BeforeMaxPooling2D,
        AveragePooling2D: BeforeAveragePooling2D,
    }
    changed = kinds.get(type(layer))
    return changed(layer.spec) if changed and layer.spec.padding == "same" else None  # type: ignore[attr-defined]


def _other_epsilon(epsilon: float) -> Callable[[Layer], Layer | None]:
    def make(layer: Layer) -> Layer | None:
        if type(layer) is not BatchNormalization or layer.spec.epsilon == epsilon:
            return None
        return BatchNormalization(replace(layer.spec, epsilon=epsilon))

    return make


LAYER_CONVENTIONS: tuple[LayerConvention, ...] = (
    LayerConvention("flipped kernel", "signal processing: a true convolution", _of(Conv2D, FlippedConv2D)),
    LayerConvention("kernel height and width swapped", "column-major sources", _of(Conv2D, SwappedConv2D)),
    LayerConvention("kernel memory in OIHW order", "PyTorch, Chainer, the books", _of(Conv2D, OihwConv2D)),
    LayerConvention("kernel memory in (units, inputs) order", "PyTorch's Linear", _of(Dense, TransposedDense)),
    LayerConvention("SAME padding with the odd cell before", "Caffe, ONNX SAME_LOWER", _before),
    LayerConvention(
        "average pooling counts padding",
        "PyTorch's count_include_pad",
        _of(AveragePooling2D, PaddingCountedAveragePooling2D),
    ),
    LayerConvention("flatten in channels-first order", "NCHW frameworks", _of_images),
    LayerConvention("un-inverted dropout", "the original paper, in training", _of(Dropout, UninvertedDropout)),
    LayerConvention(
        "un-inverted dropout with scaled inference", "the original paper", _of(Dropout, ScaledInferenceDropout)
    ),
    LayerConvention(
        "epsilon outside the root",
        "a frequent slip in batch normalization",
        _of(BatchNormalization, OutsideEpsilonBatchNormalization),
    ),
    LayerConvention(
        "unbiased batch variance", "n - 1 in the denominator", _of(BatchNormalization, UnbiasedBatchNormalization)
    ),
    LayerConvention("batch normalization epsilon 1e-5", "PyTorch's default", _other_epsilon(1e-5)),
    LayerConvention("batch normalization epsilon 1e-7", "the books", _other_epsilon(1e-7)),
)
