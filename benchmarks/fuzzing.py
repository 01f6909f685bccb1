"""The campaign behind ``crosscheck fuzz``: chunks of random networks, one smallest case of each kind of difference."""

from __future__ import annotations

import logging
import re
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.fuzzing.saved_cases import SavedCase
from bridge.fuzzing.summary import FuzzSummary
from bridge.fuzzing.task_runner import run_tasks
from bridge.fuzzing.tasks import CHUNK, Planting, chunk_tasks, shrink_task
from bridge.progress import Show, silent

SHRINK_SECONDS = 30.0
"""How long to look for a smaller case of one kind of difference."""


@dataclass
class FuzzResult:
    """What a campaign has found, whole or up to an interruption.

    Attributes:
        summary: counts and figures.
        cases: path of the saved case of each kind of difference.
        texts: what is to be said of it.
        seconds: the campaign took.
        interrupted: True where it was ended with Ctrl-C.
    """

    summary: FuzzSummary = field(default_factory=FuzzSummary)
    cases: dict[str, Path] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    interrupted: bool = False


def prepare_process() -> None:
    """Called first in every process of a campaign: one thread, nothing printed, Ctrl-C left to the main process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    import keras_models

    keras_models.set_threads(1)


def run(
    count: int,
    seed: int,
    jobs: int,
    fault: str | None,
    output: Path,
    show: Show = silent,
    shrink_seconds: float = SHRINK_SECONDS,
) -> FuzzResult:
    """Compare ``count`` random networks; Ctrl-C ends the campaign early, with what was found so far.

    Args:
        count: number of networks.
        seed: of the drawing.
        jobs: processes; 1 compares in this one.
        fault: planted in the NumPy side of every network it fits.
        output: directory of the saved cases, and of the results of single cells, which another run takes up.
        show: see :class:`bridge.progress.Show`.
        shrink_seconds: how long to look for a smaller case of one kind of difference.
    """
    result, started = FuzzResult(), time.perf_counter()
    tensorflow = logging.getLogger("tensorflow")
    level = tensorflow.level
    # Each network is traced anew, of which TensorFlow warns
    tensorflow.setLevel(logging.ERROR)
    try:
        planting = None if fault is None else Planting("bridge.selftest.faults:plant", fault)
        _compare(result, chunk_tasks(count, seed, planting), count, jobs, output, show)
        _shrink(result, seed, jobs, planting, output, show, shrink_seconds)
    except KeyboardInterrupt:
        result.interrupted = True
        for kind, (_, finding, _) in result.summary.kinds.items():
            if kind not in result.cases:
                _save(result, finding, seed, fault, output)
    finally:
        tensorflow.setLevel(level)
    result.seconds = time.perf_counter() - started
    return result


def _compare(result: FuzzResult, cells: list[Any], count: int, jobs: int, output: Path, show: Show) -> None:
    summary = result.summary
    for outcome in run_tasks(cells, output / "cells", jobs, prepare_process):
        chunk = outcome.task.arguments["chunk"]
        if outcome.error is not None:
            summary.failed.append(f"networks from {chunk * CHUNK + 1}: {outcome.error.strip()}")
            continue
        summary.add(chunk, outcome.result)
        show(f"networks, {summary.findings} differ", summary.networks, count)


def _shrink(
    result: FuzzResult,
    seed: int,
    jobs: int,
    planting: Planting | None,
    output: Path,
    show: Show,
    seconds: float,
) -> None:
    kinds = result.summary.kinds
    cells = [shrink_task(finding, seconds, planting) for _, (_, finding, _) in sorted(kinds.items())]
    if cells:
        show(f"{len(cells)} kinds of difference, looking for the smallest network of each")
    for outcome in run_tasks(cells, output / "cells", jobs, prepare_process):
        finding = outcome.task.arguments["finding"]
        fault = None if planting is None else planting.fault
        _save(result, outcome.result or {**finding, "text": outcome.error}, seed, fault, output)
        show("kinds of difference shrunk", len(result.cases), len(cells))


def _save(result: FuzzResult, finding: dict[str, Any], seed: int, fault: str | None, output: Path) -> None:
    kind, text = finding["kind"], finding.get("text")
    saved = SavedCase.from_dict(
        {name: value for name, value in finding.items() if name not in ("kind", "seed", "text")}
    )
    name = re.sub(r"[^A-Za-z0-9]+", "-", " ".join(filter(None, [f"seed{seed}", fault, kind])))
    path = output / f"{name}.json"
    saved.save(path)
    result.cases[kind] = path
    result.texts[kind] = text or saved.case.spec.summary()
