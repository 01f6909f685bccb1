"""Weights on disk as ``.npz``: no pickle, a checksum per array, and a write that never harms the old file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model_spec import ModelSpec, to_dict

Array = np.ndarray

SCHEMA_VERSION = 1
_META = "__meta__"


class WeightFileError(OSError, ValueError):
    """A weight file that cannot be read; the message names the file and the reason."""


def _checksum(array: Array) -> str:
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
    from core_numpy.whole_files import whole_file  # its random names are for those who write

    path = check_path(path)
    meta = {
        "version": SCHEMA_VERSION,
        "spec": to_dict(spec),
        "numpy": np.__version__,
        **facts,
        "sha256": {name: _checksum(array) for name, array in weights.items()},
    }
    encoded = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    with whole_file(path) as file:
        np.savez(file, **{_META: encoded}, **weights)  # type: ignore[arg-type]


def _archive(file: Any) -> Any:
    archive = np.load(file, allow_pickle=False)
    if isinstance(archive, np.ndarray):
        raise ValueError("it holds a single array without a name")
    return archive


@dataclass(frozen=True)
class WeightFile:
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
    """Read a file of weights, checking every checksum.

    Raises:
        WeightFileError: the file is missing, damaged, or not one of ours.
    """
    try:
        # Opened here, because np.load leaves a file open that it cannot read.
        with open(path, "rb") as file, _archive(file) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:  # zipfile and NumPy raise a dozen kinds for a damaged file
        raise WeightFileError(f"{path} cannot be read as weights: {error}") from None
    if _META not in arrays:
        raise WeightFileError(f"{path} has no {_META} entry; it was not written by save_weights")
    try:
        meta = json.loads(arrays.pop(_META).tobytes().decode())
        version, sums = meta["version"], dict(meta["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise WeightFileError(f"{path} has a damaged {_META} entry: {error}") from None
    if version != SCHEMA_VERSION:
        raise WeightFileError(f"{path} has schema version {version}, this program reads {SCHEMA_VERSION}")
    damaged = [name for name, array in arrays.items() if sums.get(name) != _checksum(array)]
    if damaged or set(sums) != set(arrays):
        missing = sorted(set(sums) - set(arrays))
        raise WeightFileError(f"{path} is damaged: checksum differs for {damaged}, missing are {missing}")
    return WeightFile(arrays, meta)
