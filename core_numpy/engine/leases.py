"""Who may use a model at this moment: a few readers at once, each with buffers of its own, or one writer alone."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic

from core_numpy.engine.plan_cache import PlanCache

IDLE_BYTES = 32 << 20
"""Bytes one plan cache keeps between calls, where the plans of its last call do not need more by themselves."""

_CHECK_SECONDS = 0.1


_FORK_SECONDS = 5.0
"""How long a fork waits for calls that are at work."""

_ALL: weakref.WeakSet[Leases] = weakref.WeakSet()
_REGISTERING = threading.Lock()


class Leases:
    """Lends plan caches to callers: each has one to itself, so no thread writes into another one's buffers.

    Whoever comes while all are lent waits, and those who wait are served in the order they came: a thread that calls in
    a loop keeps nobody out. The cache that was given back last is lent first: one thread alone always works in the
    same, warm buffers.

    Args:
        readers: how many callers may compute at once.
    """

    def __init__(self, readers: int) -> None:
        self._readers = readers
        self._idle = [PlanCache() for _ in range(readers)]
        self._everyone = [weakref.ref(cache) for cache in self._idle]
        self._returned = threading.Condition()
        self._queue: list[object] = []
        self._waiting = 0
        self._paused = False
        with _REGISTERING:
            _ALL.add(self)

    def reading(self) -> _Reading:
        """``with leases.reading() as plans:`` - a plan cache for one call, while no writer is at work."""
        return _Reading(self)

    def writing(self, held: int = 0) -> _Writing:
        """``with leases.writing():`` - wait until nobody reads, and keep readers out: variables may be changed.

        There may be one writer at a time; a model's training lock takes care of that.

        Args:
            held: leases the calling thread holds itself.
        """
        return _Writing(self, self._readers - held)

    def take(self) -> PlanCache:
        """A cache nobody else uses, as soon as there is one and no fork is about to happen."""
        cache = self._take_in_turn()
        # Asked after taking, as pause looks at what is taken after asking to pause: one of the two sees the other
        while self._paused:
            self.put_back([cache])
            self._wait_for_fork()
            cache = self._take_in_turn()
        return cache

    def _take_in_turn(self) -> PlanCache:
        if not self._queue:
            try:
                return self._idle.pop()
            except IndexError:
                pass
        taken: list[PlanCache] = []
        try:
            self.take_several(taken, 1)
        except BaseException:
            self.put_back(taken)
            raise
        return taken[0]

    def take_several(self, taken: list[PlanCache], count: int) -> None:
        """Add caches to ``taken`` until there are ``count``, before a fork too: who is at work must be able to end.

        What has been taken when an exception comes is in the list.
        """
        ticket = object()
        with self._returned:
            try:
                self._waiting += 1
                self._queue.append(ticket)
                while len(taken) < count:
                    if self._queue[0] is ticket and self._idle:
                        with suppress(IndexError):  # somebody who saw no queue was faster
                            taken.append(self._idle.pop())
                    elif not self._returned.wait(_CHECK_SECONDS):
                        self._replace_lost()
            finally:
                self._waiting -= 1
                if ticket in self._queue:
                    self._queue.remove(ticket)
                self._returned.notify_all()

    def give_back(self, cache: PlanCache) -> None:
        """Let others have this cache."""
        cache.end_call(IDLE_BYTES)
        self._idle.append(cache)
        if self._waiting:
            self._wake()

    def put_back(self, caches: Iterable[PlanCache]) -> None:
        """Let others have these caches, which were taken and not used."""
        self._idle.extend(caches)
        if self._waiting:
            self._wake()

    def _wake(self) -> None:
        with self._returned:
            self._returned.notify_all()

    def _wait_for_fork(self) -> None:
        with self._returned:
            self._waiting += 1
            try:
                while self._paused:
                    self._returned.wait(_CHECK_SECONDS)
            finally:
                self._waiting -= 1

    def pause(self, deadline: float) -> None:
        """Let no call begin, and wait until those at work have ended, or until ``deadline`` of the monotonic clock."""
        self._paused = True
        with self._returned:
            self._waiting += 1
            try:
                while len(self._idle) < self._readers and monotonic() < deadline:
                    self._returned.wait(_CHECK_SECONDS)
            finally:
                self._waiting -= 1

    def resume(self) -> None:
        """Let calls begin again."""
        self._paused = False
        self._wake()

    def _replace_lost(self) -> None:
        """A thread interrupted between taking a cache and using it (Ctrl-C) never gives it back: make another one."""
        for at, known in enumerate(self._everyone):
            if known() is None:
                cache = PlanCache()
                self._everyone[at] = weakref.ref(cache)
                self._idle.append(cache)

    @property
    def idle_bytes(self) -> int:
        """Bytes of all buffers that are kept and not in use."""
        return sum(cache.nbytes for cache in list(self._idle))


class _Reading:
    """One cache for one call. A class costs a third of what a generator does."""

    __slots__ = ("_cache", "_leases")

    def __init__(self, leases: Leases) -> None:
        self._leases = leases

    def __enter__(self) -> PlanCache:
        self._cache = self._leases.take()
        return self._cache

    def __exit__(self, *error: object) -> None:
        self._leases.give_back(self._cache)


class _Writing:
    """All caches, so that nobody else has one."""

    __slots__ = ("_count", "_leases", "_taken")

    def __init__(self, leases: Leases, count: int) -> None:
        self._leases, self._count = leases, count

    def __enter__(self) -> None:
        leases = self._leases
        taken: list[PlanCache] = []
        self._taken = taken
        try:
            if self._count:
                leases.take_several(taken, self._count)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *error: object) -> None:
        # In the order they were in, the one used last on top
        self._leases.put_back(reversed(self._taken))


def _pause_all() -> None:
    """A child in which a thread of its parent was inside BLAS would wait for that thread's locks for ever."""
    deadline = monotonic() + _FORK_SECONDS
    with _REGISTERING:
        everyone = list(_ALL)
    for leases in everyone:
        leases.pause(deadline)


def _resume_all() -> None:
    with _REGISTERING:
        everyone = list(_ALL)
    for leases in everyone:
        leases.resume()


def _forget_all() -> None:
    """In the child: its models make leases of their own."""
    global _REGISTERING
    _REGISTERING = threading.Lock()
    _ALL.clear()


def hold_calls_during_forks() -> None:
    """Let forks wait for calls from now on; said again, it waits before everything that was registered meanwhile."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_pause_all, after_in_parent=_resume_all, after_in_child=_forget_all)


hold_calls_during_forks()
