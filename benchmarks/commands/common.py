"""What the commands share: exit codes, threads, progress, records."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from model_spec.names import check_folder_name
from model_spec.verdict import Verdict

if TYPE_CHECKING:
    from benchmarks.experiments import Data
    from bridge.progress import Show
    from model_spec import TrainingSpec
    from model_spec.experiment import Experiment

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
CLOSED_PIPE = 141
"""What was printed is read by nobody any more, as in ``crosscheck list | head -1``; as shells have it."""


def exit_code(verdict: Verdict) -> int:
    """The exit code of a command that came to this verdict."""
    return {Verdict.AGREE: AGREE, Verdict.DIFFER: DIFFER}.get(verdict, CANNOT_COMPARE)


def prepare(options: argparse.Namespace) -> int:
    """Set the number of threads of both backends before they start; return it."""
    threads = int(options.threads or _usable_cores() or 1)
    note_turns(threads)
    import keras_models

    keras_models.set_threads(threads)
    return threads


def _usable_cores() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def note_turns(threads: int) -> None:
    """Say on standard error where there are fewer cores than threads."""
    usable = _usable_cores()
    if usable and threads > usable:
        print(
            f"note: {threads} threads on {usable} cores take turns: speeds will be those of {usable}", file=sys.stderr
        )


def load_data(options: argparse.Namespace, as_values: bool | None = None) -> Data:
    """The data set of ``--data``, or of the networks' files; its notes are told on standard error.

    ``as_values``: take numbers for the values of a regression; None: where networks and loss ask for it.
    """
    from benchmarks import experiments

    options.data, options.limit = experiments.data_named(options.models, options.data, options.limit)
    if as_values is None:
        as_values = experiments.asks_for_values(options.models, getattr(options, "loss", None))
    data = experiments.load_data(options.data, options.limit, as_values)
    for note in data.notes:
        print(f"note: {data.name}: {note}", file=sys.stderr)
    return data


OF_TRAINING = ("epochs", "batch_size", "optimizer", "learning_rate", "loss")
"""Options that say how to train."""


def training_of(experiment: Experiment, data: Data, options: argparse.Namespace) -> TrainingSpec:
    """How to train a network: what suits the data, then what its file says, then what the command line says."""
    from benchmarks import experiments, regression
    from model_spec.experiment import with_table

    training = with_table(experiments.default_training(data, None, None, options.seed), experiment.training)
    training = with_table(training, {name: getattr(options, name) for name in OF_TRAINING})
    if data.is_regression:
        regression.check_loss(training.loss, data.name)
    return training


def run_directory(parent: Path, name: str) -> Path:
    """A new directory for one run: ``parent/name``, or ``name-2``, ``name-3``, ... where others have been.

    Making a directory succeeds for one program only, so two runs never write into the same one.

    Raises:
        ValueError: a name that is not one plain folder name.
    """
    check_folder_name("the name of a run", name)
    parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        directory = parent / (name if number == 1 else f"{name}-{number}")
        try:
            directory.mkdir()
        except FileExistsError:
            number += 1
        else:
            _point_at(parent / LATEST, directory)
            return directory


LATEST = "latest"
"""A link beside the runs, to the newest of them."""


def _point_at(link: Path, directory: Path) -> None:
    """Make the link; where a system has none, or a file stands there, there is no link."""
    temporary = link.with_name(f".{directory.name}.link")
    try:
        if link.is_symlink() or not link.exists():
            temporary.symlink_to(directory.name, target_is_directory=True)
            temporary.replace(link)
    except OSError:
        temporary.unlink(missing_ok=True)


_FOLDERS, _FILES = ("output", "directory"), ("record", "target", "pytest", "picture")


def check_places_to_write(options: argparse.Namespace) -> None:
    """See that a command may write where it will: hours of work must not end in a missing place, or on what they read.

    Nothing is made yet: a command that is refused leaves no trace.

    Raises:
        ValueError: a folder that cannot be made or written into, a file that the command reads.
    """
    for name in (*_FOLDERS, *_FILES):
        path = getattr(options, name, None)
        if not isinstance(path, Path):
            continue
        is_file = name in _FILES or (options.command, name) in (("speed", "output"), ("predict", "output"))
        folder = path.parent if is_file else path
        elsewhere = "give another target" if name == "target" else f"give --{name} another place"
        if is_file and any(_is_same_file(path, other) for other in _read_by(options)):
            raise ValueError(f"{path} would be overwritten, and this command reads it; {elsewhere}")
        try:
            if is_file and path.is_dir():
                raise IsADirectoryError(f"{path} is a folder, a file was expected")
            there = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
            with tempfile.TemporaryFile(dir=there):
                pass
        except OSError as error:
            raise ValueError(f"nothing can be written to {folder}: {error}; {elsewhere}") from None


def _read_by(options: argparse.Namespace) -> Iterator[str | Path]:
    """What may be files that a command reads: all it is given, but for the places to write and the line itself."""
    for name, value in vars(options).items():
        if name not in (*_FOLDERS, *_FILES, "arguments"):
            yield from (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, (str, Path)))
    if isinstance(getattr(options, "case", None), Path):
        # The arrays of a saved case
        yield options.case.with_suffix(".npz")


def _is_same_file(path: Path, other: str | Path) -> bool:
    try:
        return path.samefile(other)
    except (OSError, ValueError):  # One of them is no file
        return False


_OF_THIS_MACHINE = ("--record", "--output", "--python", "--directory", "--config", "--cluster", "--resume")


def typed(options: argparse.Namespace) -> str:
    """The command as it was typed, without the options that name places of this machine, and files without folders."""
    kept, skip = ["crosscheck"], False
    for word in options.arguments:
        name, has_value, value = word.partition("=")
        is_left_out = _is_of_this_machine(name)
        if not skip and not is_left_out:
            kept.append(f"{name}={Path(value).name}" if has_value else Path(name).name or name)
        skip = is_left_out and not has_value
    return shlex.join(kept)


def _is_of_this_machine(word: str) -> bool:
    """True for the name of such an option, and for what argparse takes in its place: a beginning of it."""
    return len(word) > 2 and any(name.startswith(word) for name in _OF_THIS_MACHINE)


def write_record(path: Path, title: str, command: str, text: str) -> None:
    """Write a result as a Markdown page: the command that measured it, date, machine and versions, then the text."""
    from benchmarks import environment
    from model_spec.whole_files import write_whole

    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, f"# {title}\n\n{environment.written_by(command)}\n\n```\n{text}\n```\n")


def progress(options: argparse.Namespace) -> AbstractContextManager[Show]:
    """What long computations are given to show how far they are; with ``--quiet`` it shows nothing.

    Its ``with`` block may be left, to print something, and entered again: counts and rates go on.
    """
    from benchmarks.progress import Progress
    from bridge.progress import silent

    return nullcontext(silent) if options.quiet else Progress()
