"""Where the shards of one batch add up what belongs to all of it: batch statistics and their gradients."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from core_numpy.contract import Array


class WholeBatch(Protocol):
    """What a block may ask of the whole batch while it works on its own shard.

    Attributes:
        examples: of all shards.
    """

    @property
    def examples(self) -> int: ...

    def sum(self, part: Array) -> Array:
        """The sum of every shard's part; every shard must ask equally often."""


class OneShard(NamedTuple):
    """A batch in one piece: its part is all there is."""

    examples: int

    def sum(self, part: Array) -> Array:
        """The part itself."""
        return part


class Meeting:
    """Shards that wait for each other, each in a thread of its own.

    Sums are taken in the order of shards, so that all leave with the same bits, however many threads there are.

    Args:
        shards: how many take part.
        examples: of the whole batch.
        threads: how many compute at once; who waits lets others on.
    """

    def __init__(self, shards: int, examples: int, threads: int) -> None:
        self.examples = examples
        self._turns = threading.Semaphore(threads)
        self._barrier = threading.Barrier(shards)
        # Two in turn: nobody comes to the next sum but one before all have read this one
        self._parts: tuple[list[Array | None], ...] = ([None] * shards, [None] * shards)
        self._failure: BaseException | None = None

    @contextmanager
    def place(self, shard: int) -> Iterator[Place]:
        """A shard's place, from its beginning to its end; where it fails, those that wait fail too, with its error."""
        with self._turns:
            try:
                yield Place(self, shard)
            except BaseException as error:
                self._failure = self._failure or error
                self._barrier.abort()
                raise

    def add(self, call: int, shard: int, part: Array) -> Array:
        """The sum over all shards of what they bring to this call."""
        parts = self._parts[call % 2]
        parts[shard] = part
        self._turns.release()
        try:
            self._barrier.wait()
        except threading.BrokenBarrierError:
            raise self._failure or RuntimeError("a shard has left the meeting") from None
        finally:
            self._turns.acquire()
        first, *others = parts
        return sum(others, first)  # type: ignore[arg-type]


class Place:
    """One shard's place in a meeting."""

    def __init__(self, meeting: Meeting, shard: int) -> None:
        self.meeting, self.shard, self.calls = meeting, shard, 0

    @property
    def examples(self) -> int:
        """Of the whole batch."""
        return self.meeting.examples

    def sum(self, part: Array) -> Array:
        """The sum of every shard's part."""
        self.calls += 1
        return self.meeting.add(self.calls, self.shard, part)
