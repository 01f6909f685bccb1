"""Arrays of an ``.npz`` file: every size is known, and held against the file's own, before memory is taken."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Collection
from typing import IO, Any

import numpy as np

from model_spec.names import shown

Array = np.ndarray

MOST_ENTRIES = 100_000
_NEVER_TOO_LARGE = 1 << 28
"""Bytes that compressed arrays may take however small their file is."""

_PIECE = 1 << 20
"""Bytes that are read at once, so that no array is held twice."""


def read(file: IO[bytes], size: int, expansion: int = 1, names: Collection[str] | None = None) -> dict[str, Array]:
    """The arrays of an archive that ``np.savez`` or ``np.savez_compressed`` wrote.

    Args:
        file: opened for reading bytes.
        size: of the file in bytes.
        expansion: how many times larger than the file its arrays may be: 1 for uncompressed ones.
        names: read these only; those that are not there are left out.

    Raises:
        ValueError: an entry that is no plain array, two of one name, more data than the file can hold.
        zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError: damage.
    """
    wanted = (lambda name: True) if names is None else names.__contains__
    return read_with_checksums(file, size, expansion, wanted)[0]


def read_with_checksums(
    file: IO[bytes], size: int, expansion: int = 1, wanted: Callable[[str], bool] = bool
) -> tuple[dict[str, Array], dict[str, int]]:
    """The arrays of an archive, and the CRC-32 that zip keeps of each.

    Args:
        file: opened for reading bytes.
        size: of the file in bytes.
        expansion: how many times larger than the file its arrays may be.
        wanted: which of the names to read.

    Raises:
        ValueError: an entry that is no plain array, two of one name, more data than the file can hold.
        zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError: damage.
    """
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if len(entries) > MOST_ENTRIES:
            raise ValueError(f"it has {len(entries):,} entries, at most {MOST_ENTRIES:,} are read")
        total, most = sum(entry.file_size for entry in entries), size * expansion
        if expansion > 1:
            most = max(most, _NEVER_TOO_LARGE)
        huge = [entry.filename for entry in entries if entry.file_size > most]
        if huge:
            raise ValueError(f"entries {shown(huge)} claim to be larger than the file")
        if total > most:
            raise ValueError(f"its entries claim {total:,} bytes, more than a file of {size:,} bytes can hold")
        found: dict[str, Array] = {}
        sums: dict[str, int] = {}
        for entry in entries:
            name = entry.filename.removesuffix(".npy")
            if name in found:
                raise ValueError(f"it has two entries {shown(name)}")
            if wanted(name):
                with archive.open(entry) as content:
                    found[name], sums[name] = _array(content, entry.file_size, name), entry.CRC
        return found, sums


def _array(content: IO[bytes], size: int, name: str) -> Array:
    """One array of ``size`` bytes, header included."""
    shape, is_column_major, dtype, begin = _header(content, name)
    if dtype.hasobject:
        raise ValueError(f"entry {shown(name)} holds Python objects, which are not read; save plain numbers")
    count = 1
    for axis in shape:
        count *= axis
    if min(shape, default=1) < 0 or count * dtype.itemsize != size - begin:
        raise ValueError(
            f"entry {shown(name)} claims shape {shown(shape)} of {dtype}, but holds {size - begin:,} bytes"
        )
    values = np.empty(count, dtype)
    room = values.view(np.uint8) if values.size else np.empty(0, np.uint8)
    for start in range(0, room.size, _PIECE):
        wanted = min(_PIECE, room.size - start)
        part = content.read(wanted)
        room[start : start + len(part)] = np.frombuffer(part, np.uint8)
        if len(part) < wanted:
            raise EOFError(f"entry {shown(name)} is cut short")
    content.read(1)  # behind the end its checksum is held against what was read
    return values.reshape(shape[::-1]).T if is_column_major else values.reshape(shape)


def _header(content: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """(shape, is column-major, dtype, where the values begin)."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        shape, is_column_major, dtype = readers[np.lib.format.read_magic(content)](content)
    except zipfile.BadZipFile:
        raise
    except Exception as error:  # NumPy parses it as Python and raises what that raises
        raise ValueError(f"entry {shown(name)} is no array of NumPy's: {shown(str(error))}") from None
    return shape, is_column_major, dtype, content.tell()
