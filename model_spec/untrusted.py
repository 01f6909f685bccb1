"""Files that anybody may have written: how much of one is read, and how JSON and TOML in it are taken apart.

Whatever such a file holds, a reader gives a result or a ValueError; sizes are known before memory is taken.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

LARGEST_TEXT = 8 << 20
"""Bytes of JSON: parsed, its smallest pieces take twenty times as much."""

LARGEST_TOML = 1 << 18
"""Bytes of TOML, which people write by hand; its parser is slow."""

LARGEST_FILE = 8 << 30
"""Bytes of a file of arrays, which are held in memory."""

DEEPEST = 100
"""Levels of tables and lists in each other."""


def read_bytes(path: str | Path, largest: int) -> bytes:
    """The whole content of a regular file.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: a device, a pipe, or a file of more than ``largest`` bytes; nothing of it has been read.
    """
    size = check_size(path, largest)
    with open(path, "rb") as file:
        content = file.read(size + 1)
    if len(content) > size:
        raise ValueError("it grew while it was read; wait until it has been written")
    return content


def check_size(path: str | Path, largest: int) -> int:
    """The size of a regular file in bytes; see :func:`read_bytes`."""
    facts = os.stat(path)
    if stat.S_ISDIR(facts.st_mode):
        raise IsADirectoryError("it is a directory")
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError("it is a device or a pipe, not a file")
    if facts.st_size > largest:
        raise ValueError(f"it has {facts.st_size:,} bytes, at most {largest:,} are read")
    return facts.st_size


def parse_json(text: str | bytes) -> Any:
    """What JSON text says.

    Raises:
        ValueError: it is no JSON, too long, or nested too deeply.
    """
    if len(text) > LARGEST_TEXT:
        raise ValueError(f"the JSON text has {len(text):,} characters, at most {LARGEST_TEXT:,} are read")
    try:
        return check_depth(json.loads(text))
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def parse_toml(text: str) -> dict[str, Any]:
    """What TOML text says; see :func:`parse_json`."""
    import tomllib  # needed for files written by hand only

    if len(text) > LARGEST_TOML:
        raise ValueError(f"the TOML text has {len(text):,} characters, at most {LARGEST_TOML:,} are read")
    try:
        entry: dict[str, Any] = check_depth(tomllib.loads(text))
        return entry
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


_TOO_DEEP = f"tables and lists are nested more than {DEEPEST} deep; write it flatter"


def check_depth(entry: Any) -> Any:
    """Return what was parsed, so that whoever walks through it cannot run out of stack."""
    level = [entry]
    for _ in range(DEEPEST):
        level = [
            part
            for value in level
            if isinstance(value, (dict, list))
            for part in (value.values() if isinstance(value, dict) else value)
            if isinstance(part, (dict, list))
        ]
        if not level:
            return entry
    raise ValueError(_TOO_DEEP)
