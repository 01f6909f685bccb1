"""What a row's results say: figures of both backends, published ones beside them, differences in pairs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.reproduction.experiment import FRESH_SEEDS, MOST_SEEDS, Row, Variant
from benchmarks.reproduction.more_seeds import doubted_variants, reason_for_more
from benchmarks.reproduction.record import Record
from benchmarks.reproduction.results import (
    SAME_EPOCH,
    SAME_EPOCH_FIGURES,
    Results,
    difference_of,
    results_of,
    stopped_apart,
    values_of,
)
from benchmarks.reproduction.statistics import Paired, deviation, finite, mean, published_verdict

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
        second: the same by the fresh seeds alone, where the difference is in doubt and they have been run.
    """

    variant: str
    reading: str
    figure: str
    published: Any
    values: dict[str, list[float]]
    verdicts: dict[str, str]
    difference: Paired | None
    second: Paired | None = None

    @property
    def in_doubt(self) -> bool:
        """True where the backends differ by the first seeds, as they do by chance in one interval of 20."""
        return self.difference is not None and self.difference.differs

    @property
    def agrees(self) -> bool:
        """True where the backends do not differ, or not again by the fresh seeds alone."""
        return not self.in_doubt or (self.second is not None and not self.second.differs)

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
        pairs = {"difference": self.difference, "second": self.second}
        told = {name: None if pair is None else pair.to_dict() for name, pair in pairs.items()}
        return {**asdict(self), **told, "mean_and_deviation": spread, "verdict": self.verdict}


@dataclass(frozen=True)
class RowSummary:
    """A row's lines.

    Attributes:
        row: its name.
        seeds: how many seeds both backends have finished, in every variant.
        wanted: how many the row takes, by what is known of it.
        fresh: how many fresh seeds both backends have finished, in every variant that is in doubt by all the first
            ones; None where none is.
        lines: all figures.
        seconds: {variant: {backend: seconds of each seed}}, of runs that had the machine for themselves.
        asked: {figure: {backend: True where its mean lies in the asked range}}.
    """

    row: str
    seeds: int
    wanted: int
    fresh: int | None
    lines: list[Line]
    seconds: dict[str, dict[str, list[float]]]
    asked: dict[str, dict[str, bool]] = field(default_factory=dict)

    @property
    def pairs(self) -> list[Paired]:
        """The differences of all accuracies."""
        return [line.difference for line in self.lines if line.difference is not None]

    @property
    def agrees(self) -> bool:
        """True where every 95 % interval holds zero and every mean is below 0.3 points, or by fresh seeds."""
        return self.fresh in (None, len(FRESH_SEEDS)) and all(line.agrees for line in self.lines)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        lines = [line.to_dict() for line in self.lines]
        return {**asdict(self), "lines": lines, "agrees": self.agrees}


def summarise(row: Row, record: Record) -> RowSummary:
    """All lines of a row, from what the record holds of it."""
    lines: list[Line] = []
    seconds: dict[str, dict[str, list[float]]] = {}
    asked: dict[str, dict[str, bool]] = {}
    counts, fresh_counts = [], []
    doubted = doubted_variants(row, record)
    for variant in row.variants:
        results = results_of(row, variant, record, range(MOST_SEEDS))
        fresh = results_of(row, variant, record, FRESH_SEEDS if variant in doubted else ())
        if variant in doubted:
            fresh_counts.append(len(fresh["numpy"]))
        some = next(iter(results["numpy"].values()), None)
        counts.append(len(results["numpy"]))
        if some is None:
            continue
        lines += [_line(variant, results, *where, fresh) for where in _wanted(variant, some["figures"])]
        if stopped_apart(results):
            lines += [_line(variant, results, SAME_EPOCH, figure, None, fresh) for figure in SAME_EPOCH_FIGURES]
        seconds[variant.name] = {
            backend: [result["seconds"] for result in by_seed.values() if result["alone"] and "seconds" in result]
            for backend, by_seed in results.items()
        }
        if variant is row.variants[0]:
            for figure, (low, high) in row.asked.items():
                values = values_of(results, variant.readings[0], figure)
                asked[figure] = {backend: low <= mean(one) <= high for backend, one in values.items()}
    wanted = MOST_SEEDS if reason_for_more(row, record) else row.seeds
    return RowSummary(row.name, min(counts), wanted, min(fresh_counts, default=None), lines, seconds, asked)


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


def _line(variant: Variant, results: Results, reading: str, figure: str, published: Any, fresh: Results) -> Line:
    values = values_of(results, reading, figure)
    verdicts = {}
    if published is not None:
        for backend, by_seed in results.items():
            key = f"{reading}.{figure.removeprefix('late ')}"
            late = [one for result in by_seed.values() for one in result.get("late", {}).get(key, [])]
            verdicts[backend] = published_verdict(values[backend], published, late)
    is_accuracy = figure.endswith("accuracy") and not figure.startswith("late ")
    difference = difference_of(results, reading, figure) if is_accuracy else None
    second = None
    if difference is not None and difference.differs and fresh["numpy"]:
        second = difference_of(fresh, reading, figure)
    return Line(variant.name, reading, figure, published, values, verdicts, difference, second)
