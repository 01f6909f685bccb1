"""Shards that wait for each other: every sum is everybody's, in one order, and a failure is nobody's deadlock."""

import threading
import time

import numpy as np
import pytest

from core_numpy.engine.shards import ShardThreads

SHARDS, CALLS = 3, 40


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_shard_leaves_with_the_sum_of_all(threads):
    computing, most, lock = 0, 0, threading.Lock()
    drawn = np.random.default_rng(0).normal(size=(SHARDS, CALLS, 4)).astype(np.float32)

    def task(shard, handle):
        nonlocal computing, most
        assert handle.examples == 7
        found = []
        for part in drawn[shard]:
            with lock:
                computing += 1
                most = max(most, computing)
            time.sleep(1e-4)
            with lock:
                computing -= 1
            found.append(handle.sum(part))
        return np.array(found)

    results = ShardThreads(threads, one_blas_thread=False).run_all_reduce(task, SHARDS, examples=7)
    for result in results:
        np.testing.assert_array_equal(result, drawn[0] + drawn[1] + drawn[2])
    assert most <= threads


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("failing", range(SHARDS))
def test_where_one_fails_all_fail_with_its_error(threads, failing):
    def task(shard, handle):
        for call in range(CALLS):
            if (shard, call) == (failing, 11):
                raise ValueError("broken")
            handle.sum(np.ones(2))

    workers = ShardThreads(threads, one_blas_thread=False)
    with pytest.raises(ValueError, match="broken"):
        workers.run_all_reduce(task, SHARDS, examples=7)
    # The threads are free again
    assert len(workers.run_all_reduce(lambda shard, handle: handle.sum(np.ones(2)), SHARDS, examples=7)) == SHARDS
