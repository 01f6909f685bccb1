"""Rows are copied to where the examples are innermost, also where they fall on the same places of the cache."""

import numpy as np
import pytest

from core_numpy.engine.layout import TurnRows


@pytest.mark.parametrize("dtype", ["float32", "float64", "bool"])
@pytest.mark.parametrize("shape", [(32, 32, 3), (16, 8, 4), (28, 28, 1), (5,), (1024,)], ids=str)
@pytest.mark.parametrize("count", [5, 3])
def test_rows_arrive_in_their_places(shape, dtype, count):
    turn = TurnRows((5, *shape), np.dtype(dtype))
    rows = (np.random.default_rng(0).random((count, *shape)) * 9 > 4).astype(dtype)
    buffer = np.zeros((*shape, 5), dtype)
    turn.copy(rows, np.moveaxis(buffer, -1, 0)[:count])
    for number, row in enumerate(rows):
        np.testing.assert_array_equal(buffer[..., number], row)
    assert not buffer[..., count:].any()


def test_rows_are_laid_apart_where_they_share_places_of_the_cache():
    assert TurnRows((4, 32, 32, 3), np.float32).apart.strides[0] == 32 * 32 * 3 * 4 + 64
    assert TurnRows((4, 28, 28, 1), np.float32).apart is None


def test_axes_of_length_one_are_broadcast():
    turn = TurnRows((4, 16, 16, 8), np.bool_)
    buffer = np.zeros((16, 16, 8, 4), bool)
    rows = np.random.default_rng(0).random((4, 1, 1, 8)) < 0.5
    turn.copy(rows, np.moveaxis(buffer, -1, 0))
    for number, row in enumerate(rows):
        np.testing.assert_array_equal(buffer[..., number], np.broadcast_to(row, (16, 16, 8)))
