"""A worker process: it computes beside its parent, with an interpreter, and the lock of it, of its own.

Threads of one interpreter take turns in Python: two of them lose a quarter of a training step of images to that. A
process is started without ``multiprocessing``: nothing of the caller's main module is imported again, so scripts,
notebooks and threads may use it alike.
"""

from __future__ import annotations

import json
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from core_numpy.engine.layout import Array
from core_numpy.engine.shared_memory import MOST_LAYOUTS, ArrayLayout, SharedMemory

_START = (
    "import json, sys; path, *files = json.loads(sys.argv[1]); sys.path[:] = path; "
    "from core_numpy.engine.worker_process import serve; serve(*files)"
)
_ONE_BLAS_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")

_END_SECONDS = 1.0
"""What a worker that has closed its channel may take to end."""

_NO_FORKS = threading.Lock()
"""Held while a socket is open that no child of a fork may keep, or the end of a worker would go unnoticed."""

_ALL: weakref.WeakSet[WorkerProcess] = weakref.WeakSet()


class WorkerDied(RuntimeError):
    """A worker process ended in the middle of its work; the model is as it was before the call."""


class Request(NamedTuple):
    """One thing to compute.

    Attributes:
        inputs: names of the arrays it reads.
        results: names of the arrays it fills.
        layouts: shape and dtype of all of them, where the worker has not seen this list yet.
        number: of this list of layouts.
        arguments: what else there is to know.
        errors: NumPy's treatment of floating-point errors in the calling thread.
    """

    inputs: tuple[str, ...]
    results: tuple[str, ...]
    layouts: tuple[ArrayLayout, ...] | None
    number: int
    arguments: dict[str, Any]
    errors: Any


Server = Callable[..., Any]
"""What answers in a worker: ``server(inputs, results, **arguments)`` with two dicts of arrays."""


class Answer(NamedTuple):
    """What came of a request.

    Attributes:
        value: what the server returned; None where it failed.
        failure: the exception, or None.
        warned: (message, category) of each warning.
    """

    value: Any
    failure: BaseException | None
    warned: list[tuple[str, type[Warning]]]


def can_start() -> bool:
    """Whether this Python can start another one that inherits open files."""
    return sys.platform != "win32" and bool(sys.executable) and not getattr(sys, "frozen", False)


class WorkerProcess:
    """One worker, as its parent sees it. One caller at a time.

    It ends with its parent however that ends, with the object, or by :meth:`end`.

    Args:
        make_server: importable; makes the :data:`Server` in the worker.
        *arguments: of ``make_server``; they are pickled.

    Raises:
        OSError: no process could be started.
    """

    def __init__(self, make_server: Callable[..., Server], *arguments: Any) -> None:
        self._memory = SharedMemory()
        self._layouts: dict[tuple[ArrayLayout, ...], int] = {}
        self._ready = False
        with _NO_FORKS:
            mine, its_own = socket.socketpair()
            with mine, its_own:
                files = (its_own.fileno(), self._memory.descriptor)
                self._process = subprocess.Popen(
                    [sys.executable, "-c", _START, json.dumps([sys.path, *files])],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=files,
                    env={**os.environ, **_ONE_BLAS_THREAD},
                    start_new_session=True,
                )
                self._channel: BinaryIO = mine.makefile("rwb")  # type: ignore[assignment]
                self._descriptor = mine.fileno()
            _ALL.add(self)
        self.end = weakref.finalize(self, _end, self._process, self._channel, self._memory, os.getpid())
        """End the process; it is of no use afterwards."""
        self._send((make_server, arguments))

    @property
    def process_id(self) -> int:
        """Of the worker."""
        return self._process.pid

    def is_ready(self, wait: bool = False) -> bool:
        """Whether it has started; ``wait`` until it has.

        Raises:
            WorkerDied: it could not start.
        """
        if not self._ready and (wait or select.select([self._descriptor], [], [], 0)[0]):
            self._receive()
            self._ready = True
        return self._ready

    def begin(self, inputs: Mapping[str, Array], results: Mapping[str, ArrayLayout], arguments: dict[str, Any]) -> None:
        """Let it compute; :meth:`finish` has to be called next."""
        self.is_ready(wait=True)
        layouts = (*((value.shape, value.dtype.str) for value in inputs.values()), *results.values())
        number, told = self._layouts.get(layouts), None
        if number is None:
            if len(self._layouts) == MOST_LAYOUTS:
                self._layouts.clear()
                self._memory.forget()
            number = self._layouts[layouts] = len(self._layouts)
            told = layouts
        views = self._memory.arrays(layouts)
        for view, value in zip(views, inputs.values(), strict=False):
            np.copyto(view, value)
        self._results = dict(zip(results, views[len(inputs) :], strict=True))
        self._send(Request(tuple(inputs), tuple(results), told, number, arguments, np.geterr()))

    def finish(self) -> tuple[Any, dict[str, Array]]:
        """(what the server returned, {name: view of a result}); the views hold until the next call.

        Raises:
            WorkerDied: the process ended.
            Exception: what the server raised.
        """
        return self._receive(), self._results

    def _send(self, message: Any) -> None:
        try:
            pickle.dump(message, self._channel, pickle.HIGHEST_PROTOCOL)
            self._channel.flush()
        except OSError as error:
            raise self._died() from error

    def _receive(self) -> Any:
        try:
            answer: Answer = pickle.load(self._channel)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise self._died() from error
        for message, category in answer.warned:
            warnings.warn(message, category, stacklevel=2)
        if answer.failure is not None:
            raise answer.failure
        return answer.value

    def _died(self) -> WorkerDied:
        number = self.process_id
        # It has closed its end: its own way to end tells more than ours
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self.end()
        code = self._process.returncode
        how = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"
        return WorkerDied(
            f"worker process {number} of the NumPy engine ended ({how}) before it had answered; the model is as it was "
            f"before this call. Call again for a new worker, or take workers='threads'"
        )


def _end(process: subprocess.Popen[bytes], channel: BinaryIO, memory: SharedMemory, parent: int) -> None:
    """Close the channel and end the process; in a child of a fork the worker is somebody else's."""
    with suppress(OSError):  # what was to be written was for a worker that is gone
        channel.close()
    memory.close()
    if os.getpid() != parent:
        process.returncode = 0
        return
    process.kill()  # it has nothing to save
    process.wait()


def _end_all_in_child() -> None:
    global _NO_FORKS
    _NO_FORKS = threading.Lock()
    for worker in list(_ALL):
        worker.end()
    _ALL.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _NO_FORKS.acquire(),
        after_in_parent=lambda: _NO_FORKS.release(),
        after_in_child=_end_all_in_child,
    )


def serve(channel_descriptor: int, memory_descriptor: int) -> None:
    """The worker's side: answer requests until the parent closes the channel or is gone."""
    with socket.socket(fileno=channel_descriptor) as own:
        channel: BinaryIO = own.makefile("rwb")  # type: ignore[assignment]
    memory = SharedMemory(memory_descriptor)
    known: list[tuple[ArrayLayout, ...]] = []
    with suppress(EOFError, OSError):  # the parent has closed its end
        make_server, arguments = pickle.load(channel)
        server: Server = make_server(*arguments)
        _answer(channel, Answer(None, None, []))
        while True:
            request: Request = pickle.load(channel)
            if request.layouts is not None:
                if request.number == 0:
                    known.clear()
                    memory.forget()
                known.append(request.layouts)
            _answer(channel, _compute(server, request, memory.arrays(known[request.number])))


def _answer(channel: BinaryIO, answer: Answer) -> None:
    pickle.dump(answer, channel, pickle.HIGHEST_PROTOCOL)
    channel.flush()


def _compute(server: Server, request: Request, views: Sequence[Array]) -> Answer:
    inputs = dict(zip(request.inputs, views, strict=False))
    results = dict(zip(request.results, views[len(inputs) :], strict=True))
    with warnings.catch_warnings(record=True) as caught, np.errstate(**request.errors):
        warnings.simplefilter("always")
        value, failure = None, None
        try:
            value = server(inputs, results, **request.arguments)
        except Exception as error:
            failure = error
    return Answer(value, failure, [(str(warning.message), warning.category) for warning in caught])
