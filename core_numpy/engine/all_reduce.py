"""All-reduce: the shards of one batch sum what belongs to all of it, batch statistics and their gradients."""

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


class AllReduce:
    """Sums over shards that wait for each other, each in a thread of its own.

    Sums are taken in the order of shards, so that every shard gets the same bits, however many threads there are.

    Args:
        shards: how many take part.
        examples: of the whole batch.
        threads: how many compute at once; a shard that waits does not count.
    """

    def __init__(self, shards: int, examples: int, threads: int) -> None:
        self.examples = examples
        self._computing = threading.Semaphore(threads)
        self._barrier = threading.Barrier(shards)
        # Two buffers in alternation: no shard writes the next sum but one before all have read this one
        self._parts: tuple[list[Array | None], ...] = ([None] * shards, [None] * shards)
        self._failure: BaseException | None = None

    @contextmanager
    def join(self, shard: int) -> Iterator[ShardHandle]:
        """The handle of one shard while it computes; where it fails, those that wait fail too, with its error."""
        with self._computing:
            try:
                yield ShardHandle(self, shard)
            except BaseException as error:
                self._failure = self._failure or error
                self._barrier.abort()
                raise

    def add(self, call: int, shard: int, part: Array) -> Array:
        """The sum over all shards of their parts in this call."""
        parts = self._parts[call % 2]
        parts[shard] = part
        self._computing.release()
        try:
            self._barrier.wait()
        except threading.BrokenBarrierError:
            raise self._failure or RuntimeError("a shard of the batch has failed") from None
        finally:
            self._computing.acquire()
        first, *others = parts
        return sum(others, first)  # type: ignore[arg-type]


class ShardHandle:
    """What one shard sums through."""

    def __init__(self, all_reduce: AllReduce, shard: int) -> None:
        self.all_reduce, self.shard, self.calls = all_reduce, shard, 0

    @property
    def examples(self) -> int:
        """Of the whole batch."""
        return self.all_reduce.examples

    def sum(self, part: Array) -> Array:
        """The sum of every shard's part."""
        self.calls += 1
        return self.all_reduce.add(self.calls, self.shard, part)
