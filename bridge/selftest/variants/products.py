"""Right variants of Dense and Conv2D: sums of products in other orders."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bridge.selftest.faults.fault import Declarations
from bridge.selftest.faults.parts import is_layer
from bridge.selftest.variants.variant import Variant
from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.conv2d import Conv2D, Conv2DCache
from core_numpy.layers.dense import Dense, DenseCache
from core_numpy.ops.windows import col2im, im2col

Product = Callable[[Array, Array], Array]
"""(rows, k) and (k, columns) -> (rows, columns)."""


def _terms(a: Array, b: Array) -> Array:
    # (rows, k, 1) * (1, k, columns)
    return a[:, :, None] * b[None]


def reversed_order(a: Array, b: Array) -> Array:
    """The last products first."""
    return _sequence(_terms(a, b)[:, ::-1])


def sequential(a: Array, b: Array) -> Array:
    """One product after the other."""
    return _sequence(_terms(a, b))


def _sequence(terms: Array) -> Array:
    total = np.zeros_like(terms[:, 0])
    for at in range(terms.shape[1]):
        total = total + terms[:, at]
    return total


def pairwise(a: Array, b: Array) -> Array:
    """Halves, and halves of halves."""
    terms = _terms(a, b)
    while terms.shape[1] > 1:
        even = terms[:, : terms.shape[1] // 2 * 2]
        rest = terms[:, even.shape[1] :]
        terms = np.concatenate([even[:, ::2] + even[:, 1::2], rest], axis=1)
    return terms[:, 0]


def in_sevens(a: Array, b: Array) -> Array:
    """Blocks of seven products."""
    return _in_blocks(a, b, 7)


def in_halves(a: Array, b: Array) -> Array:
    """Two halves added: a batch in two parts, where the sum runs over examples."""
    return _in_blocks(a, b, (a.shape[1] + 1) // 2)


def _in_blocks(a: Array, b: Array, size: int) -> Array:
    parts = [a[:, at : at + size] @ b[at : at + size] for at in range(0, a.shape[1], size)]
    return np.sum(parts, axis=0, dtype=a.dtype)


def einsum(a: Array, b: Array) -> Array:
    """np.einsum in place of a matrix product."""
    return np.einsum("ik,kj->ij", a, b)


def row_by_row(a: Array, b: Array) -> Array:
    """One vector product a row."""
    return np.stack([row @ b for row in a])


def numpy_sum(a: Array, b: Array) -> Array:
    """All products, then np.sum."""
    return _terms(a, b).sum(axis=1)


def in_float64(a: Array, b: Array) -> Array:
    """Everything in float64, rounded once."""
    return (a.astype(np.float64) @ b.astype(np.float64)).astype(a.dtype)


def exact(a: Array, b: Array) -> Array:
    """Rounded products, summed exactly."""
    sums = [[math.fsum(column) for column in row.T] for row in _terms(a, b)]
    return np.array(sums, a.dtype)


def transposed(a: Array, b: Array) -> Array:
    """(b' a')' in place of a b."""
    return np.ascontiguousarray((np.ascontiguousarray(b.T) @ np.ascontiguousarray(a.T)).T)


def _dense_forward(product: Product) -> Any:
    def forward(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
        return product(x, params["kernel"]) + params["bias"], DenseCache(x)

    return forward


def _dense_backward(product: Product) -> Any:
    def backward(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
        ones = np.ones((1, len(dy)), dy.dtype)
        grads = {"kernel": product(cache.rows.T, dy), "bias": product(ones, dy)[0]}
        return product(dy, params["kernel"].T), grads

    return backward


def _convolution_forward(product: Product) -> Any:
    def forward(inner: Conv2D, params: Variables, state: Variables, x: Array, context: Context) -> Any:
        windows, kernel = inner.windows(x), params["kernel"]
        columns = im2col(x, windows)
        filters = kernel.shape[-1]
        y = product(columns.reshape(-1, kernel.size // filters), kernel.reshape(-1, filters))
        return y.reshape(*columns.shape[:3], filters) + params["bias"], Conv2DCache(columns, windows)

    return forward


def _convolution_backward(product: Product) -> Any:
    def backward(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
        kernel = params["kernel"]
        filters = kernel.shape[-1]
        rows = dy.reshape(-1, filters)
        ones = np.ones((1, len(rows)), dy.dtype)
        grads = {"kernel": product(cache.rows.T, rows).reshape(kernel.shape), "bias": product(ones, rows)[0]}
        dcolumns = product(rows, kernel.reshape(-1, filters).T).reshape(cache.columns.shape)
        return col2im(dcolumns, cache.windows), grads

    return backward


PRODUCTS: dict[str, Product] = {
    "reversed": reversed_order,
    "sequential": sequential,
    "pairwise": pairwise,
    "in-sevens": in_sevens,
    "in-halves": in_halves,
    "einsum": einsum,
    "row-by-row": row_by_row,
    "numpy-sum": numpy_sum,
    "in-float64": in_float64,
    "exact": exact,
    "transposed": transposed,
}

variants = Declarations(Variant)
dense = variants.of("forward", shows="sums", applies=is_layer(Dense))
convolution = variants.of("forward", shows="sums", applies=is_layer(Conv2D), probe="convolution")

for name, product in PRODUCTS.items():
    dense(f"dense-{name}", f"Dense: {product.__doc__}", backward=_dense_backward(product))(_dense_forward(product))
for name, product in PRODUCTS.items():
    convolution(f"convolution-{name}", f"Conv2D: {product.__doc__}", backward=_convolution_backward(product))(
        _convolution_forward(product)
    )


@dense("fused-bias", "the bias is a row of the kernel", at=2)
def _fused_bias(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    column = np.ones((len(x), 1), x.dtype)
    return np.hstack([x, column]) @ np.vstack([params["kernel"], params["bias"]]), DenseCache(x)


@dense("bias-first", "the sum starts from the bias", at=2)
def _bias_first(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    y = np.broadcast_to(params["bias"], (len(x), len(params["bias"])))
    for at in range(x.shape[1]):
        y = y + x[:, at : at + 1] * params["kernel"][at]
    return y, DenseCache(x)


def _direct_backward(inner: Conv2D, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    columns, windows = cache.columns, cache.windows
    kernel = params["kernel"]
    dkernel = np.empty_like(kernel)
    dcolumns = np.empty_like(columns)
    for row, column, _ in windows.taps():
        dkernel[row, column] = np.einsum("nijc,nijf->cf", columns[:, :, :, row, column], dy)
        dcolumns[:, :, :, row, column] = dy @ kernel[row, column].T
    grads = {"kernel": dkernel, "bias": dy.sum(axis=(0, 1, 2))}
    return col2im(dcolumns, windows), grads


@convolution(
    "direct-convolution",
    "cell by cell of the kernel, without laying windows out",
    backward=_direct_backward,
    at=2,
)
def _direct(inner: Conv2D, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    windows, kernel = inner.windows(x), params["kernel"]
    padded = windows.pad(x)
    y: Any = 0
    for row, column, seen in windows.taps():
        y = y + padded[seen] @ kernel[row, column]
    return y + params["bias"], Conv2DCache(im2col(x, windows), windows)
