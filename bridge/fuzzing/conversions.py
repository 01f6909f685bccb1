"""Random Keras models converted to NumPy and back: every output within its bound, every weight bit-equal."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bridge.conversion import to_keras, to_numpy
from bridge.fuzzing.random_keras_models import random_keras_model
from bridge.fuzzing.task_runner import Task, run_tasks, source_version
from bridge.progress import Show, silent
from model_spec.verdict import Verdict, combine

DTYPES = ("float32", "float64")

CHUNK = 10
"""Seeds a task: half a minute of work."""


@dataclass(frozen=True)
class Conversion:
    """One random model in one precision.

    Attributes:
        seed: of the model.
        dtype: of the model.
        largest: largest error over bound, there and back.
        problem: what is wrong with it, or "".
    """

    seed: int
    dtype: str
    largest: float
    problem: str = ""


def convert_random(seed: int, dtype: str, directory: Path) -> Conversion:
    """Convert the model of this seed to an ``.npz`` and to a ``.keras`` file, and read that again."""
    from keras_models import read

    model = random_keras_model(seed, dtype)
    there, back = directory / f"{seed}_{dtype}.npz", directory / f"{seed}_{dtype}.keras"
    first = to_numpy(model, there, seed=seed)
    if not first.passed:
        return Conversion(seed, dtype, first.worst.error_over_bound, f"to NumPy: {first}")
    second = to_keras(there, back, seed=seed)
    largest = max(first.worst.error_over_bound, second.worst.error_over_bound)
    if not second.passed:
        return Conversion(seed, dtype, largest, f"to Keras: {second}")
    expected, again = read(model).weights, read(back).weights
    for name, value in expected.items():
        if not np.array_equal(value, again[name]):
            return Conversion(seed, dtype, largest, f"{name} came back with other bits")
    return Conversion(seed, dtype, largest)


def convert_chunk(seed: int, count: int) -> list[dict[str, Any]]:
    """The conversions of the models of ``count`` seeds from this one on, in both precisions, as plain dicts."""
    from keras_models.runtime import keras, without_tracing_warnings

    found = []
    with tempfile.TemporaryDirectory() as directory, without_tracing_warnings():
        for number in range(seed, seed + count):
            found += [vars(convert_random(number, dtype, Path(directory))) for dtype in DTYPES]
        # Keras keeps every traced function otherwise
        keras.backend.clear_session()
    return found


@dataclass
class ConversionCampaign:
    """What a campaign has found.

    Attributes:
        conversions: one a model and precision.
        failed: tracebacks of chunks that could not be run.
    """

    conversions: list[Conversion] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """True where something was converted and everything agrees."""
        return self.verdict == Verdict.AGREE

    @property
    def verdict(self) -> Verdict:
        """AGREE, DIFFER, FAILED where some chunk could not be run, or NOTHING COMPARED."""
        found = [Verdict.DIFFER if one.problem else Verdict.AGREE for one in self.conversions]
        return combine(found + [Verdict.FAILED for _ in self.failed])

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return {"verdict": self.verdict, "conversions": [vars(one) for one in self.conversions], "failed": self.failed}

    def lines(self) -> list[str]:
        """The verdict, the largest ratio and every model that failed."""
        problems = [one for one in self.conversions if one.problem]
        ratios = sorted(one.largest for one in self.conversions) or [0.0]
        lines = [
            f"{self.verdict}: {len(self.conversions)} conversions of random Keras models to "
            f"NumPy and back, {len(problems)} failed",
            f"largest error/bound {ratios[-1]:.3g}, median {ratios[len(ratios) // 2]:.3g}",
        ]
        lines += [f"seed {one.seed}, {one.dtype}: {one.problem}" for one in problems]
        return lines + [f"could not be run: {failure}" for failure in self.failed]


def run(
    count: int,
    seed: int = 0,
    jobs: int = 1,
    directory: Path | None = None,
    prepare: Callable[[], None] | None = None,
    show: Show = silent,
) -> ConversionCampaign:
    """Convert the models of ``count`` seeds; see :func:`run_tasks` for jobs, directory, prepare."""
    function, version = f"{__name__}:convert_chunk", source_version()
    tasks = [
        Task(function, {"seed": at, "count": min(CHUNK, seed + count - at)}, version)
        for at in range(seed, seed + count, CHUNK)
    ]
    campaign = ConversionCampaign()
    for outcome in run_tasks(tasks, directory, jobs, prepare):
        if outcome.error is not None:
            campaign.failed.append(outcome.error.strip())
            continue
        campaign.conversions += [Conversion(**one) for one in outcome.result]
        problems = sum(bool(one.problem) for one in campaign.conversions)
        show(f"conversions, {problems} failed", len(campaign.conversions), len(DTYPES) * count)
    return campaign
