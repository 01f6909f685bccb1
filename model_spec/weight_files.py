"""Weights on disk as ``.npz``: no pickle, a seal over every byte, and a write that never harms the old file."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from model_spec import ModelSpec, array_archives, seals, to_dict, untrusted
from model_spec.names import printable, shown

Array = np.ndarray

SCHEMA_VERSION = 2
_META = "__meta__"
_SAMPLES = "__samples__/"
"""In front of the names of the arrays a certificate is repeated on; they are read only when asked for."""


class WeightFileError(OSError, ValueError):
    """A weight file that cannot be read; the message names the file and the reason.

    Examples:
        >>> from core_numpy import load
        >>> try:
        ...     load("none.npz")
        ... except WeightFileError as error:
        ...     print(error)
        none.npz cannot be read as weights: [Errno 2] No such file or directory: 'none.npz'
    """


class CertificateError(WeightFileError):
    """The weights in a file are not those its certificate was made for."""


def fingerprints(weights: dict[str, Array]) -> dict[str, dict[str, Any]]:
    """What a certificate knows its weights by: {"sha256": {name: digest}, "crc32": {name: of its bytes in a file}}.

    Every zip archive keeps the second, and it was checked when the array has been read: so a certificate is held
    against its weights at every load without computing anything.
    """
    found: dict[str, dict[str, Any]] = {"sha256": {}, "crc32": {}}
    for name, array in weights.items():
        entry = io.BytesIO()
        np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)
        found["sha256"][name] = _checksum(array)
        found["crc32"][name] = zlib.crc32(entry.getbuffer())
    return found


def _checksum(array: Array) -> str:
    import hashlib  # loads OpenSSL, a twentieth of a small program's start; a whole seal makes it needless

    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def check_path(path: str | Path) -> Path:
    """Return the path of a file to write, whose name must end in .npz."""
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"weights are written as .npz, got {path.name}; name the file {path.stem}.npz")
    return path


def save(
    path: str | Path,
    weights: dict[str, Array],
    spec: ModelSpec,
    samples: dict[str, Array] | None = None,
    **facts: Any,
) -> None:
    """Write named arrays, the specification and a sha256 of each array.

    A full disk or a kill leaves an old file as it was. ``samples`` are arrays beside the weights: what the certificate
    is repeated on.
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
    entries = {_META: np.frombuffer(json.dumps(meta).encode(), np.uint8), **weights}
    entries |= {_SAMPLES + name: array for name, array in (samples or {}).items()}
    np.savez(archive, **entries)  # type: ignore[arg-type]
    with whole_file(path) as file:
        file.write(seals.sealed(archive))


class WeightFile(NamedTuple):
    """What a file of weights holds.

    Attributes:
        arrays: {"conv2d/kernel": array, ...}.
        meta: what :func:`save` wrote beside them: spec, backend, dtype, versions, further facts.
        samples: what a certificate is repeated on, where it was asked for.
    """

    arrays: dict[str, Array]
    meta: dict[str, Any]
    samples: dict[str, Array]


def load(path: str | Path) -> dict[str, Array]:
    """The named arrays of a file; see :func:`read`."""
    return read(path).arrays


def read(path: str | Path, samples: bool = False) -> WeightFile:
    """Read a file of weights once its seal has been found whole.

    Args:
        path: of the file.
        samples: whether to read what its certificate is repeated on, too.

    Raises:
        WeightFileError: the file is missing, damaged, or not one of ours.
        CertificateError: it is whole, and its certificate was made for other weights.
    """
    try:
        content = untrusted.read_bytes(path, untrusted.LARGEST_FILE)
    except (OSError, ValueError) as error:
        raise WeightFileError(f"{path} cannot be read as weights: {error}") from None
    try:
        return parse(content, samples)
    except WeightFileError as error:
        raise type(error)(f"{path} {error}") from None


_HDF5 = b"\x89HDF\r\n\x1a\n"


def _is_keras_file(content: bytes) -> bool:
    """True for a .keras archive, which holds config.json, and for a .h5 file."""
    if content.startswith(_HDF5):
        return True
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {"config.json", "metadata.json"} <= set(archive.namelist())
    except Exception:  # damage is told by whoever reads the arrays
        return False


def parse(content: bytes, samples: bool = False) -> WeightFile:
    """What the bytes of a file hold; see :func:`read`."""
    damage = seals.broken(content)
    try:
        arrays, sums_of_entries, kept = _arrays(content, samples)
    except Exception as error:  # zipfile and NumPy raise a dozen kinds for a damaged file
        if _is_keras_file(content):
            raise WeightFileError(
                "is a file of Keras', which needs TensorFlow; crosscheck convert model.keras model.npz makes one of it"
            ) from None
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
        found = [damage] if damage else []
        found += [f"checksum differs for {shown(differing)}"] if differing else []
        found += [f"missing are {shown(missing)}"] if missing else []
        raise WeightFileError(f"is damaged: {'; '.join(found)}")
    _check_certificate(meta.get("certificate"), sums, sums_of_entries)
    return WeightFile(arrays, meta, kept)


def changed(file: WeightFile) -> list[str]:
    """Names of the arrays that are not what was written, by their hashes: what a load leaves to the seal."""
    sums = file.meta["sha256"]
    return [name for name, array in file.arrays.items() if sums.get(name) != _checksum(array)]


def _check_certificate(certificate: Any, sums: dict[str, str], sums_of_entries: dict[str, int]) -> None:
    """Refuse weights that are not the certified ones: a file that was written again, whole, with others."""
    if not isinstance(certificate, dict):
        return
    for known, found in ((certificate.get("sha256"), sums), (certificate.get("crc32"), sums_of_entries)):
        if isinstance(known, dict) and known != found:
            differing = sorted(name for name in {*known, *found} if known.get(name) != found.get(name))
            raise CertificateError(
                f"holds other weights than its certificate was made for: {', '.join(differing)} differ; "
                f"convert the model again with crosscheck convert"
            )


def _arrays(content: bytes, with_samples: bool) -> tuple[dict[str, Array], dict[str, int], dict[str, Array]]:
    """The arrays of an archive, the checksums zip keeps of them, and the samples of its certificate if asked for."""
    # Written uncompressed: entries that claim to be larger than the file are damaged or meant to fill the memory
    found, sums = array_archives.read_with_checksums(
        io.BytesIO(content), len(content), wanted=lambda name: with_samples or not name.startswith(_SAMPLES)
    )
    samples = {name.removeprefix(_SAMPLES): found.pop(name) for name in list(found) if name.startswith(_SAMPLES)}
    return found, {name: sums[name] for name in found if name != _META}, samples
