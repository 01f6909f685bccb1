"""The benchmark judged: a task against itself is never called faster, and a planted slowdown is found."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks.speed_studies.worker_process import SAMPLE_SECONDS, ResidentArm, ResidentProcess, Task
from benchmarks.timing import SpeedComparison, compare_speed
from bridge.progress import Show, silent

SLOWDOWN = 0.10
RUNS = 20
"""Comparisons of each kind."""

MOST_FALSE, LEAST_SAME, LEAST_FOUND = 1, 15, 18
"""Of 20: a difference where there is none; "no demonstrable difference" there; the planted slowdown found."""

NETWORK, BATCH = "784-100-50-10", 100
BASE, SAME, SLOWED = "task", "the same task", "slowed task"
_WARM_UP_CALLS = 5
_MOST_TIMES = 4
"""Blocks are added until the intervals are narrow, up to this many times as many."""


def step(slower: float = 0.0) -> Task:
    """A training step, repeated ten times, or by this share more often."""
    from benchmarks.speed_studies.arms import numpy_step

    task = numpy_step(NETWORK, BATCH, "random", "auto", 1)
    calls = round(10 * (1 + slower))

    def repeated() -> None:
        for _ in range(calls):
            task()

    return repeated


@dataclass(frozen=True)
class SelfProof:
    """All runs, each of one task in three processes: as it is, as it is once more, and a tenth longer."""

    comparisons: list[SpeedComparison]

    def words(self, arm: str) -> Counter[str]:
        """How often each verdict was given to an arm beside the first."""
        return Counter(
            ratio.verdict for comparison in self.comparisons for ratio in comparison.ratios if ratio.arm == arm
        )

    @property
    def passed(self) -> bool:
        """True where all three limits hold, in proportion to the number of runs."""
        same, slowed, share = self.words(SAME), self.words(SLOWED), len(self.comparisons) / RUNS
        return (
            same["faster"] + same["slower"] <= MOST_FALSE * share
            and same["no demonstrable difference"] >= LEAST_SAME * share
            and slowed["slower"] >= LEAST_FOUND * share
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return {"comparisons": [comparison.to_dict() for comparison in self.comparisons]}

    def lines(self) -> list[str]:
        """The counts, and whether they are enough."""
        blocks = [comparison.blocks for comparison in self.comparisons]
        lines = [
            f"{'PASSED' if self.passed else 'FAILED'}: {len(blocks)} comparisons, "
            f"{min(blocks)} to {max(blocks)} blocks of fresh processes each"
        ]
        for arm, what in ((SAME, "a task against itself"), (SLOWED, f"a task that takes {SLOWDOWN:.0%} longer")):
            found = [ratio.ratio for one in self.comparisons for ratio in one.ratios if ratio.arm == arm]
            counted = ", ".join(f"{count} {word}" for word, count in self.words(arm).most_common())
            lines.append(f"{what}: {counted}; ratios {min(found):.3f} to {max(found):.3f}")
        return lines


def run(runs: int = RUNS, blocks: int = 15, show: Show = silent) -> SelfProof:
    """Compare a training step with itself, and with one that takes a tenth longer, each in a process of its own.

    Every block has fresh processes. One pair for a whole comparison was seen to differ by 38 % for all its life, doing
    the same work: where the memory of a process lies decides how its caches serve it.
    """
    limits = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")}
    comparisons = []
    with ExitStack() as stack:
        given = {BASE: (), SAME: (), SLOWED: (SLOWDOWN,)}
        processes = {name: stack.enter_context(ResidentProcess(limits, 0.0)) for name in given}
        arms = {name: ResidentArm(processes[name], f"{__name__}:step", given[name]) for name in given}

        def renew() -> None:
            for process in processes.values():
                process.renew()
            # They start side by side; nothing is timed yet
            for begun in [arm.begin(_WARM_UP_CALLS) for arm in arms.values()]:
                begun.result()

        for number in range(runs):
            show("comparisons", number, runs)
            comparisons.append(
                compare_speed(
                    arms,
                    blocks=blocks,
                    most_blocks=_MOST_TIMES * blocks,
                    minimum_sample_seconds=SAMPLE_SECONDS,
                    warmup_seconds=0.1,
                    before_block=renew,
                )
            )
    return SelfProof(comparisons)
