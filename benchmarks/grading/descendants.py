"""Ends what a process has started: also what left its group, changed its name or was orphaned on purpose."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


class Descendants:
    """From when this is made, orphans of this process's children become its own children (on Linux)."""

    def __init__(self) -> None:
        self._adopts = _adopt(True)
        self._before = _children()

    def end_new_ones(self) -> None:
        """End all children that were not there before, and theirs, which become children as they are orphaned."""
        deadline = time.monotonic() + 2
        while self._adopts and (new := _children() - self._before) and time.monotonic() < deadline:
            for pid in new:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(OSError):
                    os.waitpid(pid, 0)
        _adopt(False)


def _adopt(on: bool) -> bool:
    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0) == 0)
    except (OSError, AttributeError, TypeError):
        return False  # not Linux: the group is ended, and no more


def _children() -> set[int]:
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # "pid (name) state parent": the name may hold anything
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(folder.name))
    return found
