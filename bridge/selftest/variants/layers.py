"""Right variants of pooling, batch normalization, dropout and rescaling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bridge.selftest.faults.fault import Declarations
from bridge.selftest.faults.parts import is_layer
from bridge.selftest.variants.variant import Variant
from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.batch_normalization import BatchNormalization, BatchNormalizationCache
from core_numpy.layers.dropout import Dropout
from core_numpy.layers.global_pooling import GlobalAveragePooling2D
from core_numpy.layers.pooling import AveragePooling2D
from core_numpy.layers.reshaping import Rescaling
from core_numpy.ops.pooling import real_cell_counts

Moments = Callable[[Array], tuple[Array, Array]]
"""(rows, channels) -> (mean, variance)."""


def _global_average(mean: Callable[[Array], Array]) -> Any:
    """From (n, cells, channels)."""

    def forward(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
        return mean(x.reshape(len(x), -1, x.shape[-1])).astype(x.dtype), x.shape

    return forward


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
        return y.reshape(x.shape), BatchNormalizationCache(normalized, 1 / root, mean, variance, context.training)

    return forward


variants = Declarations(Variant)
average = variants.of("forward", shows="sums", applies=is_layer(AveragePooling2D), probe="pooling")
global_average = variants.of(
    "forward", _global_average, shows="sums", applies=is_layer(GlobalAveragePooling2D), probe="deep"
)
statistics: dict[str, Any] = {"shows": "statistics", "applies": is_layer(BatchNormalization), "probe": "normalization"}
moments = variants.of("forward", _normalization, **statistics)
product = variants.of("forward", shows="products")


@average("average-reversed", "average pooling: the last cell first, times one over the count")
def _reversed_average(inner: AveragePooling2D, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    windows = inner.windows(x)
    padded = windows.pad(x)
    total: Any = 0
    for _, _, seen in reversed(list(windows.taps())):
        total = total + padded[seen]
    return total * (1 / real_cell_counts(windows, x.dtype)), windows


@average("average-of-shares", "average pooling: each cell divided before the sum")
def _average_of_shares(inner: AveragePooling2D, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    windows = inner.windows(x)
    padded, counts = windows.pad(x), real_cell_counts(windows, x.dtype)
    total: Any = 0
    for _, _, seen in windows.taps():
        total = total + padded[seen] / counts
    return total, windows


global_average("global-average-by-reciprocal", "global average: sum times 1 / n")(
    lambda cells: cells.sum(axis=1) * cells.dtype.type(1 / cells.shape[1])
)


@global_average("global-average-sequential", "global average: one cell after the other")
def _row_after_row(cells: Array) -> Array:
    total = np.zeros_like(cells[:, 0])
    for at in range(cells.shape[1]):
        total = total + cells[:, at]
    return total / total.dtype.type(cells.shape[1])


@global_average("global-average-running", "global average: a running mean")
def _running_mean(cells: Array) -> Array:
    mean = np.zeros_like(cells[:, 0])
    for at in range(cells.shape[1]):
        mean = mean + (cells[:, at] - mean) / mean.dtype.type(at + 1)
    return mean


global_average("global-average-in-float64", "global average: in float64")(
    lambda cells: cells.mean(axis=1, dtype=np.float64)
)
global_average("global-average-einsum", "global average: einsum")(
    lambda cells: np.einsum("nkc->nc", cells) / cells.dtype.type(cells.shape[1])
)


@moments("normalization-two-passes", "mean and variance by NumPy's own reductions")
def _two_passes(rows: Array) -> tuple[Array, Array]:
    return rows.mean(axis=0), rows.var(axis=0)


@moments("normalization-welford-shifted", "Welford's, on a large mean", probe="shifted")
@moments("normalization-welford", "Welford's running mean and variance")
def _welford(rows: Array) -> tuple[Array, Array]:
    mean, squares = np.zeros_like(rows[0]), np.zeros_like(rows[0])
    for count, row in enumerate(rows, start=1):
        before = row - mean
        mean = mean + before / mean.dtype.type(count)
        squares = squares + before * (row - mean)
    return mean, squares / squares.dtype.type(len(rows))


@moments("normalization-in-float64", "mean and variance in float64")
def _wide_moments(rows: Array) -> tuple[Array, Array]:
    wide = rows.astype(np.float64)
    return wide.mean(axis=0).astype(rows.dtype), wide.var(axis=0).astype(rows.dtype)


@moments("normalization-corrected", "the deviations' own mean taken off")
def _corrected(rows: Array) -> tuple[Array, Array]:
    mean = rows.mean(axis=0)
    deviations = rows - mean
    return mean, np.square(deviations).mean(axis=0) - np.square(deviations.mean(axis=0))


variants.of("forward", **statistics)("normalization-folded", "x * scale + shift")(
    _normalization(_two_passes, folded=True)
)


@variants.of("backward", **statistics)("normalization-textbook-backward", "the paper's backward formulas, one by one")
def _textbook_backward(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    """Ioffe and Szegedy's formulas, one by one."""
    normalized, inverse = cache.normalized, cache.inverse
    rows = dy.reshape(normalized.shape)
    grads = {"gamma": (rows * normalized).sum(axis=0), "beta": rows.sum(axis=0)}
    dnormalized = rows * params["gamma"]
    if not cache.uses_batch:
        return (dnormalized * inverse).reshape(dy.shape), grads
    deviations = normalized / inverse
    dvariance = (dnormalized * deviations).sum(axis=0) * -(inverse**3) / 2
    dmean = -(dnormalized * inverse).sum(axis=0)
    count = rows.dtype.type(len(rows))
    dx = dnormalized * inverse + dvariance * 2 * deviations / count + dmean / count
    return dx.reshape(dy.shape), grads


@product("dropout-scaled-first", "values divided by 1 - rate, then dropped", is_layer(Dropout), probe="dropout")
def _scaled_first(inner: Dropout, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    y, scaled = inner.forward(params, state, x, context)
    if scaled is None:
        return y, None
    return (x / x.dtype.type(1 - inner.spec.rate)) * (scaled != 0), scaled


@product("rescaling-offset-inside", "(x + offset / scale) * scale", is_layer(Rescaling), probe="shapes")
def _offset_inside(inner: Rescaling, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    kind = x.dtype.type
    return (x + kind(inner.spec.offset / inner.spec.scale)) * kind(inner.spec.scale), None
