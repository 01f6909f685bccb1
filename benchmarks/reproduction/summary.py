"""What a row's results say: figures of both backends, published ones beside them, differences in pairs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.reproduction.cells import BACKENDS
from benchmarks.reproduction.experiment import MOST_SEEDS, Row, Variant
from benchmarks.reproduction.record import Entry, Record
from benchmarks.reproduction.statistics import WIDE_SPREAD, Paired, deviation, finite, mean, paired, published_verdict

Results = dict[str, dict[int, dict[str, Any]]]
"""{backend: {seed: what cells.run gave}}."""

MAIN_FIGURES = (
    "train_accuracy",
    "train_loss",
    "test_accuracy",
    "test_loss",
    "validation_accuracy",
    "validation_loss",
    "lowest_validation_loss",
    "epoch_of_lowest_validation_loss",
    "epochs",
    "penalty",
)
"""Figures shown for every variant that has them; others only where they are published."""


@dataclass(frozen=True)
class Line:
    """One figure of one variant.

    Attributes:
        variant, reading, figure: what it is; reading "run" stands for the whole run.
        published: as ``rows.toml`` has it, or None.
        values: {backend: [value of each seed]}.
        verdicts: {backend: where the published figure lies beside ours}, empty where nothing is published.
        difference: NumPy minus Keras, for accuracies.
    """

    variant: str
    reading: str
    figure: str
    published: Any
    values: dict[str, list[float]]
    verdicts: dict[str, str]
    difference: Paired | None

    @property
    def verdict(self) -> str:
        """One word where both backends have the same."""
        if len(set(self.verdicts.values())) <= 1:
            return next(iter(self.verdicts.values()), "")
        return ", ".join(f"{word} ({backend})" for backend, word in self.verdicts.items())

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        spread = {
            backend: [mean(values), finite(deviation(values))] for backend, values in self.values.items() if values
        }
        difference = None if self.difference is None else self.difference.to_dict()
        return {**asdict(self), "difference": difference, "mean_and_deviation": spread, "verdict": self.verdict}


@dataclass(frozen=True)
class RowSummary:
    """A row's lines.

    Attributes:
        row: its name.
        seeds: how many seeds both backends have finished, in every variant.
        wanted: how many the row takes, by what is known of it.
        lines: all figures.
        seconds: {variant: {backend: seconds of each seed}}, of runs that had the machine for themselves.
        asked: {figure: {backend: True where its mean lies in the asked range}}.
    """

    row: str
    seeds: int
    wanted: int
    lines: list[Line]
    seconds: dict[str, dict[str, list[float]]]
    asked: dict[str, dict[str, bool]] = field(default_factory=dict)

    @property
    def comparisons(self) -> int:
        """How many accuracies can differ by chance: not those that are equal in every pair."""
        return sum(pair.can_miss_zero for pair in self.pairs)

    @property
    def pairs(self) -> list[Paired]:
        """The differences of all accuracies."""
        return [line.difference for line in self.lines if line.difference is not None]

    @property
    def agrees(self) -> bool:
        """True where every 95 % interval holds zero and every mean is below 0.3 points."""
        return not any(pair.differs(comparisons=1) for pair in self.pairs)

    @property
    def differs(self) -> bool:
        """True where an accuracy differs by 0.3 points, or by more than chance among all accuracies of the row."""
        return any(pair.differs(self.comparisons) for pair in self.pairs)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        lines = [line.to_dict() for line in self.lines]
        return {**asdict(self), "lines": lines, "comparisons": self.comparisons, "agrees": self.agrees}


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


def summarise(row: Row, record: Record) -> RowSummary:
    """All lines of a row, from what the record holds of it."""
    lines: list[Line] = []
    seconds: dict[str, dict[str, list[float]]] = {}
    asked: dict[str, dict[str, bool]] = {}
    counts = []
    for variant in row.variants:
        results = results_of(row, variant, record, range(MOST_SEEDS))
        some = next(iter(results["numpy"].values()), None)
        counts.append(len(results["numpy"]))
        if some is None:
            continue
        lines += [_line(variant, results, *where) for where in _wanted(variant, some["figures"])]
        seconds[variant.name] = {
            backend: [result["seconds"] for result in by_seed.values() if result["alone"] and "seconds" in result]
            for backend, by_seed in results.items()
        }
        if variant is row.variants[0]:
            for figure, (low, high) in row.asked.items():
                values = values_of(results, variant.readings[0], figure)
                asked[figure] = {backend: low <= mean(one) <= high for backend, one in values.items()}
    wanted = MOST_SEEDS if reason_for_more(row, record) else row.seeds
    return RowSummary(row.name, min(counts), wanted, lines, seconds, asked)


def reason_for_more(row: Row, record: Record) -> str | None:
    """Why the first seeds of a row are too few; None where they say enough, or where not all of them were run."""
    if not row.random or row.seeds == MOST_SEEDS:
        return None
    for variant in row.variants:
        results = results_of(row, variant, record, range(row.seeds))
        if len(results["numpy"]) < row.seeds:
            return None
        for values in accuracies(results).values():
            if any(max(one) - min(one) > WIDE_SPREAD for one in values.values()):
                return "an accuracy spreads over more than two points"
        some = next(iter(results["numpy"].values()))
        lines = [_line(variant, results, *where) for where in _wanted(variant, some["figures"])]
        if any(line.difference.differs(comparisons=1) for line in lines if line.difference is not None):
            return "its backends seem to differ"
    return None


def _wanted(variant: Variant, figures: dict[str, dict[str, float]]) -> list[tuple[str, str, Any]]:
    """(reading, figure, published or None) of every line of a variant."""
    wanted = []
    for reading in (*variant.readings, "run"):
        published = {name: value for name, value in variant.published.get(reading, {}).items() if name != "seconds"}
        own = figures.get(reading, {})
        shown = [name for name in own if name in MAIN_FIGURES or not variant.trains]
        names = [*shown, *(name for name in published if name not in shown)]
        wanted += [(reading, name, published.get(name)) for name in names]
    return wanted


def _line(variant: Variant, results: Results, reading: str, figure: str, published: Any) -> Line:
    values = values_of(results, reading, figure)
    verdicts = {}
    if published is not None:
        for backend, by_seed in results.items():
            key = f"{reading}.{figure.removeprefix('late ')}"
            late = [one for result in by_seed.values() for one in result.get("late", {}).get(key, [])]
            verdicts[backend] = published_verdict(values[backend], published, late)
    is_accuracy = figure.endswith("accuracy") and not figure.startswith("late ")
    difference = paired(values["numpy"], values["keras"]) if is_accuracy else None
    return Line(variant.name, reading, figure, published, values, verdicts, difference)
