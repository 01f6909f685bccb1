"""Pooling against nested loops; ties, padding and the adjoint of the mean."""

import numpy as np
import pytest

from core_numpy.ops.pooling import (
    average_pooling2d,
    average_pooling2d_backward,
    max_pooling2d,
    max_pooling2d_backward,
)
from core_numpy.ops.windows import Windows

WINDOWS = [
    Windows((7, 5), window, strides, padding)
    for window in ((2, 2), (3, 3), (2, 3), (3, 1))
    for strides in ((1, 1), (1, 2), (2, 2), (3, 3))
    for padding in ("valid", "same")
]


def cells(windows, i, j):
    """The pixels of the window at (i, j) that lie on the image, in row-major order."""
    (top, _), (left, _) = windows.padding_cells
    for a, b in np.ndindex(*windows.window):
        row, column = i * windows.strides[0] + a - top, j * windows.strides[1] + b - left
        if 0 <= row < windows.image[0] and 0 <= column < windows.image[1]:
            yield row, column


def loop_pooling(x, windows, reduce):
    y = np.zeros((len(x), *windows.output, x.shape[-1]))
    for n, i, j, c in np.ndindex(*y.shape):
        y[n, i, j, c] = reduce([x[n, row, column, c] for row, column in cells(windows, i, j)])
    return y


def loop_max_backward(x, dy, windows):
    dx = np.zeros(x.shape)
    for n, i, j, c in np.ndindex(*dy.shape):
        # max keeps the first of equals
        row, column = max(cells(windows, i, j), key=lambda at: x[n, at[0], at[1], c])
        dx[n, row, column, c] += dy[n, i, j, c]
    return dx


def loop_average_backward(x, dy, windows):
    dx = np.zeros(x.shape)
    for n, i, j, c in np.ndindex(*dy.shape):
        seen = list(cells(windows, i, j))
        for row, column in seen:
            dx[n, row, column, c] += dy[n, i, j, c] / len(seen)
    return dx


@pytest.fixture(params=["distinct", "tied"])
def image(request):
    random = np.random.default_rng(1)
    # Few different values, all below zero: ties everywhere, and a border of zeros would win.
    tied = random.integers(-3, 0, size=(2, 7, 5, 2)).astype(float)
    return tied if request.param == "tied" else random.normal(size=(2, 7, 5, 2)) - 3


@pytest.mark.parametrize("windows", WINDOWS, ids=str)
def test_max_pooling_is_the_loop(windows, image):
    y, winner = max_pooling2d(image, windows)
    np.testing.assert_array_equal(y, loop_pooling(image, windows, max))
    dy = np.random.default_rng(2).normal(size=y.shape)
    np.testing.assert_allclose(
        max_pooling2d_backward(winner, dy, windows), loop_max_backward(image, dy, windows), rtol=1e-13, atol=1e-13
    )


@pytest.mark.parametrize("windows", WINDOWS, ids=str)
def test_average_pooling_is_the_loop(windows, image):
    y = average_pooling2d(image, windows)
    np.testing.assert_allclose(y, loop_pooling(image, windows, np.mean), rtol=1e-13, atol=1e-13)
    dy = np.random.default_rng(3).normal(size=y.shape)
    dx = average_pooling2d_backward(dy, windows)
    np.testing.assert_allclose(dx, loop_average_backward(image, dy, windows), rtol=1e-13, atol=1e-13)
    assert (dy * y).sum() == pytest.approx((dx * image).sum(), rel=1e-11)


def test_the_first_of_equals_takes_the_gradient():
    windows = Windows((2, 2), (2, 2))
    for order, winner in (([[1, 1], [1, 1]], (0, 0)), ([[0, 1], [1, 1]], (0, 1)), ([[0, 0], [1, 1]], (1, 0))):
        x = np.array(order, float)[None, :, :, None]
        _, won = max_pooling2d(x, windows)
        dx = max_pooling2d_backward(won, np.full((1, 1, 1, 1), 5.0), windows)[0, :, :, 0]
        assert dx[winner] == 5.0
        assert dx.sum() == 5.0


def test_windows_of_more_than_255_cells():
    x = np.zeros((1, 17, 17, 1))
    x[0, 16, 16, 0] = 1.0
    y, winner = max_pooling2d(x, Windows((17, 17), (17, 17)))
    assert (y.item(), int(winner.item())) == (1.0, 288)
    dx = max_pooling2d_backward(winner, np.full((1, 1, 1, 1), 2.0), Windows((17, 17), (17, 17)))
    assert dx[0, 16, 16, 0] == dx.sum() == 2.0
