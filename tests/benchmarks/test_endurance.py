"""Endurance in small: a few kills, some steps, two at once; the long runs are ``crosscheck endure``."""

import pytest

from benchmarks import endurance, worker_kills
from benchmarks.commands import endure
from benchmarks.commands.common import run_directory


@pytest.mark.slow
def test_killed_trainings_end_with_the_same_bits():
    found = endurance.kills(3, seed=1)
    assert found["kills"] == 3
    assert found["unreadable"] == found["different"] == found["temporary_files"] == 0
    assert found["trainings"] >= 1


def test_memory_is_looked_at_twenty_times():
    found = endurance.memory(200)
    assert len(found["resident"]) == 20
    assert abs(found["growth"]) < 0.2


@pytest.mark.slow
def test_two_trainings_at_once_leave_two_results():
    found = endurance.together(2)
    assert found["exit_codes"] == [0, 0]
    assert found["complete"] == 2
    assert found["seeds"] == [0, 1]


@pytest.mark.slow
def test_killed_workers_leave_nothing_and_the_next_training_is_right():
    found = worker_kills.kills(2)
    assert found["different"] == found["orphans"] == found["shared_memory_left"] == 0


def test_what_did_not_hold_is_seen():
    assert not endure._held("kills", {"unreadable": 0, "different": 1, "temporary_files": 0})
    assert not endure._held("kills", {"unreadable": 0, "different": 0, "temporary_files": 1})
    assert not endure._held("parsers", {"weights": {"error": "IndexError"}})
    assert not endure._held("workers", {"different": 0, "orphans": 1, "shared_memory_left": 0, "told": 1})
    assert not endure._held("memory", {"growth": 0.03})
    assert not endure._held("together", {"complete": 8, "started": 8, "seeds": [0] * 8})
    assert endure._held("memory", {"growth": 0.01})


def test_run_directories_are_new(tmp_path):
    names = [run_directory(tmp_path / "runs", "lenet").name for _ in range(3)]
    assert names == ["lenet", "lenet-2", "lenet-3"]
