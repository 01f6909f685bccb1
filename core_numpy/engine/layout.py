"""Where the examples stand in a buffer: in front, as in the reference layers, or innermost."""

from __future__ import annotations

import mmap
import threading
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray

ALIGNMENT = 64
"""Bytes; a cache line, and the width of an AVX-512 register."""


class Layout(NamedTuple):
    """One order of axes for all buffers of a plan.

    Attributes:
        batch_last: True for (height, width, channels, examples): every operation runs over long rows of examples,
            and the windows of a convolution overlap in memory. False for (examples, height, width, channels).
    """

    batch_last: bool

    def shape(self, example: tuple[int, ...], examples: int) -> tuple[int, ...]:
        """Shape of a buffer for values of this shape (without the batch axis)."""
        return (*example, examples) if self.batch_last else (examples, *example)

    def window(self, rows: slice, columns: slice) -> tuple[Any, ...]:
        """Index of a part of every image."""
        return (rows, columns) if self.batch_last else (slice(None), rows, columns)

    def channels(self, values: Array) -> Array:
        """One number a channel, or feature, shaped so that it broadcasts over a buffer."""
        return values[:, None] if self.batch_last else values

    def from_rows(self, rows: Array) -> Array:
        """A view of (examples, ...) in this order of axes."""
        return np.moveaxis(rows, 0, -1) if self.batch_last else rows

    def to_rows(self, buffer: Array) -> Array:
        """A view of a buffer as (examples, ...)."""
        return np.moveaxis(buffer, -1, 0) if self.batch_last else buffer


def without_single_example(rows: Array) -> Array:
    """A view of a single row (1, ...) as (...), several rows as they are: NumPy starts on one axis in half the time."""
    return rows[0] if len(rows) == 1 else rows


LARGE_BYTES = 1 << 18
"""Buffers of this size have memory of their own: malloc would keep the holes that plans of changing sizes leave."""

_HUGE_PAGES_FROM = 1 << 22
"""NumPy asks for huge pages from here on, too."""


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """An uninitialised array that starts at a cache line."""
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    nbytes = count * dtype.itemsize
    TAKEN.total += nbytes
    if nbytes >= LARGE_BYTES and hasattr(mmap, "MAP_ANONYMOUS"):
        return _own_pages(nbytes)[:nbytes].view(dtype).reshape(shape)
    memory = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + nbytes].view(dtype).reshape(shape)


def _own_pages(nbytes: int) -> Array:
    """Bytes that go back to the operating system when the last array on them is dropped; private after a fork."""
    pages = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if nbytes >= _HUGE_PAGES_FROM and hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without them
            pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8)


_SAME_PLACES = 512
"""Bytes: rows that lie a multiple of it apart fall on eight of the first-level cache's 64 places, or on fewer."""


class TurnRows:
    """Copies rows (n, ...) to a view of a buffer whose innermost axis they are.

    That reads a little of every row in turns. Rows that fall on the same places of the cache drive each other out
    before they are read to their ends, so they are laid apart first: 64 images of 32x32x3 take 83 us in place of 547.

    Args:
        shape: of the rows, (n, ...).
        dtype: of their numbers.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        size, itemsize = int(np.prod(shape[1:])), np.dtype(dtype).itemsize
        self.apart: Array | None = None
        if size * itemsize % _SAME_PLACES == 0:
            rows = empty((shape[0], size + ALIGNMENT // itemsize), dtype)
            self.apart = rows[:, :size].reshape(shape)

    def copy(self, rows: Array, into: Array) -> None:
        """Copy the rows into the view, both (n, ...) or fewer; rows with axes of length 1 are broadcast."""
        if self.apart is not None:
            apart = self.apart[: len(rows)]
            np.copyto(apart, rows)
            rows = apart
        np.copyto(into, rows)


class BytesTaken(threading.local):
    """How many bytes :func:`empty` has taken in this thread, as a running total."""

    total = 0


TAKEN = BytesTaken()
"""Read before and after, it says what was taken in between: looking for arrays in objects would slow these down."""


def zeros(shape: tuple[int, ...], dtype: Any) -> Array:
    """An array of zeros that starts at a cache line."""
    array = empty(shape, dtype)
    array[...] = 0
    return array


PIECE_BYTES = 1 << 20
"""Values that are taken at once where several passes go over them. Smaller pieces cost more calls, in which two threads
take turns, than the second-level cache saves."""


def pieces(values: Array) -> list[slice]:
    """Parts of the first axis that several passes take one after the other.

    >>> pieces(np.zeros((5, 100, 1024), np.float32))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 6, None)]
    """
    each = max(PIECE_BYTES // values[0].nbytes, 1)
    return [slice(at, at + each) for at in range(0, len(values), each)]


_LONG_ROW = 4096
"""Numbers of a row beside which the start of a NumPy loop costs nothing."""


def zeros_beside(values: Array) -> Array:
    """Zeros that broadcast over these values: the last axes of their shape, as many as make a long row.

    ``np.maximum`` takes an array of zeros three times as fast as the number 0.
    """
    axes = 1
    while axes < values.ndim and np.prod(values.shape[-axes:]) < _LONG_ROW:
        axes += 1
    return zeros(values.shape[-axes:], values.dtype)
