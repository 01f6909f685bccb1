"""Long campaigns as lists of pure tasks: run on several processes, kept one file each, resumed for nothing.

A task is an importable function with JSON arguments, and its result is JSON too. ``run_tasks`` yields outcomes as they
finish; what a directory already holds is read, not computed. A task that raises, or whose process dies, is an outcome
with an error, and the rest goes on. joblib is imported only where tasks are run on several processes.
"""

from __future__ import annotations

import hashlib
import json
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any

from model_spec.validation import positive_integer
from model_spec.verdict import json_text, plain
from model_spec.whole_files import remove_leftovers, write_whole

_OURS = ("model_spec", "core_numpy", "keras_models", "bridge", "benchmarks")
_OTHERS = ("numpy", "keras", "tensorflow", "tensorflow-cpu", "hypothesis")


@dataclass(frozen=True)
class Task:
    """One computation that depends on nothing but what stands here.

    Attributes:
        function: where to import it from, "package.module:name"; called with the arguments as keywords.
        arguments: JSON values by name.
        version: of everything else the result depends on; another version is another task.
    """

    function: str
    arguments: dict[str, Any] = field(default_factory=dict)
    version: str = ""

    @property
    def key(self) -> str:
        """sha256 of function, arguments and version; names the task's file."""
        text = json.dumps([self.function, self.arguments, self.version], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        task: the task.
        result: what its function returned; None where it failed.
        error: None, the traceback of what it raised, or how its process died.
        seconds: the computation took.
        kept: True where the result was read from its file.
    """

    task: Task
    result: Any = None
    error: str | None = None
    seconds: float = 0.0
    kept: bool = False


@cache
def source_version() -> str:
    """Hash of this program's source and of the libraries' versions: an edit makes every result a new one."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parents[1]
    for file in sorted(file for package in _OURS for file in (root / package).rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    for package in _OTHERS:
        try:
            digest.update(f"{package} {version(package)}".encode())
        except PackageNotFoundError:
            continue
    return digest.hexdigest()


def run_tasks(
    tasks: Sequence[Task],
    directory: str | Path | None = None,
    n_jobs: int = 1,
    prepare: Callable[[], None] | None = None,
    cluster: str | None = None,
) -> Iterator[Outcome]:
    """Compute every task once and yield the outcomes as they finish; tasks that failed before are tried again.

    Args:
        tasks: the campaign; a task that stands in it twice is computed once.
        directory: where results are kept, one ``<key>.json`` each; None keeps nothing.
        n_jobs: processes. 1 computes in this one, where a crash ends it; more survive it, with one thread each.
        prepare: called first in every process that is started; not in this one.
        cluster: address of a Dask scheduler, "tcp://host:port", whose workers compute the tasks instead. They need
            this program and the same ``directory``; a task whose worker dies is computed by another one.
    """
    positive_integer("n_jobs", n_jobs)
    where = None if directory is None else Path(directory)
    if where is not None:
        where.mkdir(parents=True, exist_ok=True)
        remove_leftovers(where)
    waiting = {task.key: task for task in tasks}
    for key, task in list(waiting.items()):
        outcome = kept(task, where)
        if outcome is not None:
            del waiting[key]
            yield outcome
    if cluster is not None:
        yield from _on_cluster(list(waiting.values()), where, cluster)
        return
    if n_jobs == 1:
        yield from (_compute(task, where) for task in waiting.values())
        return
    death = _process_death()
    while waiting:
        started: list[Task] = []
        try:
            for outcome in _in_processes(list(waiting.values()), where, n_jobs, prepare, started.append):
                del waiting[outcome.task.key]
                yield outcome
        except death:
            # Everything under way went down with the one that died; alone, each shows whether it was the one
            for task in [task for task in started if task.key in waiting]:
                del waiting[task.key]
                yield kept(task, where) or _alone(task, where, prepare)


def _process_death() -> type[BaseException]:
    """What joblib raises where a process dies."""
    try:
        from joblib.externals.loky.process_executor import TerminatedWorkerError
    except ImportError as error:
        raise ImportError(
            f'several processes are run by joblib ({error.name} is missing): pip install "crosscheck[test]"'
        ) from error
    return TerminatedWorkerError  # type: ignore[no-any-return, unused-ignore]


def _in_processes(
    tasks: Sequence[Task],
    where: Path | None,
    n_jobs: int,
    prepare: Callable[[], None] | None,
    start: Callable[[Task], None],
) -> Iterator[Outcome]:
    """Outcomes in the order of finishing; ``start`` is called with each task that is handed to a process."""
    from joblib import Parallel, delayed, parallel_config

    def calls() -> Iterator[Any]:
        for task in tasks:
            start(task)
            yield delayed(_compute)(task, where)

    # A process that has grown is replaced by joblib, which warns in the thread that does it: made an error, the warning
    # would end that thread, and the campaign would wait for ever. Filters of one thread only are not to be had.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    with parallel_config(backend="loky", inner_max_num_threads=1, initializer=prepare):
        # No task waits inside a process, so that a death has few suspects
        parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)
        yield from parallel(calls())


def _on_cluster(tasks: Sequence[Task], where: Path | None, address: str) -> Iterator[Outcome]:
    """Outcomes in the order of finishing, computed by the workers of a Dask cluster through joblib's backend for it."""
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError(f'a Dask cluster needs {error.name}: pip install "crosscheck[cluster]"') from None
    from joblib import Parallel, delayed, parallel_config

    directory = None if where is None else where.resolve()
    try:
        client = Client(address, timeout=5)  # type: ignore[no-untyped-call, unused-ignore]
    except (OSError, ValueError) as error:
        raise ValueError(f"no Dask scheduler answers at {address!r}: {error}; start one with dask scheduler") from None
    with client, parallel_config(backend="dask"):
        parallel = Parallel(return_as="generator_unordered", batch_size=1)
        yield from parallel(delayed(_compute)(task, directory) for task in tasks)


def _alone(task: Task, where: Path | None, prepare: Callable[[], None] | None) -> Outcome:
    """The outcome of a task in a process that computes nothing else."""
    started = perf_counter()
    try:
        # joblib computes in this process where it may use only one
        return next(_in_processes([task], where, 2, prepare, lambda task: None))
    except _process_death() as error:
        dead = Outcome(task, None, f"its process died: {error}", perf_counter() - started)
        _write(dead, where)
        return dead


def _compute(task: Task, where: Path | None) -> Outcome:
    started = perf_counter()
    result, error = None, None
    try:
        module, _, name = task.function.partition(":")
        result = getattr(import_module(module), name)(**task.arguments)
        # As a file would give it back, so that a first run and a resumed one see the same
        result = plain(json.loads(json.dumps(result)))
    except Exception:
        error = traceback.format_exc()
    outcome = Outcome(task, result, error, perf_counter() - started)
    _write(outcome, where)
    return outcome


def _write(outcome: Outcome, where: Path | None) -> None:
    if where is None:
        return
    task = outcome.task
    entry = {
        "function": task.function,
        "arguments": task.arguments,
        "version": task.version,
        "seconds": outcome.seconds,
        "error": outcome.error,
        "result": outcome.result,
    }
    write_whole(where / f"{task.key}.json", json_text(entry, indent=None))


def kept(task: Task, where: Path | None) -> Outcome | None:
    """The outcome an earlier run has kept; None where there is none, it cannot be read, or the task failed."""
    if where is None:
        return None
    try:
        entry = json.loads((where / f"{task.key}.json").read_text(encoding="utf-8"))
        outcome = Outcome(task, entry["result"], entry["error"], float(entry["seconds"]), kept=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return outcome if outcome.error is None else None
