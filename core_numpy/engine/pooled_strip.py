"""A strip of a convolution's output, as the pooling right behind it sees it: by the cells of its windows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from core_numpy.contract import Array
from core_numpy.engine.layout import empty


class PooledStrip(NamedTuple):
    """Two views of one buffer.

    Attributes:
        cells: (window h, window w, rows, columns, filters, n), rows and columns of windows.
        output: the convolution's own order, (rows, window h, columns, window w, filters, n).
    """

    cells: Array
    output: Array

    @classmethod
    def uninitialised(cls, shape: tuple[int, ...], dtype: np.dtype, cells_apart: bool) -> PooledStrip:
        """A buffer whose memory is in the order of ``cells`` or of ``output``.

        NumPy takes half the time for the cells where each lies in one piece, for its loops start anew at every gap;
        products of matrices are written to either order in the same time.

        Args:
            shape: of ``cells``.
            dtype: of the numbers.
            cells_apart: whether each cell of all windows lies in one piece.
        """
        tall, wide, rows, columns, *values = shape
        if cells_apart:
            cells = empty(shape, dtype)
            return cls(cells, cells.transpose(2, 0, 3, 1, 4, 5))
        output = empty((rows, tall, columns, wide, *values), dtype)
        return cls(output.transpose(1, 3, 0, 2, 4, 5), output)

    def first_rows(self, count: int) -> PooledStrip:
        """The first rows of windows."""
        return PooledStrip(self.cells[:, :, :count], self.output[:count])

    def cell_by_cell(self) -> list[Array]:
        """One view per cell of the window, (rows, columns, filters, n), in row-major order of the cells."""
        return [cell for row in self.cells for cell in row]
