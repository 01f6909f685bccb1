"""The benchmark judged: a task against itself is never called faster, and a planted slowdown is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.speed_studies.contestants import MOST_TIMES
from benchmarks.speed_studies.resident import SAMPLE_SECONDS, ResidentArm, ResidentProcess, Task
from benchmarks.timing import SpeedComparison, compare_speed

SLOWDOWN = 0.10
RUNS = 20
"""Comparisons of each kind."""

MOST_FALSE, LEAST_SAME, LEAST_FOUND = 1, 15, 18
"""Of 20: a difference where there is none; "no demonstrable difference" there; the planted slowdown found."""

NETWORK, BATCH = "784-100-50-10", 100


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
    """The verdicts of all runs.

    Attributes:
        same: of a task against itself.
        slowed: of a task that takes a tenth longer, against the task.
    """

    same: list[SpeedComparison]
    slowed: list[SpeedComparison]

    @staticmethod
    def words(comparisons: list[SpeedComparison]) -> Counter[str]:
        """How often each verdict was given."""
        return Counter(comparison.ratios[0].verdict for comparison in comparisons)

    @property
    def passed(self) -> bool:
        """True where all three limits hold, in proportion to the number of runs."""
        same, slowed, share = self.words(self.same), self.words(self.slowed), len(self.same) / RUNS
        return (
            same["faster"] + same["slower"] <= MOST_FALSE * share
            and same["no demonstrable difference"] >= LEAST_SAME * share
            and slowed["slower"] >= LEAST_FOUND * share
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        kinds = {"same": self.same, "slowed": self.slowed}
        return {name: [comparison.to_dict() for comparison in own] for name, own in kinds.items()}

    def lines(self) -> list[str]:
        """The counts, and whether they are enough."""
        return [
            f"{'PASSED' if self.passed else 'FAILED'}: {len(self.same)} comparisons of each kind",
            f"a task against itself: {_counted(self.words(self.same))}",
            f"a task that takes {SLOWDOWN:.0%} longer: {_counted(self.words(self.slowed))}",
        ]


def _counted(words: Counter[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in words.most_common())


def run(runs: int = RUNS, blocks: int = 15, show: Callable[[str], None] | None = None) -> SelfProof:
    """Compare a training step with itself, and with one that takes a tenth longer, each in a process of its own."""
    limits = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")}
    same, slowed = [], []
    with ResidentProcess(limits, 0.0) as first, ResidentProcess(limits, 0.0) as second:
        base = ResidentArm(first, f"{__name__}:step", ())
        twin, slow = (ResidentArm(second, f"{__name__}:step", given) for given in ((), (SLOWDOWN,)))
        for number in range(runs):
            for found, rival in ((same, twin), (slowed, slow)):
                if show:
                    show(f"comparison {number + 1} of {runs}")
                found.append(
                    compare_speed(
                        {"A": base, "B": rival},
                        blocks=blocks,
                        most_blocks=MOST_TIMES * blocks,
                        minimum_sample_seconds=SAMPLE_SECONDS,
                        warmup_seconds=0.1,
                    )
                )
    return SelfProof(same, slowed)
