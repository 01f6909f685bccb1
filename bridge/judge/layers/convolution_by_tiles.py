"""Rounding in a convolution by Winograd's tiles, which adds and subtracts whole tiles before it multiplies.

:class:`TiledRule` adds to the error of the direct convolution what the tiles of ``core_numpy.engine.winograd`` collect,
step by step of its three formulas. Its forward pass goes by tiles in inference alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from bridge.judge.layers.in_groups import InGroupsRule
from bridge.judge.layers.linear import Repeats, greater, partial_products
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from core_numpy.engine.winograd import TAPS, Tile, tile_for
from core_numpy.layers.build import Step
from core_numpy.layers.conv2d import Conv2D
from core_numpy.network import Network


class Rounded(NamedTuple):
    """Values, and the variance of their rounding error."""

    value: Array
    variance: Array


class TiledRule(InGroupsRule):
    """y = sum(x k) + bias over windows; what is judged may have been computed by tiles along the width."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        variance = super().forward(rounding, trace)
        tile = None if trace.context.training else _tile(rounding, trace)
        return variance if tile is None else variance + _output_error(rounding, tile, trace)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        error = super().backward(rounding, trace, cotangent, dx)
        tile = _tile(rounding, trace)
        if tile is None:
            return error
        gradient = _points(rounding, tile.output, _by_tiles(cotangent.value, tile.outputs, tile.outputs))
        of_kernel = _kernel_error(rounding, tile, trace, gradient)
        parameters = {**error.parameter_variances, "kernel": error.parameter_variances["kernel"] + of_kernel}
        of_input = error.variance + _input_error(rounding, tile, trace, gradient, dx)
        return replace(error, variance=of_input, parameter_variances=parameters)


def goes_by_tiles(network: Network) -> bool:
    """Whether the fast tier computes a layer of the network by tiles."""
    shapes = network.spec.input_shapes
    return any(
        isinstance(step.layer, Conv2D)
        and tile_for(step.layer.windows(np.empty((1, *shapes[step.index]))), shapes[step.index][-1], _filters(step))
        for step in network.steps
    )


def _filters(step: Step) -> int:
    return int(step.layer.spec.filters)  # type: ignore[attr-defined]


def _tile(rounding: Rounding, trace: LayerTrace) -> Tile | None:
    """The tile that the layer may have been computed by."""
    if not (rounding.by_tiles and isinstance(trace.layer, Conv2D)):
        return None
    return tile_for(trace.layer.windows(trace.x), *trace.params["kernel"].shape[2:])


def _by_tiles(image: Array, step: int, width: int) -> Array:
    """Pieces of each row that begin every ``step`` columns, (n, h, w, c) -> (n, h, tiles, width, c)."""
    count = (image.shape[2] - width) // step + 1
    columns = np.arange(count)[:, None] * step + np.arange(width)
    return np.asarray(image[:, :, columns])


def _points(rounding: Rounding, matrix: Array, values: Array) -> Rounded:
    """``matrix @ values``, values without an error, (..., k, c) -> (..., points, c)."""
    return _combined(rounding, matrix, Rounded(values, np.zeros_like(values)))


def _combined(rounding: Rounding, matrix: Array, values: Rounded) -> Rounded:
    """``matrix @ values``, (..., k, c) -> (..., points, c); each term is rounded once, as the matrix may be."""
    result, squared = matrix @ values.value, np.square(matrix)
    own = rounding.sum_of(2 * (squared @ np.square(values.value)), result, matrix.shape[1])
    return Rounded(result, squared @ values.variance + own)


def _output_error(rounding: Rounding, tile: Tile, trace: LayerTrace) -> Array:
    """Variance of A' [(G k) * (B' d)], (n, out h, out w, filters)."""
    windows = trace.layer.windows(trace.x)  # type: ignore[attr-defined]
    image = _points(rounding, tile.image, _by_tiles(windows.pad(trace.x), tile.outputs, tile.points))
    # (kernel h, kernel w, c, filters) -> (kernel h, filters, kernel w, c) -> (kernel h, filters, points, c)
    kernel = _points(rounding, tile.kernel, trace.params["kernel"].transpose(0, 3, 1, 2))
    rows, tall = windows.output[0], windows.window[0]
    parts = [
        _products(Rounded(*(of[:, row : row + rows] for of in image)), Rounded(*(of[row] for of in kernel)))
        for row in range(tall)
    ]
    points = _sum_of(rounding, parts, tall * trace.x.shape[-1])
    # (n, out h, tiles, outputs, filters) -> (n, out h, out w, filters)
    return _combined(rounding, tile.output.T, points).variance.reshape(trace.y.shape)


def _kernel_error(rounding: Rounding, tile: Tile, trace: LayerTrace, gradient: Rounded) -> Array:
    """Variance of G' [(B' d) * (A dy)], the sum over all tiles, (kernel h, kernel w, c, filters)."""
    kernel = trace.params["kernel"]
    windows = trace.layer.windows(trace.x)  # type: ignore[attr-defined]
    tall, rows = windows.window[0], windows.output[0]
    image = _points(rounding, tile.image, _by_tiles(windows.pad(trace.x), tile.outputs, tile.points))
    summed = []
    for point in range(tile.points):
        # (n, out h, tiles, filters) -> (positions, filters)
        dy, dy_variance = (of[..., point, :].reshape(-1, kernel.shape[-1]) for of in gradient)
        # The rows that a window sees beside each other: (positions, kernel h * c)
        d, d_variance = (
            np.concatenate([of[:, row : row + rows, :, point] for row in range(tall)], axis=-1).reshape(len(dy), -1)
            for of in image
        )
        repeats = Repeats.of(d, d_variance, dy)
        squares = np.square(d).T @ np.square(dy)
        carried = greater(np.square(d).T @ dy_variance, repeats.carried("kernel", dy_variance))
        from_image = greater(d_variance.T @ np.square(dy), repeats.from_x())
        own = rounding.running_sum(squares, partial_products(d, dy), repeats.drifting)
        shape = (tall, *kernel.shape[2:])
        summed.append(Rounded((d.T @ dy).reshape(shape), (carried + from_image + own).reshape(shape)))
    # (points, kernel h, c, filters) -> (kernel h, c, points, filters)
    points = Rounded(*(np.moveaxis(np.stack(of), 0, 2) for of in zip(*summed, strict=True)))
    return np.moveaxis(_combined(rounding, tile.kernel.T, points).variance, 2, 1)


def _input_error(rounding: Rounding, tile: Tile, trace: LayerTrace, gradient: Rounded, dx: Array) -> Array:
    """Variance of B [(G k) * (A dy)], overlapping tiles added, (n, h, w, c)."""
    windows = trace.layer.windows(trace.x)  # type: ignore[attr-defined]
    # (kernel h, kernel w, c, filters) -> (kernel h, c, kernel w, filters) -> (kernel h, c, points, filters)
    kernel = _points(rounding, tile.kernel, trace.params["kernel"].swapaxes(1, 2))
    tall, channels, _, filters = kernel.value.shape
    examples, rows, tiles = gradient.value.shape[:3]
    parts = []
    for row in range(tall):
        # Each row of the kernel's reaches other rows of the image: (n, h, tiles, points, c)
        around = ((0, 0), (row, tall - 1 - row), (0, 0), (0, 0), (0, 0))
        products = _products(gradient, Rounded(*(of[row] for of in kernel)))
        parts.append(Products(*(np.pad(of, around) for of in products)))
    points = _sum_of(rounding, parts, tall * filters)
    variance = _combined(rounding, tile.image.T, points).variance
    whole = np.zeros((examples, rows + tall - 1, windows.output[1] + TAPS - 1, channels))
    for at in range(tiles):
        whole[:, :, at * tile.outputs : at * tile.outputs + tile.points] += variance[:, :, at]
    return windows.crop(whole) + rounding.unit * np.square(dx)


class Products(NamedTuple):
    """Sums of products at each point of each tile, of their squares, and the variance that the factors bring."""

    total: Array
    squares: Array
    carried: Array


def _products(tiles: Rounded, kernel: Rounded) -> Products:
    """Sums over k: (n, h, tiles, points, k), (outputs, points, k) -> (n, h, tiles, points, outputs)."""

    def product(one: Array, other: Array) -> Array:
        # (points, n, h, tiles, k) @ (points, 1, 1, k, outputs) -> (points, n, h, tiles, outputs)
        by_points = np.moveaxis(one, 3, 0) @ other.transpose(1, 2, 0)[:, None, None]
        return np.moveaxis(by_points, 0, 3)

    squared, kernel_squared = np.square(tiles.value), np.square(kernel.value)
    return Products(
        product(tiles.value, kernel.value),
        product(squared, kernel_squared),
        product(tiles.variance, kernel_squared) + product(squared, kernel.variance),
    )


def _sum_of(rounding: Rounding, parts: list[Products], length: int) -> Rounded:
    """The parts added to sums of ``length`` products."""
    total, squares, carried = (np.sum(of, axis=0) for of in zip(*parts, strict=True))
    return Rounded(total, carried + rounding.sum_of(squares, total, length))
