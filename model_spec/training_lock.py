"""One thread at a time may change a model: a second one gets an error instead of ruined weights."""

from __future__ import annotations

import os
import threading


class ModelInUseError(RuntimeError):
    """Another thread is training this model, or changing its weights."""


class TrainingLock:
    """Held while a model's variables change; the thread that holds it may take it again.

    A second thread does not wait: two trainings of one model have no meaningful order. A child process that was forked
    while a thread of its parent held the lock starts with a free one, as that thread does not exist there.

    Raises:
        ModelInUseError: on entering, where another thread is inside.

    Example:
        >>> lock = TrainingLock()
        >>> with lock, lock:
        ...     print("the same thread may enter again")
        the same thread may enter again
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        if self._process != os.getpid():
            self.__init__()  # type: ignore[misc]
        if not self._lock.acquire(blocking=False):
            raise ModelInUseError(
                "another thread is training this model or changing its weights; wait for it to end, or give each "
                "thread a model of its own: NumpyModel(model.spec, weights=model.weights)"
            )

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type[TrainingLock], tuple[()]]:
        # A copy of a model has a lock of its own
        return TrainingLock, ()
