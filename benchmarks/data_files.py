"""Files of data: ``.npz`` with four arrays, and the four idx files MNIST came in (plain or ``.gz``)."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from model_spec import array_archives, untrusted
from model_spec.names import printable

Array = np.ndarray

PARTS = ("x_train", "y_train", "x_test", "y_test")

_EXPANSION = 50
"""How many times larger than a packed file its arrays may be; MNIST's are five times larger."""

_NEVER_TOO_LARGE = 1 << 28
"""Bytes that the content of a packed file may take however small the file is."""

IDX_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def idx_path(directory: Path, part: str) -> Path | None:
    """The idx file of one part in this directory, or None."""
    for ending in ("", ".gz"):
        path = directory / f"{IDX_FILES[part]}{ending}"
        if path.is_file():
            return path
    return None


def read_npz(path: Path) -> dict[str, Array]:
    """The four arrays of a ``.npz`` file; a ValueError names the file where it is damaged or holds others."""
    arrays = read_arrays(path, PARTS)
    missing = [part for part in PARTS if part not in arrays]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}; a data file holds {', '.join(PARTS)}")
    return arrays


def read_arrays(path: Path, names: Collection[str]) -> dict[str, Array]:
    """Those arrays of a ``.npz`` file that have these names; a ValueError names the file where it is damaged."""
    try:
        size = untrusted.check_size(path, untrusted.LARGEST_FILE)
        with path.open("rb") as file:
            if file.read(6) == b"\x93NUMPY":
                raise ValueError("it holds a single array")
            return array_archives.read(file, size, _EXPANSION, names)
    except FileNotFoundError:
        raise ValueError(f"no file {path}; give a .npz file holding {', '.join(PARTS)}") from None
    except Exception as error:  # zipfile and NumPy raise a dozen kinds for a damaged file
        raise ValueError(
            f"{path} cannot be read as a .npz file of plain arrays: {printable(str(error))}; replace the file"
        ) from None


def read_idx_directory(directory: Path) -> dict[str, Array]:
    """The four arrays of a directory of idx files; a ValueError names the file that is missing or damaged."""
    arrays = {}
    for part in PARTS:
        path = idx_path(directory, part)
        if path is None:
            raise ValueError(f"{directory} lacks {IDX_FILES[part]} (or .gz); all four idx files are needed")
        arrays[part] = read_idx(path)
    return arrays


def read_idx(path: Path) -> Array:
    """One idx file: two zero bytes, the dtype's code, the rank, big-endian sizes, then the values."""
    try:
        size = untrusted.check_size(path, untrusted.LARGEST_FILE)
        if path.suffix == ".gz":
            most = max(_EXPANSION * size, _NEVER_TOO_LARGE)
            with gzip.open(path) as file:
                content = file.read(most + 1)
            if len(content) > most:
                raise ValueError(f"{size:,} bytes of it hold more than {most:,}")
        else:
            content = path.read_bytes()
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}; replace the file") from None
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError(
            f"{path} is no idx file of bytes: it begins with {content[:4]!r}, expected 00 00 08 and a rank; replace it"
        )
    rank = content[3]
    header = 4 + 4 * rank
    if len(content) < header:
        raise ValueError(f"{path} is cut short: {len(content)} bytes do not hold the {rank} sizes; replace the file")
    shape = struct.unpack(f">{rank}I", content[4:header])
    values = np.frombuffer(content, np.uint8, offset=header)
    expected = int(np.prod(shape, dtype=object))
    if values.size != expected:
        raise ValueError(f"{path} holds {values.size} values, its header {shape} wants {expected}; replace the file")
    return values.reshape(shape).copy()
