"""Results of one variant in pairs, out of the record: by backend and seed, by figure, differences of accuracies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.reproduction.cells import BACKENDS
from benchmarks.reproduction.experiment import Row, Variant
from benchmarks.reproduction.record import Entry, Record
from benchmarks.reproduction.statistics import Paired, mean, paired

Results = dict[str, dict[int, dict[str, Any]]]
"""{backend: {seed: what cells.run gave}}."""

SAME_EPOCH = "last epoch of both"
"""The reading of pairs that early stopping ended at different epochs: where the shorter run of each pair ended."""

SAME_EPOCH_FIGURES = {"train_accuracy": "accuracy", "validation_accuracy": "val_accuracy"}
"""{figure: its curve}; the training accuracy is that of the epoch's batches, as fit shows it."""


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
    last = _last_epoch_of_both(results) if reading == SAME_EPOCH else {}
    for backend, by_seed in results.items():
        if reading == SAME_EPOCH:
            curve = SAME_EPOCH_FIGURES[figure]
            found[backend] = [result["curves"]["history"][curve][last[seed] - 1] for seed, result in by_seed.items()]
        elif figure.startswith("late "):
            key = f"{reading}.{figure.removeprefix('late ')}"
            found[backend] = [mean(result["late"][key]) for result in by_seed.values()]
        else:
            found[backend] = [float(result["figures"][reading][figure]) for result in by_seed.values()]
    return found


def stopped_apart(results: Results) -> bool:
    """True where early stopping ended a pair at different epochs."""
    ours, theirs = ([result["figures"]["run"].get("epochs") for result in results[one].values()] for one in BACKENDS)
    return ours != theirs


def _last_epoch_of_both(results: Results) -> dict[int, int]:
    ours, theirs = (
        {seed: int(result["figures"]["run"]["epochs"]) for seed, result in results[one].items()} for one in BACKENDS
    )
    return {seed: min(ours[seed], theirs[seed]) for seed in ours}


def accuracies(results: Results) -> list[tuple[str, str]]:
    """(reading, figure) of all accuracies."""
    some = next(iter(results["numpy"].values()), None)
    if some is None:
        return []
    found = [
        (reading, figure)
        for reading, figures in some["figures"].items()
        for figure in figures
        if figure.endswith("accuracy")
    ]
    return found + ([(SAME_EPOCH, figure) for figure in SAME_EPOCH_FIGURES] if stopped_apart(results) else [])


def difference_of(results: Results, reading: str, figure: str) -> Paired:
    """NumPy minus Keras."""
    values = values_of(results, reading, figure)
    return paired(values["numpy"], values["keras"])
