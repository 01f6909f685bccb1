"""A ``.keras`` file looked through before Keras opens it: the three entries that Keras writes, of their real sizes."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

from model_spec.names import shown
from model_spec.untrusted import LARGEST_TEXT

CONFIGURATION, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_ENTRIES = (METADATA, CONFIGURATION, WEIGHTS)
_EXPANSION = 20
_NEVER_TOO_LARGE = 1 << 26
"""Bytes that packed weights may take however small the file is; beyond, ``_EXPANSION`` times the file's size."""


class Archive(NamedTuple):
    """The entries of a ``.keras`` file, unpacked."""

    configuration: bytes
    weights: bytes


def read_archive(path: Path, size: int) -> Archive:
    """The entries of a file of ``size`` bytes.

    Raises:
        ValueError: the file is damaged, lacks an entry, has other ones or one twice, or an entry is larger than
            what the file can hold.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            unknown = [name for name in names if name not in _ENTRIES]
            if unknown:
                raise ValueError(
                    f"it holds {shown(unknown)} besides {', '.join(_ENTRIES)}; supported layers need nothing else"
                )
            missing = [name for name in (CONFIGURATION, WEIGHTS) if name not in names]
            if missing or len(set(names)) < len(names):
                raise ValueError(f"it holds {', '.join(names) or 'nothing'}, expected {', '.join(_ENTRIES)} once each")
            for entry in entries:
                _check(entry, size)
            return Archive(archive.read(CONFIGURATION), archive.read(WEIGHTS))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        # RuntimeError: an encrypted entry
        raise ValueError(f"it is a damaged zip archive: {shown(str(error))}") from None


def _check(entry: zipfile.ZipInfo, size: int) -> None:
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise ValueError(f"its entry {entry.filename} is a link")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"its entry {entry.filename} is packed by method {entry.compress_type}; store it plainly")
    most = max(_NEVER_TOO_LARGE, _EXPANSION * size) if entry.filename == WEIGHTS else LARGEST_TEXT
    if entry.file_size > most:
        raise ValueError(f"its entry {entry.filename} claims {entry.file_size:,} bytes, at most {most:,} are read")
