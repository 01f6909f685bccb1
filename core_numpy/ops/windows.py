"""Sliding windows over images: padding, the slice each window cell sees, and the im2col pair."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from core_numpy.contract import Array
from model_spec.shapes import Padding, axis_padding, output_size, padding_amount


class Windows(NamedTuple):
    """Where a sliding window stops on an image of a given height and width."""

    image: tuple[int, int]
    window: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: Padding = "valid"
    dilation: tuple[int, int] = (1, 1)

    @property
    def output(self) -> tuple[int, int]:
        """(height, width) of positions."""
        height, width = (
            output_size(self.image[a], self.window[a], self.strides[a], axis_padding(self.padding, a), self.dilation[a])
            for a in (0, 1)
        )
        return height, width

    @property
    def padding_cells(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """((top, bottom), (left, right)) cells added around the image."""
        rows, columns = (
            padding_amount(
                self.image[a], self.window[a], self.strides[a], axis_padding(self.padding, a), self.dilation[a]
            )
            for a in (0, 1)
        )
        return rows, columns

    def pad(self, x: Array, value: float = 0.0) -> Array:
        """Add the border: (n, h, w, c) -> (n, padded h, padded w, c); x itself where there is none."""
        rows, columns = self.padding_cells
        if rows == columns == (0, 0):
            return x
        return np.pad(x, ((0, 0), rows, columns, (0, 0)), constant_values=value)

    def crop(self, padded: Array) -> Array:
        """Take the border off again: the backward of :meth:`pad`."""
        (top, _), (left, _) = self.padding_cells
        return padded[:, top : top + self.image[0], left : left + self.image[1]]

    def taps(self) -> Iterator[tuple[int, int, tuple[slice, slice, slice]]]:
        """Yield (row, column, slices): the part of the padded image that each window cell sees, in row-major order."""
        (out_h, out_w), (stride_h, stride_w), (step_h, step_w) = self.output, self.strides, self.dilation
        for row in range(self.window[0]):
            for column in range(self.window[1]):
                top, left = row * step_h, column * step_w
                rows = slice(top, top + stride_h * (out_h - 1) + 1, stride_h)
                columns = slice(left, left + stride_w * (out_w - 1) + 1, stride_w)
                yield row, column, (slice(None), rows, columns)


def im2col(x: Array, windows: Windows) -> Array:
    """Lay every window out in a row: (n, h, w, c) -> (n, out h, out w, window h, window w, c)."""
    padded = windows.pad(x)
    columns = np.empty((len(x), *windows.output, *windows.window, x.shape[-1]), x.dtype)
    for row, column, seen in windows.taps():
        columns[:, :, :, row, column] = padded[seen]
    return columns


def col2im(columns: Array, windows: Windows) -> Array:
    """Add every window back to its place, the backward of :func:`im2col`: overlapping cells are summed.

    (n, out h, out w, window h, window w, c) -> (n, h, w, c)
    """
    rows, cols = windows.padding_cells
    height, width = windows.image[0] + sum(rows), windows.image[1] + sum(cols)
    padded = np.zeros((len(columns), height, width, columns.shape[-1]), columns.dtype)
    for row, column, seen in windows.taps():
        padded[seen] += columns[:, :, :, row, column]
    return windows.crop(padded)
