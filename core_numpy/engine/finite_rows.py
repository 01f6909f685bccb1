"""Refuses NaN and infinity in a batch by its first product, without a pass over the batch of its own.

Whatever it is multiplied by, a NaN or an infinity leaves no finite sum: so the few outputs tell of all inputs.
"""

from __future__ import annotations

import numpy as np

from core_numpy.engine.block import Block

_FEW = 4096
"""Inputs up to which a look at them takes less time than keeping NumPy from warning of what comes of them."""


class NonfiniteRows(ValueError):
    """Among the rows of a chunk are numbers that are not finite."""


class FiniteProduct:
    """The first Dense of a plan, which refuses rows that are not finite.

    Args:
        rows: whose y the rows are, (n, ...).
        product: reads them, and nothing else.
    """

    def __init__(self, rows: Block, product: Block) -> None:
        self.rows, self.product = rows, product
        self.forward = self._look_first if rows.y.size <= _FEW else self._multiply_first

    def _look_first(self) -> None:
        self._refuse_nonfinite()
        self.product.forward()

    def _multiply_first(self) -> None:
        with np.errstate(invalid="ignore"):
            self.product.forward()
        if not np.isfinite(self.product.y).all():
            self._refuse_nonfinite()
            # The weights are not finite or the numbers too large: once more, with the warnings the caller wants
            self.product.forward()

    def _refuse_nonfinite(self) -> None:
        if not np.isfinite(self.rows.y).all():
            raise NonfiniteRows("x contains numbers that are not finite; clean or drop these rows")
