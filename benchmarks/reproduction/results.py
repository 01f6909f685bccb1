"""Results of one variant in pairs, out of the record: by backend and seed, by figure, all accuracies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.reproduction.cells import BACKENDS
from benchmarks.reproduction.experiment import Row, Variant
from benchmarks.reproduction.record import Entry, Record
from benchmarks.reproduction.statistics import mean

Results = dict[str, dict[int, dict[str, Any]]]
"""{backend: {seed: what cells.run gave}}."""


def results_of(row: Row, variant: Variant, record: Record, seeds: Iterable[int]) -> Results:
    """The results of seeds that both backends have finished."""
    wanted = set(seeds)
    found: dict[str, dict[int, Entry]] = {backend: {} for backend in BACKENDS}
    for entry in record.entries.values():
        if (entry.row, entry.variant) == (row.name, variant.name) and entry.seed in wanted:
            earlier = found[entry.backend].get(entry.seed)
            # Where both are known, that with the machine for itself
            if earlier is None or entry.result["alone"]:
                found[entry.backend][entry.seed] = entry
    both = sorted(set.intersection(*(set(entries) for entries in found.values())))
    return {backend: {seed: entries[seed].result for seed in both} for backend, entries in found.items()}


def values_of(results: Results, reading: str, figure: str) -> dict[str, list[float]]:
    """{backend: [the figure of each seed]}; "late test_accuracy" is the mean of the last measurements."""
    found = {}
    for backend, by_seed in results.items():
        if figure.startswith("late "):
            key = f"{reading}.{figure.removeprefix('late ')}"
            found[backend] = [mean(result["late"][key]) for result in by_seed.values()]
        else:
            found[backend] = [float(result["figures"][reading][figure]) for result in by_seed.values()]
    return found


def accuracies(results: Results) -> dict[tuple[str, str], dict[str, list[float]]]:
    """{(reading, figure): {backend: values}} of all accuracies."""
    some = next(iter(results["numpy"].values()), None)
    if some is None:
        return {}
    return {
        (reading, figure): values_of(results, reading, figure)
        for reading, figures in some["figures"].items()
        for figure in figures
        if figure.endswith("accuracy")
    }
