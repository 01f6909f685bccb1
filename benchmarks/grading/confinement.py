"""Keeps a process, and all it starts, from writing outside a folder, from TCP and from signals to others (Landlock)."""

from __future__ import annotations

import ctypes
import os
import struct

_CREATE, _ADD, _RESTRICT = 444, 445, 446
"""Numbers of Landlock's system calls, the same on every architecture (Linux 5.13 and later)."""

_VERSION, _PATH_BENEATH, _NO_NEW_PRIVILEGES = 1, 1, 38
_WRITES = (1 << 1) | sum(1 << bit for bit in range(4, 13))
"""Writing, removing and making files and folders of every kind."""

_WRITE_FILE = 1 << 1


def confine(folder: str) -> bool:
    """Allow writing into this folder and to /dev/null alone; True where the system can do that."""
    try:
        calls = ctypes.CDLL(None, use_errno=True)
        version = calls.syscall(_CREATE, None, 0, _VERSION)
        if version < 1:
            return False
        # Moving between folders came with version 2, cutting files with 3, TCP with 4, signals with 6
        files = _WRITES | (version >= 2) << 13 | (version >= 3) << 14
        rights = struct.pack("=QQQ", files, 3, 3)[: 8 if version < 4 else 16 if version < 6 else 24]
        ruleset = calls.syscall(_CREATE, rights, len(rights), 0)
        if ruleset < 0:
            return False
        for path, allowed in ((folder, files), (os.devnull, _WRITE_FILE | files & 1 << 14)):
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            rule = struct.pack("=Qi", allowed, descriptor)
            failed = calls.syscall(_ADD, ruleset, _PATH_BENEATH, rule, 0)
            os.close(descriptor)
            if failed:
                return False
        confined = calls.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 and calls.syscall(_RESTRICT, ruleset, 0) == 0
        os.close(ruleset)
    except (OSError, AttributeError, TypeError):
        return False  # not Linux
    return bool(confined)
