"""Tasks timed in processes of their own, which stay alive: each with its threads, its BLAS kernels, its TensorFlow.

Two libraries in one process share its threads and each other's memory habits; in processes of their own they take
turns, sample by sample, and only one of them computes at a time. Threads go on spinning after their work, at the cost
of whoever comes next: so each sample ends with a pause until they sleep.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import TracebackType
from typing import Any

Task = Callable[[], object]

SETTLE_SECONDS = 0.25
"""The pause after oneDNN's threads (OpenMP) and onnxruntime's; measured: 0.20 s of spinning."""

BLAS_SETTLE_SECONDS = 0.15
"""The pause after OpenBLAS' threads; measured: 0.104 s of spinning (OpenBLAS 0.3.31, 2 cores).

One thread alone spins for nobody and needs none."""

SAMPLE_SECONDS = 0.1
"""Least length of a sample: shorter ones scatter more, and spend their time on pauses."""


class ResidentProcess:
    """One process that is asked to run tasks; use it in a ``with`` statement.

    Args:
        environment: variables set before anything is imported in it.
        settle_seconds: the pause after each sample, before somebody else's; None takes ``SETTLE_SECONDS``.
    """

    def __init__(self, environment: dict[str, str], settle_seconds: float | None = None) -> None:
        self.settle_seconds = SETTLE_SECONDS if settle_seconds is None else settle_seconds
        self._environment = environment
        self._pool = self._start()

    def _start(self) -> Any:
        from joblib.externals.loky import ProcessPoolExecutor

        return ProcessPoolExecutor(max_workers=1, env=self._environment, timeout=3600)

    def renew(self) -> None:
        """End the process; the next call starts another one, whose memory lies elsewhere."""
        self._pool.shutdown(kill_workers=True)
        self._pool = self._start()

    def call(self, function: str, *arguments: Any) -> Any:
        """Result of ``package.module:function`` called there; arguments and result are copied."""
        return self.begin(function, *arguments).result()

    def begin(self, function: str, *arguments: Any) -> Future[Any]:
        """The same without waiting for it."""
        return self._pool.submit(_call, function, arguments)  # type: ignore[no-any-return, unused-ignore]

    def __enter__(self) -> ResidentProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.shutdown(kill_workers=True)


@dataclass(frozen=True)
class ResidentArm:
    """One way to do a task, in a resident process: an arm of :func:`benchmarks.timing.compare_speed`.

    Attributes:
        process: where it runs.
        build: "package.module:function" that makes the task from ``arguments``; called once in the process.
        arguments: hashable values.
    """

    process: ResidentProcess
    build: str
    arguments: tuple[Any, ...]

    def __call__(self) -> None:
        self.sample(1)

    def begin(self, calls: int) -> Future[Any]:
        """Build the task where it is not there yet and run it, without waiting for it."""
        return self.process.begin(f"{__name__}:seconds_of", self.build, self.arguments, calls)

    def sample(self, calls: int) -> float:
        """Seconds for ``calls`` calls in a row, by the process' own clock."""
        seconds = self.begin(calls).result()
        time.sleep(self.process.settle_seconds)
        return float(seconds)

    def cpu_seconds(self, calls: int) -> float:
        """Processor seconds of all threads of the process for ``calls`` calls in a row."""
        seconds = self.process.call(f"{__name__}:cpu_seconds_of", self.build, self.arguments, calls)
        time.sleep(self.process.settle_seconds)
        return float(seconds)


@cache
def _task(build: str, arguments: tuple[Any, ...]) -> Task:
    task: Task = _find(build)(*arguments)
    return task


def seconds_of(build: str, arguments: tuple[Any, ...], calls: int) -> float:
    """Run a task some times, without garbage collection, and return the seconds.

    Of a task short enough to be called several times, one call before them is not timed: what lies in the caches is
    another task's.
    """
    task = _task(build, arguments)
    gc.collect()
    # What is alive now lives on: the next collection need not walk through all of TensorFlow, for a third of a second
    gc.freeze()
    if calls > 1:
        task()
    gc.disable()
    try:
        start = time.perf_counter()
        for _ in range(calls):
            task()
        return time.perf_counter() - start
    finally:
        gc.enable()


def cpu_seconds_of(build: str, arguments: tuple[Any, ...], calls: int) -> float:
    """Processor seconds of this process, all its threads together, for a task run some times."""
    task = _task(build, arguments)
    start = time.process_time()
    for _ in range(calls):
        task()
    return time.process_time() - start


def _call(function: str, arguments: tuple[Any, ...]) -> Any:
    return _find(function)(*arguments)


def _find(name: str) -> Callable[..., Any]:
    module, _, attribute = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), attribute)
    return found
