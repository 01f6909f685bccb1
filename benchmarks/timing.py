"""Fair timing of one task done in several ways: interleaved samples, and a ratio with its interval."""

from __future__ import annotations

import gc
import math
import numbers
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.tables import Table
from benchmarks.unfinished_work import need_work_done
from model_spec.names import nearest, shown
from model_spec.validation import positive_integer, positive_real

MARGIN = 0.05
"""Ratios within 5 % of 1 are not worth a word: "no demonstrable difference"."""

PRECISION = 0.025
"""Half the width of an interval that is narrow enough to decide whether a ratio lies within the margin."""

CLEAR = 1.15
"""An interval beyond this ratio needs not be narrow."""

_TRIMMED = 0.2
"""Share of the blocks left out at either end: what the machine disturbed."""

_MORE_BLOCKS = 5

_FEWEST_PROCESSES = 3
"""Two say nothing about how far a third one would be: their interval spans a factor of ten for a percent apart."""

Arm = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True)
class ArmTiming:
    """The samples of one arm.

    Attributes:
        samples: seconds per call, one entry a sample, two samples a block.
        calls_per_sample: calls in the inner loop of each sample.
        median: median of the samples.
        mad: median absolute deviation of the samples from their median.
    """

    samples: tuple[float, ...]
    calls_per_sample: int
    median: float
    mad: float


@dataclass(frozen=True, repr=False)
class SpeedRatio:
    """How fast one arm is, compared with the first: :attr:`times_as_fast`, which is what is printed.

    Attributes:
        arm: the arm in question.
        baseline: the first arm.
        ratio: SECONDS of the arm over those of the baseline, the trimmed mean over blocks of its logarithm, as records
            keep it; below 1 is faster.
        low: lower end of its 95 % bootstrap interval.
        high: upper end.
        verdict: see :func:`verdict`.
    """

    arm: str
    baseline: str
    ratio: float
    low: float
    high: float
    verdict: str

    def __str__(self) -> str:
        words = {"faster": "faster than", "slower": "slower than"}.get(self.verdict, f"{self.verdict} from")
        if self.verdict == "inconclusive":
            words = "inconclusive against"
        times, low, high = self.times_as_fast
        return f"{self.arm}: {words} {self.baseline}, {times:.3g} times as fast (95 % {low:.3g} to {high:.3g})"

    __repr__ = __str__

    @property
    def times_as_fast(self) -> tuple[float, float, float]:
        """(times as fast as the baseline, low, high); above 1 is faster."""
        return 1 / self.ratio, 1 / self.high, 1 / self.low


@dataclass(frozen=True, repr=False)
class SpeedComparison:
    """All arms, and each later arm compared with the first."""

    arms: dict[str, ArmTiming]
    ratios: tuple[SpeedRatio, ...]
    blocks: int

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        arms = {name: {**asdict(arm), "samples": list(arm.samples)} for name, arm in self.arms.items()}
        return {"blocks": self.blocks, "arms": arms, "ratios": [asdict(ratio) for ratio in self.ratios]}

    def times_as_fast(self, arm: str) -> tuple[float, float, float]:
        """(times as fast as the first arm, low, high), above 1 is faster; (1.0, 1.0, 1.0) for the first arm itself.

        Raises:
            ValueError: an arm that was not timed.
        """
        for ratio in self.ratios:
            if ratio.arm == arm:
                return ratio.times_as_fast
        if arm not in list(self.arms):
            raise ValueError(f"unknown arm {shown(arm)}{nearest(arm, self.arms)}; known are {', '.join(self.arms)}")
        return 1.0, 1.0, 1.0

    def table(self, title: str = "") -> Table:
        """A row an arm: its median and spread, and how many times as fast as the first it is."""
        table = Table(["", "median ms", "MAD", "times as fast", "95 %", "verdict"], title=title)
        against = {ratio.arm: ratio for ratio in self.ratios}
        for name, arm in self.arms.items():
            row = [name, f"{arm.median * 1e3:.3f}", f"{arm.mad * 1e3:.3f}"]
            beside = ["", "", ""]
            if name in against:
                times = self.times_as_fast(name)
                beside = [f"{times[0]:.3f}", f"{times[1]:.3f} to {times[2]:.3f}", against[name].verdict]
            table.rows.append([*row, *beside])
        return table

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __str__(self) -> str:
        lines = [
            f"{name}: {arm.median:.4g} s a call, MAD {arm.mad:.2g}, {len(arm.samples)} samples"
            for name, arm in self.arms.items()
        ]
        return "\n".join([*lines, *(str(ratio) for ratio in self.ratios)])

    __repr__ = __str__


def compare_speed(
    arms: Mapping[str, Arm],
    *,
    blocks: int = 15,
    most_blocks: int | None = None,
    minimum_sample_seconds: float = 0.05,
    warmup_seconds: float = 0.5,
    before_block: Callable[[], None] | None = None,
    clock: Clock = time.perf_counter,
) -> SpeedComparison:
    """Time the arms against each other and say which is faster, where that can be said.

    Every arm is warmed up (at least 3 calls and ``warmup_seconds``). Samples are taken in blocks, A B B A, so that a
    machine that grows slower or faster treats all arms alike; garbage collection is off during a sample. The interval
    is a bootstrap over blocks of the log-ratio within a block, whose partners ran side by side.

    Args:
        arms: {name: function without arguments}; the first is the baseline. An arm must finish its work before it
            returns (for TensorFlow: fetch the result).
        blocks: number of A B B A blocks, at least 5: fewer carry no 95 % interval.
        most_blocks: take more blocks, up to this number, until every interval is narrow (``PRECISION``) or far from 1
            (``CLEAR``); None takes ``blocks`` of them. Whether a difference shows has no say in when to stop.
        minimum_sample_seconds: calls are repeated within a sample until it takes this long.
        warmup_seconds: least time of warm-up for each arm.
        before_block: called before every block, say to start the arms' processes afresh: where a process' memory lies
            makes it faster or slower for all its life, and only new ones draw that anew.
        clock: returns seconds; for tests.

    Raises:
        ValueError: no arms, one that returns a coroutine or generator, or an argument out of range.
        ImportError: two or more arms and no scipy.
    """
    if not arms:
        raise ValueError("no arms were given; give at least one function to time, {'name': function}")
    if isinstance(blocks, bool) or not isinstance(blocks, numbers.Integral) or blocks < 5:
        raise ValueError(f"blocks must be an integer of at least 5, got {shown(blocks)}; fewer carry no 95 % interval")
    if most_blocks is not None and positive_integer("most_blocks", most_blocks) < blocks:
        raise ValueError(f"most_blocks must be at least blocks, {blocks}, got {most_blocks}")
    positive_real("minimum_sample_seconds", minimum_sample_seconds)
    positive_real("warmup_seconds", warmup_seconds)
    bootstrap = _bootstrap() if len(arms) > 1 else None

    calls = {}
    for name, arm in arms.items():
        _warm_up(name, arm, warmup_seconds, clock)
        calls[name] = _calibrate(arm, minimum_sample_seconds, clock)

    samples: dict[str, list[float]] = {name: [] for name in arms}
    order = [*arms, *reversed(list(arms))]
    baseline, *others = arms
    taken, wanted = 0, blocks
    while True:
        for _ in range(wanted - taken):
            if before_block is not None:
                before_block()
            for name in order:
                samples[name].append(_sample(arms[name], calls[name], clock) / calls[name])
        taken = wanted
        timings = {name: _summarise(samples[name], calls[name]) for name in arms}
        ratios = tuple(_compare(name, baseline, timings, bootstrap) for name in others)
        wanted = min(taken + _MORE_BLOCKS, most_blocks or blocks)
        if wanted <= taken or all(_is_settled(ratio) for ratio in ratios):
            return SpeedComparison(timings, ratios, taken)


def pooled(comparisons: Sequence[SpeedComparison]) -> SpeedComparison:
    """One comparison from several of the same arms, each taken with processes of its own.

    Where a process' memory lies makes it faster or slower for all its life, and no block inside it shows that. So a
    ratio has the wider one of two intervals: that over all blocks, and Student's over the processes, of which three or
    more say something.

    Raises:
        ValueError: none, or comparisons of different arms.
    """
    if not comparisons or len({tuple(one.arms) for one in comparisons}) > 1:
        raise ValueError(
            f"expected one or more comparisons of the same arms, got {[list(one.arms) for one in comparisons]}"
        )
    if len(comparisons) == 1:
        return comparisons[0]
    baseline, *others = comparisons[0].arms
    timings = {
        name: _summarise(
            [sample for one in comparisons for sample in one.arms[name].samples],
            comparisons[0].arms[name].calls_per_sample,
        )
        for name in comparisons[0].arms
    }
    bootstrap = _bootstrap()
    within = [_compare(name, baseline, timings, bootstrap) for name in others]
    ratios = tuple(_wider(ratio, [one.ratios[at].ratio for one in comparisons]) for at, ratio in enumerate(within))
    return SpeedComparison(timings, ratios, sum(one.blocks for one in comparisons))


def _wider(ratio: SpeedRatio, of_processes: Sequence[float]) -> SpeedRatio:
    """The ratio with its interval, or with that of the mean of these, whichever is wider."""
    logs = np.log(of_processes)
    if len(logs) < _FEWEST_PROCESSES or np.ptp(logs) == 0:
        return ratio
    from scipy.stats import t

    reach = float(t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / math.sqrt(len(logs)))
    if 2 * reach <= math.log(ratio.high / ratio.low):
        return ratio
    middle = float(logs.mean())
    low, high = math.exp(middle - reach), math.exp(middle + reach)
    return SpeedRatio(ratio.arm, ratio.baseline, math.exp(middle), low, high, verdict(low, high))


def _is_settled(ratio: SpeedRatio) -> bool:
    """True where more blocks would not help: the interval is narrow, or far from 1."""
    narrow = math.log(ratio.high / ratio.low) <= 2 * PRECISION
    return narrow or ratio.low > CLEAR or ratio.high < 1 / CLEAR


def verdict(low: float, high: float) -> str:
    """Return the word for a 95 % interval of a ratio.

    A difference is named where the interval leaves 1 out and its middle lies beyond the margin: one interval in twenty
    leaves 1 out by chance, but not by as much.

    >>> verdict(0.4, 0.6), verdict(1.8, 2.2), verdict(0.98, 1.03), verdict(0.9, 1.2), verdict(1.01, 1.07)
    ('faster', 'slower', 'no demonstrable difference', 'inconclusive', 'inconclusive')
    """
    middle = math.sqrt(low * high)
    if 1 - MARGIN <= low and high <= 1 + MARGIN:
        return "no demonstrable difference"
    if high < 1 and middle < 1 - MARGIN:
        return "faster"
    return "slower" if low > 1 and middle > 1 + MARGIN else "inconclusive"


def _warm_up(name: str, arm: Arm, seconds: float, clock: Clock) -> None:
    start, done = clock(), 0
    while done < 3 or clock() - start < seconds:
        need_work_done(name, arm(), returned=True)
        done += 1


def _calibrate(arm: Arm, minimum_seconds: float, clock: Clock) -> int:
    """Calls for which one sample takes at least ``minimum_seconds``."""
    calls = 1
    while (seconds := _sample(arm, calls, clock)) < minimum_seconds:
        # A tenth more than needed, so that ordinary jitter does not fall below; at most ten times as many, because
        # the first guesses rest on hardly more than the clock's resolution.
        wanted = calls * minimum_seconds / seconds * 1.1 if seconds > 0 else math.inf
        calls = min(max(math.ceil(wanted), calls + 1), calls * 10) if math.isfinite(wanted) else calls * 10
    return calls


def _sample(arm: Arm, calls: int, clock: Clock) -> float:
    """Seconds for ``calls`` calls in a row; an arm that runs elsewhere takes its own time."""
    elsewhere = getattr(arm, "sample", None)
    if elsewhere is not None:
        return float(elsewhere(calls))
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = clock()
        for _ in range(calls):
            arm()
        return clock() - start
    finally:
        if collecting:
            gc.enable()


def _summarise(samples: list[float], calls: int) -> ArmTiming:
    median = float(np.median(samples))
    mad = float(np.median(np.abs(np.asarray(samples) - median)))
    return ArmTiming(tuple(samples), calls, median, mad)


def _compare(arm: str, baseline: str, timings: dict[str, ArmTiming], bootstrap: Any) -> SpeedRatio:
    # The two samples of a block are averaged as logarithms: A B B A then cancels a steady drift of the machine.
    logs = {name: np.log(timings[name].samples).reshape(-1, 2).mean(axis=1) for name in (arm, baseline)}
    log_ratios = logs[arm] - logs[baseline]
    if np.ptp(log_ratios) == 0:
        middle = low = high = float(log_ratios[0])
    else:
        # Trimmed, with the percentile method: a few blocks that the machine disturbed move neither.
        middle = float(_middle(log_ratios))
        interval = bootstrap(
            (log_ratios,), _middle, confidence_level=0.95, method="percentile", rng=np.random.default_rng(0)
        ).confidence_interval
        low, high = float(interval.low), float(interval.high)
    low, high = math.exp(low), math.exp(high)
    return SpeedRatio(arm, baseline, math.exp(middle), low, high, verdict(low, high))


def _middle(values: Any, axis: int = -1) -> Any:
    from scipy.stats import trim_mean

    return trim_mean(values, _TRIMMED, axis=axis)


def _bootstrap() -> Any:
    try:
        from scipy.stats import bootstrap
    except ImportError:
        raise ImportError('comparing speeds needs scipy: pip install "crosscheck[data]"') from None
    return bootstrap
