"""The campaign: rows become cells, known cells are kept, and what spreads or is in doubt takes more seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from benchmarks.reproduction import slices
from benchmarks.reproduction.cells import BACKENDS, cell, prepare_process
from benchmarks.reproduction.experiment import FRESH_SEEDS, LEAST_SEEDS, MOST_SEEDS, Row
from benchmarks.reproduction.more_seeds import doubted_variants, reason_for_more
from benchmarks.reproduction.record import Record
from bridge.fuzzing.task_runner import Task, kept, run_tasks
from bridge.progress import Show, silent

THREADS = 2
"""Threads of each backend where seconds are measured."""


@dataclass
class CampaignResult:
    """What a campaign has done.

    Attributes:
        record: all results that are known now.
        computed, kept: how many cells were computed, and how many were known before.
        failed: tracebacks.
        left_out: {row: why it was not run}.
        interrupted: True where it was ended with Ctrl-C.
    """

    record: Record
    computed: int = 0
    kept: int = 0
    failed: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False


def run(
    rows: Sequence[Row],
    record: Record,
    directory: Path | None,
    jobs: int = 1,
    threads: int = THREADS,
    show: Show = silent,
    quick: bool = False,
) -> CampaignResult:
    """Run rows on both backends; on Ctrl-C what is finished is kept.

    Args:
        rows: what to run, in this order.
        record: results that need not be computed; new ones are added to it.
        directory: where each finished cell is kept at once; None keeps nothing.
        jobs: processes. With more than one, each has one thread; only a row's first seed has the machine for itself,
            and only its seconds are compared.
        threads: of each backend, where it has the machine for itself.
        show: see :class:`bridge.progress.Show`.
        quick: the least number of seeds for every row, however far they spread.
    """
    result = CampaignResult(record)
    for data in dict.fromkeys(row.data.name for row in rows):
        problem = slices.missing(data)
        if problem is not None:
            result.left_out |= {row.name: problem for row in rows if row.data.name == data}
    try:
        for row in rows:
            if row.name not in result.left_out:
                _run_row(row, result, directory, jobs, threads, show, quick)
    except KeyboardInterrupt:
        result.interrupted = True
    return result


def _run_row(
    row: Row,
    result: CampaignResult,
    directory: Path | None,
    jobs: int,
    threads: int,
    show: Show,
    quick: bool,
) -> None:
    seeds = min(row.seeds, LEAST_SEEDS) if quick else row.seeds
    alone = 1 if jobs > 1 else seeds
    _run_seeds(row, range(alone), result, directory, 1, threads, show)
    _run_seeds(row, range(alone, seeds), result, directory, jobs, threads, show)
    if quick:
        return
    why = reason_for_more(row, result.record)
    if why is not None:
        show(f"{row.name}: {why}, so {MOST_SEEDS} seeds")
        _run_seeds(row, range(row.seeds, MOST_SEEDS), result, directory, jobs, threads, show)
    doubted = doubted_variants(row, result.record)
    if doubted:
        names = ", ".join(variant.name for variant in doubted)
        show(f"{row.name}: {names} in doubt by {MOST_SEEDS} seeds, so {len(FRESH_SEEDS)} fresh ones decide")
        _run_seeds(replace(row, variants=doubted), FRESH_SEEDS, result, directory, jobs, threads, show)


def _run_seeds(
    row: Row,
    seeds: Sequence[int],
    result: CampaignResult,
    directory: Path | None,
    jobs: int,
    threads: int,
    show: Show,
) -> None:
    waiting: dict[str, Task] = {}
    total = 0
    for seed in seeds:
        for variant in row.variants:
            for backend in BACKENDS:
                total += 1
                wanted = cell(row, variant, backend, seed, threads)
                shared = cell(row, variant, backend, seed, 1, alone=False)
                known = [wanted] if jobs == 1 else [wanted, shared]
                if any(one.key in result.record.entries for one in known):
                    result.kept += 1
                else:
                    one = wanted if jobs == 1 else shared
                    waiting[one.key] = one
    done = total - len(waiting)
    if done:
        show(f"{row.name}: cells known", done, total)
    for outcome in run_tasks(list(waiting.values()), directory, jobs, partial(prepare_process, 1)):
        done += 1
        arguments = outcome.task.arguments
        name = f"{arguments['experiment']['variant']['name']}, {arguments['backend']}, seed {arguments['seed']}"
        if outcome.error is not None:
            result.failed.append(f"{row.name}: {name}\n{outcome.error}")
            show(f"{row.name}: {name} FAILED", done, total)
            continue
        result.record.add(outcome.task.key, arguments, outcome.result)
        result.computed += not outcome.kept
        result.kept += outcome.kept
        show(f"{row.name}: {name}, {'kept' if outcome.kept else f'{outcome.seconds:.1f} s'}", done, total)


def all_cells(rows: Iterable[Row], threads: int = THREADS) -> Iterator[Task]:
    """Every cell these rows can have, alone and side by side."""
    for row in rows:
        for variant in row.variants:
            for backend in BACKENDS:
                for seed in (*range(MOST_SEEDS), *FRESH_SEEDS):
                    yield cell(row, variant, backend, seed, threads)
                    yield cell(row, variant, backend, seed, 1, alone=False)


def take_in(rows: Iterable[Row], record: Record, directory: Path) -> None:
    """Add to the record what the directory holds of these rows: an interrupted campaign's seeds are on the page too."""
    for one in all_cells(rows):
        if one.key not in record.entries:
            outcome = kept(one, directory)
            if outcome is not None:
                record.add(one.key, one.arguments, outcome.result)
