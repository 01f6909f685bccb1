"""What the commands share: exit codes, threads, progress, records."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from model_spec.verdict import Verdict

if TYPE_CHECKING:
    from benchmarks.compare import Data
    from bridge.progress import Show

AGREE = 0
"""The backends agree."""

DIFFER = 1
"""They were compared and differ."""

CANNOT_COMPARE = 2
"""They could not be compared: wrong usage, bad input, something missing, or nothing that proves anything."""

CRASHED = 70
"""The program itself failed: an exception nobody expected."""

INTERRUPTED = 130
"""Control-C, as shells have it."""


def exit_code(verdict: Verdict) -> int:
    """The exit code of a command that came to this verdict."""
    return {Verdict.AGREE: AGREE, Verdict.DIFFER: DIFFER}.get(verdict, CANNOT_COMPARE)


def prepare(options: argparse.Namespace) -> int:
    """Set the number of threads of both backends before they start; return it."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = int(options.threads or usable or 1)
    from benchmarks.console import without_import_chatter

    with without_import_chatter():
        import keras_models
    keras_models.set_threads(threads)
    return threads


def load_keras() -> None:
    """Import Keras and TensorFlow without what they print."""
    from benchmarks.console import without_import_chatter

    with without_import_chatter():
        import keras_models  # noqa: F401


def load_data(options: argparse.Namespace) -> Data:
    """The data set of ``--data``, its notes told on standard error."""
    from benchmarks import compare

    data = compare.load_data(options.data, options.limit)
    for note in data.notes:
        print(f"note: {data.name}: {note}", file=sys.stderr)
    return data


def run_directory(parent: Path, name: str) -> Path:
    """A new directory for one run: ``parent/name``, or ``name-2``, ``name-3``, ... where others have been.

    Making a directory succeeds for one program only, so two runs never write into the same one.
    """
    parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        directory = parent / (name if number == 1 else f"{name}-{number}")
        try:
            directory.mkdir()
            return directory
        except FileExistsError:
            number += 1


_FOLDERS, _FILES = ("output", "directory"), ("record", "target", "pytest")


def make_places_to_write(options: argparse.Namespace) -> None:
    """Make the folders a command writes into, and see that it may: hours of work must not end in a missing place.

    Raises:
        ValueError: a folder that cannot be made or written into.
    """
    for name in (*_FOLDERS, *_FILES):
        path = getattr(options, name, None)
        if not isinstance(path, Path):
            continue
        is_file = name in _FILES or (options.command, name) == ("speed", "output")
        folder = path.parent if is_file else path
        try:
            if is_file and path.is_dir():
                raise IsADirectoryError(f"{path} is a folder, a file was expected")
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise ValueError(f"nothing can be written to {folder}: {error}; give --{name} another place") from None


_OF_THIS_MACHINE = ("--record", "--output", "--python")


def typed(options: argparse.Namespace) -> str:
    """The command as it was typed, without the names of files of this machine."""
    kept, skip = ["crosscheck"], False
    for word in options.arguments:
        if not skip and word not in _OF_THIS_MACHINE:
            kept.append(word)
        skip = word in _OF_THIS_MACHINE
    return shlex.join(kept)


def write_record(path: Path, title: str, command: str, text: str) -> None:
    """Write a result as a Markdown page: the command that measured it, date, machine and versions, then the text."""
    from benchmarks import environment
    from model_spec.whole_files import write_whole

    write_whole(path, f"# {title}\n\n{environment.written_by(command)}\n\n```\n{text}\n```\n")


def progress(options: argparse.Namespace) -> AbstractContextManager[Show]:
    """What long computations are given to show how far they are; with ``--quiet`` it shows nothing.

    Its ``with`` block may be left, to print something, and entered again: counts and rates go on.
    """
    from benchmarks.progress import Progress
    from bridge.progress import silent

    return nullcontext(silent) if options.quiet else Progress()
