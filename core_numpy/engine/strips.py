"""A strip of a convolution's output: some of its rows, their order in memory, and what follows on them at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from core_numpy.contract import Array
from core_numpy.engine.block import Block
from core_numpy.engine.layout import empty


@dataclass(frozen=True)
class Strip:
    """Rows ``start`` to ``stop`` of a convolution's output, ``count`` of them."""

    start: int
    stop: int

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.stop - self.start


class FusedEpilogue(Block):
    """A block that works on a convolution's output strip by strip, called by the convolution.

    In the plan it does nothing of its own: its ``forward`` has already happened, and its ``backward`` hands the
    gradient on to the convolution, which calls :meth:`backward_strip`.
    """

    def forward_strip(self, strip: Strip) -> None:
        """Compute the output's rows from a strip of the convolution's output."""
        raise TypeError(f"{type(self).__name__} has no forward_strip; an epilogue must define it")

    def backward_strip(self, strip: Strip, dy: Array) -> Array:
        """Gradient of the convolution's strip, from that of the output's rows, which may be overwritten."""
        raise TypeError(f"{type(self).__name__} has no backward_strip; an epilogue must define it")

    def forward(self) -> None:
        """Done already."""

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        """Left to the convolution."""
        return dy


class PooledStrip(NamedTuple):
    """A strip as the pooling right behind it sees it, by the cells of its windows: two views of one buffer.

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
