"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", socket.gethostname())


@contextmanager
def whole_file(path: str | Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a file for writing that takes the name ``path`` only once the block has ended well.

    The data goes to a temporary file beside ``path``, is flushed to disk, and takes the name in one step: a full disk
    or a kill leaves an old file as it was. Text (``mode="w"``) is written as UTF-8.
    """
    path = Path(path)
    # Whose it is stands in the name, so that what a killed program has left can be told from what is being written
    temporary = path.with_name(f".{path.name}.{_host()}.{os.getpid()}.{secrets.token_hex(8)}.tmp")
    # With the permissions of any new file; tempfile's can be read by nobody else
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _settle(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _settle(directory: Path) -> None:
    """Bring a new name to the disk: it stands in the directory, which Windows does not let one open."""
    if os.name != "posix":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with whole_file(path, "w") as file:
        file.write(text)


def remove_leftovers(path: str | Path) -> None:
    """Remove the temporary files of ``path``, or of every file in the directory ``path``, whose program is dead.

    Only programs of this machine can be asked after; what others have left stays.
    """
    path = Path(path)
    directory, name = (path, "*") if path.is_dir() else (path.parent, path.name)
    if os.name != "posix" or not directory.is_dir():
        return
    for leftover in directory.glob(f".{name}.{_host()}.*.*.tmp"):
        process = leftover.name.split(".")[-3]
        if process.isdigit() and not _alive(int(process)):
            leftover.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # Somebody else's
        return True
    return True
