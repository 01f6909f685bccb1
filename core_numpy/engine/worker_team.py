"""When worker processes compute the shards of a batch: when they are asked for, or where they have proved faster."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core_numpy.engine.worker_process import WorkerProcess

WORKERS = ("auto", "threads", "processes")
"""Who computes the shards of a batch besides the caller. All give the same bits."""

WORTH_SECONDS = 1.0
"""Work of threads after which "auto" starts processes: shorter work ends before they would be ready."""

TRIALS = 6
"""Calls of either kind after which "auto" keeps the faster one for calls of their size.

Whether processes pay depends on the processor: threads that wait for the interpreter's lock cost little where both
cores share their arithmetic units.
"""

GAIN = 0.97
"""Share of the threads' time that processes must stay below."""


class WorkerTeam:
    """The worker processes of one network, one for each shard but the caller's.

    Args:
        workers: one of :data:`WORKERS`.
        members: how many processes.
        make_server: makes what answers in each; see :class:`WorkerProcess`.
        *arguments: of ``make_server``.
    """

    def __init__(self, workers: str, members: int, make_server: Callable[..., Any], *arguments: Any) -> None:
        self.workers = workers
        self._members, self._make_server, self._arguments = members, make_server, arguments
        self._team: list[WorkerProcess] = []
        self._one_caller = threading.Lock()
        self._worked = 0.0
        self._trials: dict[object, tuple[list[float], list[float]]] = {}
        self._choice: dict[object, bool] = {}

    @property
    def process_ids(self) -> list[int]:
        """Of the processes that run at this moment."""
        return [worker.process_id for worker in self._team]

    @contextmanager
    def borrow(self, size: object) -> Iterator[list[WorkerProcess] | None]:
        """The processes while nobody else has them; None where threads have to compute.

        What happens inside is timed. Where it fails before all processes have answered, they are ended: their answers
        would be taken for the next call's.

        Args:
            size: what calls of about the same length have in common.
        """
        if self.workers == "threads" or not self._one_caller.acquire(blocking=False):
            yield None
            return
        team = None
        try:
            team = self._team if self._are_wanted(size) else None
            began = perf_counter()
            yield team
            if self.workers == "auto":
                self._learn(size, team is not None, perf_counter() - began)
        except BaseException:
            if team is not None:
                self.end()
            raise
        finally:
            self._one_caller.release()

    def _are_wanted(self, size: object) -> bool:
        # A process that cannot start is told by the first call that waits for it, and replaced by the next
        if self.workers == "processes":
            if not self._team:
                self._start()
            return bool(self._team) and all([worker.is_ready(wait=True) for worker in self._team])
        if not self._choice.get(size, True):
            return False
        if not self._has_started():
            return False
        if size in self._choice:
            return True
        threads, processes = self._trials.setdefault(size, ([], []))
        return len(processes) <= len(threads)

    def _has_started(self) -> bool:
        """Whether there has been work enough and all processes answer; where one cannot start, threads go on."""
        try:
            if not self._team and self._worked > WORTH_SECONDS:
                self._start()
            return bool(self._team) and all([worker.is_ready() for worker in self._team])
        except RuntimeError:
            self.workers = "threads"
            self.end()
            return False

    def _learn(self, size: object, by_processes: bool, seconds: float) -> None:
        """Take note of a call's time, and choose where enough is known."""
        self._worked += seconds
        if size in self._choice or size not in self._trials:
            return
        times = self._trials[size]
        times[by_processes].append(seconds)
        if min(map(len, times)) < TRIALS:
            return
        # The first ones make their plans and buffers
        threads, processes = (median(found[1:]) for found in self._trials.pop(size))
        self._choice[size] = processes < GAIN * threads
        if not self._trials and not any(self._choice.values()):
            self.workers = "threads"
            self.end()

    def _start(self) -> None:
        # Most models never need it
        from core_numpy.engine.worker_process import WorkerProcess, can_start

        if not can_start():
            self.workers = "threads"
            return
        try:
            self._team = [WorkerProcess(self._make_server, *self._arguments) for _ in range(self._members)]
        except OSError:
            # No more processes or files for this user: threads need neither
            self.workers = "threads"

    def end(self) -> None:
        """End the processes; a call that is worth it starts others."""
        team, self._team = self._team, []
        for worker in team:
            worker.end()
