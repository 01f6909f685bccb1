"""Memory that two processes map: arrays laid one behind the other, in a file without a name.

A name in /dev/shm would outlive a process that is killed; this memory is freed with the last process that has it.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Sequence

import numpy as np

from core_numpy.engine.layout import ALIGNMENT, Array

ArrayLayout = tuple[tuple[int, ...], str]
"""Shape and dtype of one array."""

MOST_LAYOUTS = 16
"""Lists of arrays whose views are kept; both processes forget all of them at the same request."""


class SharedMemory:
    """The memory as one of its two processes sees it.

    Both sides lay out the same lists of arrays, so no address has to be told.

    Args:
        descriptor: of the file as it was inherited; None makes a new one.

    Examples:
        >>> memory = SharedMemory()
        >>> other = SharedMemory(os.dup(memory.descriptor))
        >>> memory.arrays((((2,), "<f4"),))[0][:] = 3
        >>> other.arrays((((2,), "<f4"),))[0]
        array([3., 3.], dtype=float32)
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = _unnamed_file() if descriptor is None else descriptor
        self._views: dict[tuple[ArrayLayout, ...], list[Array]] = {}

    def arrays(self, wanted: Sequence[ArrayLayout]) -> list[Array]:
        """Views of the memory, one for each (shape, dtype), which starts at a cache line."""
        key = tuple(wanted)
        found = self._views.get(key)
        if found is None:
            found = self._views[key] = self._lay_out(key)
        return found

    def forget(self) -> None:
        """Let go of all views; memory that nobody looks at is given back."""
        self._views.clear()

    def _lay_out(self, wanted: tuple[ArrayLayout, ...]) -> list[Array]:
        places, end = [], 0
        for shape, dtype in wanted:
            places.append(end)
            nbytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            end += -(-nbytes // ALIGNMENT) * ALIGNMENT
        size = max(end, mmap.PAGESIZE)
        if os.fstat(self.descriptor).st_size < size:
            os.ftruncate(self.descriptor, size)
        pages = mmap.mmap(self.descriptor, size)
        return [
            np.ndarray(shape, dtype, buffer=pages, offset=at) for (shape, dtype), at in zip(wanted, places, strict=True)
        ]

    def close(self) -> None:
        """Close the file; views stay valid until they are dropped."""
        self.forget()
        os.close(self.descriptor)


def _unnamed_file() -> int:
    """The descriptor of an empty file in memory; of one without a name on disk where the system has no such files."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("crosscheck-worker")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
