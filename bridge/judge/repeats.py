"""Repeated values: equal terms of a sum round alike, so their errors add up instead of averaging out.

Independent errors grow with the root of their number. On a constant background (the border of every digit), under
zero padding, or behind a global average whose gradient is the same for a whole image, thousands of positions hold the
same numbers, go through the same operations and so carry the SAME error: that grows with their number.

- An error already there: ``var(sum(w e)) = sum over groups of var(e) * (sum of w in the group)**2``; the greater of
  this and the independent ``sum(w**2 var(e))`` is taken, for an implementation may treat equal rows differently.
- A sum's own rounding: adding ``t`` to a partial sum ``s`` loses the same bits each time as long as ``s`` stays in one
  binade, so ``n`` equal terms drift by a share of ``n u s`` and not of ``sqrt(n) u s`` (measured with tf.reduce_mean on
  constants: 0.12 n u s up to 5408 terms). The variance of a sum thus grows with ``sum over groups of n**2``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core_numpy.contract import Array

DRIFT_REACH = 512
"""Equal terms that are added one by one and drift together; beyond, threads and blocks share the sum."""


def _keys(values: Array) -> Array:
    """Values that are equal but for float64 rounding become equal; rows of a matrix product differ in the last bits."""
    with np.errstate(over="ignore", under="ignore"):
        return values.astype(np.float32)


@dataclass(frozen=True)
class ColumnGroups:
    """Equal values down each column of a matrix (rows, columns).

    Attributes:
        ids: group number of each entry, counted on over all columns; shape (rows, columns).
        columns: column of each group.
        sizes: entries of each group.
    """

    ids: Array
    columns: Array
    sizes: Array

    @classmethod
    def of(cls, values: Array) -> ColumnGroups:
        """Group the equal values of each column."""
        keys = _keys(values)
        order = np.argsort(keys, axis=0, kind="stable")
        ordered = np.take_along_axis(keys, order, axis=0)
        starts = np.ones(keys.shape, np.int64)
        starts[1:] = ordered[1:] != ordered[:-1]
        # Counted down the first column, then down the second, ...
        numbers = (np.cumsum(starts.T.reshape(-1)) - 1).reshape(keys.shape[::-1]).T
        ids = np.empty_like(numbers)
        np.put_along_axis(ids, order, numbers, axis=0)
        groups = int(starts.sum())
        columns = np.empty(groups, np.int64)
        columns[ids] = np.broadcast_to(np.arange(keys.shape[1]), keys.shape)
        return cls(ids, columns, np.bincount(ids.reshape(-1), minlength=groups))

    def drifting(self, terms: Array) -> Array:
        """Of each column of terms: sum over groups of size**2, as far as equal terms drift; zeros apart."""
        sizes = np.bincount(self.ids.reshape(-1), (terms != 0).reshape(-1), len(self.sizes))
        return np.bincount(self.columns, sizes * np.minimum(sizes, DRIFT_REACH), self.ids.shape[1])

    def carried(self, variance: Array, weights: Array | None = None) -> Array:
        """Variance of ``sum(weights * error)`` down each column, for errors with this variance."""
        weights = np.ones_like(variance) if weights is None else weights
        count = len(self.sizes)
        together = np.bincount(self.ids.reshape(-1), weights.reshape(-1), count)
        each = np.bincount(self.ids.reshape(-1), variance.reshape(-1), count) / self.sizes
        grouped = np.bincount(self.columns, np.square(together) * each, self.ids.shape[1])
        independent = (np.square(weights) * variance).sum(axis=0)
        return np.maximum(independent, grouped)


@dataclass(frozen=True)
class RowGroups:
    """Equal rows of a matrix; ``ids`` is the group number of each row, ``sizes`` counts the rows of each group."""

    ids: Array
    sizes: Array

    @classmethod
    def of(cls, *matrices: Array) -> RowGroups:
        """Group the rows that are equal in all of these matrices (rows, columns of each)."""
        keys = _keys(np.concatenate(matrices, axis=1))
        whole = np.ascontiguousarray(keys).view(np.dtype((np.void, keys.dtype.itemsize * keys.shape[1])))
        _, ids, sizes = np.unique(whole[:, 0], return_inverse=True, return_counts=True)
        return cls(ids.reshape(-1), sizes)

    @property
    def drifting(self) -> float:
        """Sum over groups of size**2, as far as equal terms drift."""
        return float((self.sizes * np.minimum(self.sizes, DRIFT_REACH)).sum())

    @property
    def repeats(self) -> bool:
        """True where any two rows are equal."""
        return len(self.sizes) < len(self.ids)

    def sums(self, matrix: Array) -> Array:
        """The sum of each group's rows, (rows, columns) -> (groups, columns)."""
        result = np.zeros((len(self.sizes), matrix.shape[1]))
        np.add.at(result, self.ids, matrix)
        return result

    def means(self, matrix: Array) -> Array:
        """The mean of each group's rows."""
        return self.sums(matrix) / self.sizes[:, None]
