"""Window pooling of images: maximum and mean, each beside its backward."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array
from core_numpy.ops.windows import Windows


def max_pooling2d(x: Array, windows: Windows) -> tuple[Array, Array]:
    """The largest value of each window: (n, h, w, c) -> (n, out h, out w, c).

    Returns:
        (y, winner): winner holds the number of the cell that won, counted row-major; the first of equals wins, as in
        TensorFlow's CPU kernel (strict comparison).
    """
    padded = windows.pad(x, -np.inf)
    y: Array | None = None
    for row, column, seen in windows.taps():
        candidate = padded[seen]
        if y is None:
            y = candidate.copy()
            winner = np.zeros(y.shape, np.min_scalar_type(windows.window[0] * windows.window[1]))
            continue
        better = candidate > y
        np.copyto(y, candidate, where=better)
        np.copyto(winner, row * windows.window[1] + column, where=better, casting="unsafe")
    return y, winner  # type: ignore[return-value]


def max_pooling2d_backward(winner: Array, dy: Array, windows: Windows) -> Array:
    """Give each window's dy to the cell that won: (n, out h, out w, c) -> (n, h, w, c)."""
    dpadded = _zeros_padded(dy, windows)
    for row, column, seen in windows.taps():
        dpadded[seen] += dy * (winner == row * windows.window[1] + column)
    return windows.crop(dpadded)


def counted_cells(windows: Windows, dtype: np.dtype) -> Array:
    """Cells that a mean over each window counts: (out h, out w, 1).

    Under "same" those of the image alone; a border of given cells counts with its zeros.
    """
    if not isinstance(windows.padding, str):
        return np.full((*windows.output, 1), windows.window[0] * windows.window[1], dtype)
    return real_cell_counts(windows, dtype)


def real_cell_counts(windows: Windows, dtype: np.dtype) -> Array:
    """Cells of the image inside each window, padding not counted: (out h, out w, 1)."""
    inside = windows.pad(np.ones((1, *windows.image, 1), dtype))
    return np.sum([inside[seen][0] for _, _, seen in windows.taps()], axis=0, dtype=dtype)


def average_pooling2d(x: Array, windows: Windows) -> Array:
    """The mean of each window, padding of "same" not counted: (n, h, w, c) -> (n, out h, out w, c)."""
    padded = windows.pad(x)
    total = np.zeros((len(x), *windows.output, x.shape[-1]), x.dtype)
    for _, _, seen in windows.taps():
        total += padded[seen]
    total /= counted_cells(windows, x.dtype)
    return total


def average_pooling2d_backward(dy: Array, windows: Windows) -> Array:
    """Spread each window's dy evenly over the cells it counts: (n, out h, out w, c) -> (n, h, w, c)."""
    share = dy / counted_cells(windows, dy.dtype)
    dpadded = _zeros_padded(dy, windows)
    for _, _, seen in windows.taps():
        dpadded[seen] += share
    return windows.crop(dpadded)


def _zeros_padded(dy: Array, windows: Windows) -> Array:
    rows, columns = windows.padding_cells
    return np.zeros((len(dy), windows.image[0] + sum(rows), windows.image[1] + sum(columns), dy.shape[-1]), dy.dtype)
