"""Sliding windows: im2col against loops, col2im as its adjoint, padding and cropping."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_numpy.ops.windows import Windows, col2im, im2col

WINDOWS = [
    Windows((5, 6), (3, 3)),
    Windows((5, 6), (2, 3), padding="same"),
    Windows((7, 6), (3, 2), (2, 1)),
    Windows((7, 6), (3, 2), (2, 3), "same"),
    Windows((8, 7), (2, 3), (3, 3)),
    Windows((7, 7), (3, 2), (1, 1), "same", (2, 2)),
    Windows((7, 7), (2, 3), (1, 1), "valid", (3, 2)),
    Windows((3, 4), (1, 1), (2, 2), "same"),
    Windows((2, 2), (5, 5), padding="same"),
]


def loop_im2col(x, windows):
    """Cell (a, b) of the window at (i, j) is pixel (i s + a d - before, ...), 0 outside the image."""
    (top, _), (left, _) = windows.padding_cells
    height, width = windows.image
    columns = np.zeros((len(x), *windows.output, *windows.window, x.shape[-1]), x.dtype)
    for i, j, a, b in np.ndindex(*windows.output, *windows.window):
        row = i * windows.strides[0] + a * windows.dilation[0] - top
        column = j * windows.strides[1] + b * windows.dilation[1] - left
        if 0 <= row < height and 0 <= column < width:
            columns[:, i, j, a, b] = x[:, row, column]
    return columns


@pytest.mark.parametrize("windows", WINDOWS, ids=str)
def test_im2col_is_the_loop(windows):
    x = np.random.default_rng(0).normal(size=(2, *windows.image, 3))
    np.testing.assert_array_equal(im2col(x, windows), loop_im2col(x, windows))


@pytest.mark.parametrize("windows", WINDOWS, ids=str)
def test_col2im_is_the_adjoint_of_im2col(windows):
    random = np.random.default_rng(1)
    x = random.normal(size=(2, *windows.image, 3))
    columns = random.normal(size=(2, *windows.output, *windows.window, 3))
    left, right = (im2col(x, windows) * columns).sum(), (x * col2im(columns, windows)).sum()
    # Sums of a few hundred products of numbers near 1.
    assert left == pytest.approx(right, rel=1e-11, abs=1e-11)


@given(
    image=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    window=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
def test_adjoint_and_loop_for_any_same_window(image, window, strides, dilation):
    windows = Windows(image, window, strides, "same", dilation)
    random = np.random.default_rng(2)
    x = random.normal(size=(1, *image, 2))
    columns = random.normal(size=(1, *windows.output, *window, 2))
    np.testing.assert_array_equal(im2col(x, windows), loop_im2col(x, windows))
    left, right = (im2col(x, windows) * columns).sum(), (x * col2im(columns, windows)).sum()
    assert left == pytest.approx(right, rel=1e-11, abs=1e-11)


def test_overlapping_cells_are_summed():
    windows = Windows((3, 3), (2, 2))
    counts = col2im(np.ones((1, 2, 2, 2, 2, 1)), windows)[0, :, :, 0]
    np.testing.assert_array_equal(counts, [[1, 2, 1], [2, 4, 2], [1, 2, 1]])


def test_padding_and_back():
    windows = Windows((3, 2), (2, 3), padding="same")
    x = np.arange(1.0, 7).reshape(1, 3, 2, 1)
    padded = windows.pad(x, -1.0)
    np.testing.assert_array_equal(padded[0, :, :, 0], [[-1, 1, 2, -1], [-1, 3, 4, -1], [-1, 5, 6, -1], [-1] * 4])
    np.testing.assert_array_equal(windows.crop(padded), x)
    assert Windows((3, 2), (2, 2)).pad(x) is x


def test_taps_come_in_row_major_order():
    assert [(row, column) for row, column, _ in Windows((4, 4), (2, 2)).taps()] == [(0, 0), (0, 1), (1, 0), (1, 1)]
