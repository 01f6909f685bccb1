"""Weights on disk as ``.npz``: no pickle, a seal over every byte, and a write that never harms the old file."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from model_spec import ModelSpec, array_archives, seals, to_dict, untrusted
from model_spec.names import printable, shown

Array = np.ndarray

SCHEMA_VERSION = 2
_META = "__meta__"


class WeightFileError(OSError, ValueError):
    """A weight file that cannot be read; the message names the file and the reason."""


def _checksum(array: Array) -> str:
    import hashlib  # loads OpenSSL, a twentieth of a small program's start; a whole seal makes it needless

    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def check_path(path: str | Path) -> Path:
    """Return the path of a file to write, whose name must end in .npz."""
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"weights are written as .npz, got {path.name}; name the file {path.stem}.npz")
    return path


def save(path: str | Path, weights: dict[str, Array], spec: ModelSpec, **facts: Any) -> None:
    """Write named arrays, the specification and a sha256 of each array.

    A full disk or a kill leaves an old file as it was.
    """
    from model_spec.whole_files import whole_file  # its random names are for those who write

    path = check_path(path)
    meta = {
        "version": SCHEMA_VERSION,
        "spec": to_dict(spec),
        "numpy": np.__version__,
        **facts,
        "sha256": {name: _checksum(array) for name, array in weights.items()},
    }
    archive = io.BytesIO()
    np.savez(archive, **{_META: np.frombuffer(json.dumps(meta).encode(), np.uint8)}, **weights)  # type: ignore[arg-type]
    with whole_file(path) as file:
        file.write(seals.sealed(archive))


class WeightFile(NamedTuple):
    """What a file of weights holds.

    Attributes:
        arrays: {"conv2d/kernel": array, ...}.
        meta: what :func:`save` wrote beside them: spec, backend, dtype, versions, further facts.
    """

    arrays: dict[str, Array]
    meta: dict[str, Any]


def load(path: str | Path) -> dict[str, Array]:
    """The named arrays of a file; see :func:`read`."""
    return read(path).arrays


def read(path: str | Path) -> WeightFile:
    """Read a file of weights once its seal has been found whole.

    Raises:
        WeightFileError: the file is missing, damaged, or not one of ours.
    """
    try:
        content = untrusted.read_bytes(path, untrusted.LARGEST_FILE)
    except (OSError, ValueError) as error:
        raise WeightFileError(f"{path} cannot be read as weights: {error}") from None
    try:
        return parse(content)
    except WeightFileError as error:
        raise WeightFileError(f"{path} {error}") from None


def parse(content: bytes) -> WeightFile:
    """What the bytes of a file hold; see :func:`read`."""
    damage = seals.broken(content)
    try:
        arrays = _arrays(content)
    except Exception as error:  # zipfile and NumPy raise a dozen kinds for a damaged file
        raise WeightFileError(
            f"cannot be read as weights: {printable(str(error))}; {damage or 'its seal is whole'}"
        ) from None
    if _META not in arrays:
        raise WeightFileError(f"has no {_META} entry; it was not written by save_weights")
    try:
        meta = untrusted.parse_json(arrays.pop(_META).tobytes())
        version, sums = meta["version"], dict(meta["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise WeightFileError(f"has a damaged {_META} entry: {printable(str(error))}") from None
    if version != SCHEMA_VERSION:
        raise WeightFileError(f"has schema version {shown(version)}, this program reads {SCHEMA_VERSION}")
    if damage or set(sums) != set(arrays):
        differing = [name for name, array in arrays.items() if sums.get(name) != _checksum(array)]
        missing = sorted(set(sums) - set(arrays))
        raise WeightFileError(
            f"is damaged: {damage}; checksum differs for {shown(differing)}, missing are {shown(missing)}"
        )
    return WeightFile(arrays, meta)


def _arrays(content: bytes) -> dict[str, Array]:
    # Written uncompressed: entries that claim to be larger than the file are damaged or meant to fill the memory
    return array_archives.read(io.BytesIO(content), len(content))
