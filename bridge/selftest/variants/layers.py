"""Right variants of pooling, batch normalization, dropout and rescaling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bridge.selftest.faults.fault import is_layer
from bridge.selftest.variants.variant import Variant
from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.batch_normalization import BatchNormalization
from core_numpy.layers.dropout import Dropout
from core_numpy.layers.global_pooling import GlobalAveragePooling2D
from core_numpy.layers.pooling import AveragePooling2D
from core_numpy.layers.reshaping import Rescaling
from core_numpy.ops.pooling import real_cell_counts

Moments = Callable[[Array], tuple[Array, Array]]
"""(rows, channels) -> (mean, variance)."""


def _reversed_average(inner: AveragePooling2D, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    windows = inner.windows(x)
    padded = windows.pad(x)
    total: Any = 0
    for _, _, seen in reversed(list(windows.taps())):
        total = total + padded[seen]
    return total * (1 / real_cell_counts(windows, x.dtype)), windows


def _average_of_shares(inner: AveragePooling2D, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    windows = inner.windows(x)
    padded, counts = windows.pad(x), real_cell_counts(windows, x.dtype)
    total: Any = 0
    for _, _, seen in windows.taps():
        total = total + padded[seen] / counts
    return total, windows


def _global_average(mean: Callable[[Array], Array]) -> Any:
    """From (n, cells, channels)."""

    def forward(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
        return mean(x.reshape(len(x), -1, x.shape[-1])).astype(x.dtype), x.shape

    return forward


def _row_after_row(cells: Array) -> Array:
    total = np.zeros_like(cells[:, 0])
    for at in range(cells.shape[1]):
        total = total + cells[:, at]
    return total / total.dtype.type(cells.shape[1])


def _running_mean(cells: Array) -> Array:
    mean = np.zeros_like(cells[:, 0])
    for at in range(cells.shape[1]):
        mean = mean + (cells[:, at] - mean) / mean.dtype.type(at + 1)
    return mean


def _two_passes(rows: Array) -> tuple[Array, Array]:
    return rows.mean(axis=0), rows.var(axis=0)


def _welford(rows: Array) -> tuple[Array, Array]:
    mean, squares = np.zeros_like(rows[0]), np.zeros_like(rows[0])
    for count, row in enumerate(rows, start=1):
        before = row - mean
        mean = mean + before / mean.dtype.type(count)
        squares = squares + before * (row - mean)
    return mean, squares / squares.dtype.type(len(rows))


def _wide_moments(rows: Array) -> tuple[Array, Array]:
    wide = rows.astype(np.float64)
    return wide.mean(axis=0).astype(rows.dtype), wide.var(axis=0).astype(rows.dtype)


def _corrected(rows: Array) -> tuple[Array, Array]:
    mean = rows.mean(axis=0)
    deviations = rows - mean
    return mean, np.square(deviations).mean(axis=0) - np.square(deviations.mean(axis=0))


def _normalization(moments: Moments, folded: bool = False) -> Any:
    def forward(inner: BatchNormalization, params: Variables, state: Variables, x: Array, context: Context) -> Any:
        rows = x.reshape(-1, x.shape[-1])
        mean, variance = state["moving_mean"], state["moving_variance"]
        if context.training:
            mean, variance = moments(rows)
        root = np.sqrt(variance + x.dtype.type(inner.spec.epsilon))
        normalized = (rows - mean) / root
        if folded:
            scale = params["gamma"] / root
            y = rows * scale + (params["beta"] - mean * scale)
        else:
            y = params["gamma"] * normalized + params["beta"]
        return y.reshape(x.shape), (normalized, 1 / root, mean, variance, context.training)

    return forward


def _textbook_backward(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    """Ioffe and Szegedy's formulas, one by one."""
    normalized, inverse, _, _, of_batch = cache
    rows = dy.reshape(normalized.shape)
    grads = {"gamma": (rows * normalized).sum(axis=0), "beta": rows.sum(axis=0)}
    dnormalized = rows * params["gamma"]
    if not of_batch:
        return (dnormalized * inverse).reshape(dy.shape), grads
    deviations = normalized / inverse
    dvariance = (dnormalized * deviations).sum(axis=0) * -(inverse**3) / 2
    dmean = -(dnormalized * inverse).sum(axis=0)
    count = rows.dtype.type(len(rows))
    dx = dnormalized * inverse + dvariance * 2 * deviations / count + dmean / count
    return dx.reshape(dy.shape), grads


def _scaled_first(inner: Dropout, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    y, scaled = inner.forward(params, state, x, context)
    if scaled is None:
        return y, None
    return (x / x.dtype.type(1 - inner.spec.rate)) * (scaled != 0), scaled


def _offset_inside(inner: Rescaling, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    kind = x.dtype.type
    return (x + kind(inner.spec.offset / inner.spec.scale)) * kind(inner.spec.scale), None


def _pooled(name: str, text: str, mean: Callable[[Array], Array]) -> Variant:
    kind = is_layer(GlobalAveragePooling2D)
    return Variant(name, f"global average: {text}", "sums", kind, forward=_global_average(mean), probe="deep")


def _normalized(name: str, text: str, moments: Moments, folded: bool = False, probe: str = "normalization") -> Variant:
    kind = is_layer(BatchNormalization)
    return Variant(name, text, "statistics", kind, forward=_normalization(moments, folded), probe=probe)


LAYER_VARIANTS = (
    Variant(
        "average-reversed",
        "average pooling: the last cell first, times one over the count",
        "sums",
        is_layer(AveragePooling2D),
        forward=_reversed_average,
        probe="pooling",
    ),
    Variant(
        "average-of-shares",
        "average pooling: each cell divided before the sum",
        "sums",
        is_layer(AveragePooling2D),
        forward=_average_of_shares,
        probe="pooling",
    ),
    _pooled("global-average-by-reciprocal", "sum times 1 / n", lambda x: x.sum(axis=1) * x.dtype.type(1 / x.shape[1])),
    _pooled("global-average-sequential", "one cell after the other", _row_after_row),
    _pooled("global-average-running", "a running mean", _running_mean),
    _pooled("global-average-in-float64", "in float64", lambda x: x.mean(axis=1, dtype=np.float64)),
    _pooled("global-average-einsum", "einsum", lambda x: np.einsum("nkc->nc", x) / x.dtype.type(x.shape[1])),
    _normalized("normalization-two-passes", "mean and variance by NumPy's own reductions", _two_passes),
    _normalized("normalization-welford", "Welford's running mean and variance", _welford),
    _normalized("normalization-welford-shifted", "Welford's, on a large mean", _welford, probe="shifted"),
    _normalized("normalization-in-float64", "mean and variance in float64", _wide_moments),
    _normalized("normalization-corrected", "the deviations' own mean taken off", _corrected),
    _normalized("normalization-folded", "x * scale + shift", _two_passes, folded=True),
    Variant(
        "normalization-textbook-backward",
        "the paper's backward formulas, one by one",
        "statistics",
        is_layer(BatchNormalization),
        backward=_textbook_backward,
        probe="normalization",
    ),
    Variant(
        "dropout-scaled-first",
        "values divided by 1 - rate, then dropped",
        "products",
        is_layer(Dropout),
        forward=_scaled_first,
        probe="dropout",
    ),
    Variant(
        "rescaling-offset-inside",
        "(x + offset / scale) * scale",
        "products",
        is_layer(Rescaling),
        forward=_offset_inside,
        probe="shapes",
    ),
)
