"""A batch in shards, one a thread, each shard in chunks that fit the cache; BLAS gets one thread meanwhile.

The number of shards is configuration, not the number of threads: sums are taken in the order of shards, so any number
of threads gives the same bits.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from core_numpy.contract import Array
from core_numpy.engine.all_reduce import AllReduce, ShardHandle
from core_numpy.engine.leases import hold_calls_during_forks

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Result = TypeVar("Result")


def shard_bounds(examples: int, shards: int) -> list[tuple[int, int]]:
    """(start, stop) of each shard; none is empty, and the first ones take what is left over."""
    shards = max(1, min(shards, examples))
    size, rest = divmod(examples, shards)
    edges = [at * size + min(at, rest) for at in range(shards + 1)]
    return list(zip(edges[:-1], edges[1:], strict=True))


def chunk_bounds(start: int, stop: int, chunk: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of chunks of ``chunk`` rows; the last one may be smaller."""
    for at in range(start, stop, chunk):
        yield at, min(at + chunk, stop)


def usable_threads() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ShardThreads:
    """Runs one task a shard; the calling thread takes its share.

    Args:
        threads: how many run at once.
        one_blas_thread: give BLAS one thread meanwhile.
    """

    def __init__(self, threads: int, one_blas_thread: bool) -> None:
        self.threads = threads
        self.one_blas_thread = one_blas_thread
        self._pool: ThreadPoolExecutor | None = None
        self._making = threading.Lock()
        self._one_reduction = threading.Lock()

    def run(self, task: Callable[[int], Result], count: int) -> list[Result]:
        """Results of task(0), task(1), ..., in this order."""
        with single_threaded_blas() if self.one_blas_thread else nullcontext():
            if self.threads == 1 or count == 1:
                return [task(at) for at in range(count)]
            others = [self._helpers().submit(task, at) for at in range(1, count)]
            return [task(0), *(other.result() for other in others)]

    def run_all_reduce(self, task: Callable[[int, ShardHandle], Result], count: int, examples: int) -> list[Result]:
        """Results of task(0, handle), task(1, handle), ...: they wait for each other, so each has a thread of its own.

        No more than ``threads`` of them compute at once.
        """
        all_reduce = AllReduce(count, examples, self.threads)

        def run(shard: int) -> Result:
            with all_reduce.join(shard) as handle:
                return task(shard, handle)

        # Shards of two batches at once could wait for each other's threads
        with ExitStack() as stack, self._one_reduction:
            if self.one_blas_thread:
                stack.enter_context(single_threaded_blas())
            pool = self._helpers() if self.threads >= count else stack.enter_context(_pool(count - 1))
            others = [pool.submit(run, at) for at in range(1, count)]
            return [run(0), *(other.result() for other in others)]

    def _helpers(self) -> ThreadPoolExecutor:
        """The other threads, started when they are first needed: a program that shows one image does without."""
        with self._making:
            if self._pool is None:
                self._pool = _pool(self.threads - 1)
            return self._pool


def _pool(threads: int) -> ThreadPoolExecutor:
    return _pools()(threads, "crosscheck-shard")


@cache
def _pools() -> type[ThreadPoolExecutor]:
    """The class of thread pools, loaded when it is first needed."""
    from concurrent.futures import ThreadPoolExecutor

    # Its own hook closes a lock before a fork that a call at work may need: such calls must have ended before that
    hold_calls_during_forks()
    return ThreadPoolExecutor


class SingleThreadedBlas:
    """Gives BLAS one thread while anybody is inside.

    Products of one chunk are too small to share, and shards have threads of their own. The number of threads belongs
    to the whole process, so those inside are counted: the first one in sets it, and the last one out gives back what
    was there. Without threadpoolctl nothing changes; set OPENBLAS_NUM_THREADS=1 then. A forked child has none of the
    threads that were inside: it starts anew, with BLAS as it was before them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: Any = None
        try:
            from threadpoolctl import ThreadpoolController
        except ImportError:
            self._controller = None
        else:
            self._controller = ThreadpoolController().select(user_api="blas")
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._start_anew)

    def _start_anew(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        if self._limit is not None:
            self._limit.restore_original_limits()
            self._limit = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1 and self._controller is not None:
                self._limit = self._controller.limit(limits=1)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._limit is not None:
                self._limit.restore_original_limits()
                self._limit = None


@cache
def single_threaded_blas() -> SingleThreadedBlas:
    """The one of this process."""
    return SingleThreadedBlas()


def add_in_order(parts: Sequence[dict[str, dict[str, Array]]]) -> dict[str, dict[str, Array]]:
    """Sum of the shards' gradients, {layer: {variable: gradient}}: the first one's, with the others added in order."""
    total, *others = parts
    for part in others:
        for layer, own in part.items():
            for name, gradient in own.items():
                np.add(total[layer][name], gradient, out=total[layer][name])
    return total
