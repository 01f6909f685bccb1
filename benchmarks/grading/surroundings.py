"""What a submission's process runs in: a folder of its own, no terminal, and an end for all it has started."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

_MARK = "CROSSCHECK_GRADING"
"""Variable by which processes that a submission started are known."""


def enter(folder: str, mark: str) -> None:
    """Make this process the head of a group, in a folder, with nothing printed from it or what it starts."""
    if hasattr(os, "setsid"):
        with contextlib.suppress(OSError):
            os.setsid()
    os.environ[_MARK] = mark
    os.chdir(folder)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)


def end_all(pid: int, mark: str) -> None:
    """End what a process that has entered has left running: its group, and on Linux all that carry its mark."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
    wanted = f"{_MARK}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                os.kill(int(folder.name), signal.SIGKILL)
