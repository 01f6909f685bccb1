"""Arrays that are parts of one vector: what changes every number takes the vector, in a fraction of the calls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from operator import is_not

import numpy as np
from numpy.lib.stride_tricks import as_strided

from core_numpy.contract import Array
from model_spec.shapes import Shape


def parts_of(vector: Array, shapes: Mapping[str, Shape]) -> dict[str, Array]:
    """Views of the vector, one behind the other, by name.

    >>> parts_of(np.arange(3.0), {"bias": (1,), "kernel": (2, 1)})["kernel"].tolist()
    [[1.0], [2.0]]
    """
    views, at = {}, 0
    for name, shape in shapes.items():
        size = math.prod(shape)
        views[name] = vector[at : at + size].reshape(shape)
        at += size
    return views


def one_vector(arrays: Mapping[str, Array]) -> tuple[Array, dict[str, Array]]:
    """Copies of the arrays, one behind the other in one vector: (vector, {name: view of its part})."""
    kind = next(iter(arrays.values())).dtype if arrays else np.dtype(np.float32)
    vector = np.empty(sum(value.size for value in arrays.values()), kind)
    views = parts_of(vector, {name: value.shape for name, value in arrays.items()})
    for name, value in arrays.items():
        views[name][...] = value
    return vector, views


def vector_of(arrays: list[Array]) -> Array | None:
    """The vector whose parts these arrays are, in this order and without gaps; None where they are not."""
    if not arrays or arrays[0].base is None:
        return None
    first = arrays[0]
    address = first.__array_interface__["data"][0]
    for value in arrays:
        alike = value.base is first.base and value.dtype == first.dtype and value.flags.c_contiguous
        if not alike or value.__array_interface__["data"][0] != address:
            return None
        address += value.nbytes
    return as_strided(first, (sum(value.size for value in arrays),), (first.itemsize,))


class LastVector:
    """:func:`vector_of`, remembered while the arrays are the same ones: from step to step they mostly are."""

    def __init__(self) -> None:
        self._parts: list[Array] = []
        self._vector: Array | None = None

    def of(self, arrays: list[Array]) -> Array | None:
        """The vector whose parts these arrays are, or None."""
        if len(arrays) != len(self._parts) or any(map(is_not, arrays, self._parts)):
            self._parts, self._vector = arrays, vector_of(arrays)
        return self._vector
