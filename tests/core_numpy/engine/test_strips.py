"""Both orders of a strip show the same numbers, whichever of them lies in one piece."""

import numpy as np
import pytest

from core_numpy.engine.strips import PooledStrip


@pytest.mark.parametrize("cells_apart", [True, False])
def test_cells_are_those_of_the_windows(cells_apart):
    (tall, wide, rows, columns, filters, n) = shape = (2, 3, 4, 5, 6, 7)
    strip = PooledStrip.uninitialised(shape, np.dtype("float32"), cells_apart)
    image = np.random.default_rng(0).random((rows * tall, columns * wide, filters, n), np.float32)
    strip.output[...] = image.reshape(strip.output.shape)
    cells = strip.first_rows(3).cell_by_cell()
    for number, cell in enumerate(cells):
        row, column = divmod(number, wide)
        np.testing.assert_array_equal(cell, image[row : 3 * tall : tall, column::wide])
    assert (strip.cells if cells_apart else strip.output).flags.c_contiguous
