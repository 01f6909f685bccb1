"""What an experiment is: a row of the page with its variants, read from ``rows.toml`` and checked."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from benchmarks.course_variants import COURSE_RULES, CourseRule
from benchmarks.reproduction import slices
from benchmarks.reproduction.networks import network
from benchmarks.reproduction.slices import DataSlice
from benchmarks.reproduction.toml_tables import record_from
from model_spec import ModelSpec, TrainingSpec
from model_spec.serialization import from_dict
from model_spec.validation import one_of, positive_integer

WAYS = ("fit", "steps", "numerical", "histograms", "filters")
"""The model's own fit, batch by batch with every loss kept, by central differences; the other two only look."""

READINGS = ("inference", "as_training")
"""How accuracy is measured: as one should, or as the courses that never switch do (batch statistics, dropout on)."""

LEAST_SEEDS, MOST_SEEDS = 3, 10

FRESH_SEEDS = range(20, 30)
"""The second look, which alone decides what is in doubt by the first ten seeds.

Not 10 to 19: some of those had been looked at when this rule was made.
"""


@dataclass(frozen=True)
class Variant:
    """One training of a row's network, and how it is measured.

    Attributes:
        name: short, unique in its row.
        way: one of ``WAYS``.
        network: see ``networks``; none for "filters".
        training: fields of a TrainingSpec; none for what only looks.
        rule: {type = "TextbookAdagrad", ...} in the optimizer's place; for "steps".
        readings: of ``READINGS``.
        watch: parts measured after each epoch, "train" or "test".
        dtype: of both backends.
        printed_penalty: {strength, layers}: 0.5 * strength * sum(W**2) of the first layers, added to the loss that
            is printed and to nothing else.
        look: arguments of the ways that only look.
        published: {reading or "run": {figure: value}}; a number is exact, a string was rounded by who printed it,
            a pair is a range.
        parameters: how many the network has.
    """

    name: str
    way: str = "fit"
    network: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    rule: dict[str, Any] | None = None
    readings: tuple[str, ...] = ("inference",)
    watch: tuple[str, ...] = ("test",)
    dtype: str = "float32"
    printed_penalty: dict[str, Any] | None = None
    look: dict[str, Any] = field(default_factory=dict)
    published: dict[str, dict[str, Any]] = field(default_factory=dict)
    parameters: int | None = None

    def __post_init__(self) -> None:
        one_of("way", self.way, WAYS)
        one_of("dtype", self.dtype, ("float32", "float64"))
        for name, known in (("readings", READINGS), ("watch", ("train", "test"))):
            object.__setattr__(self, name, tuple(one_of(name, value, known) for value in getattr(self, name)))
        for place in self.published:
            one_of("published", place, (*READINGS, "run"))
        if self.trains != (self.training is not None) or (self.trains and self.network is None):
            raise ValueError(
                f"way {self.way!r} {'needs a network and a training' if self.trains else 'trains nothing'}"
            )
        if self.rule is not None and self.way != "steps":
            raise ValueError(f"a rule of the courses trains by steps, not by {self.way!r}")
        if self.trains:
            self.training_spec(0)
            self.course_rule()
        if self.network is not None:
            built = self.model_spec()
            if self.parameters is not None and built.parameter_count != self.parameters:
                raise ValueError(f"the network has {built.parameter_count} parameters, {self.parameters} are stated")

    @property
    def trains(self) -> bool:
        """False for the ways that only look."""
        return self.way in ("fit", "steps", "numerical")

    def model_spec(self) -> ModelSpec:
        """The network."""
        if self.network is None:
            raise ValueError(f"variant {self.name!r} has no network")
        return network(self.name, self.network)

    def training_spec(self, seed: int) -> TrainingSpec:
        """The training with the batch order of this seed."""
        return from_dict({"type": "TrainingSpec", **(self.training or {}), "seed": seed})

    def course_rule(self) -> CourseRule | None:
        """The rule in the optimizer's place, if any."""
        if self.rule is None:
            return None
        options = dict(self.rule)
        kind = one_of("rule.type", options.pop("type", None), COURSE_RULES)
        return record_from(COURSE_RULES[kind], options, "rule")


@dataclass(frozen=True)
class Row:
    """One row of the page.

    Attributes:
        name: kebab-case, as on the command line.
        title: a heading.
        claim: what the course shows, in our words.
        data: what it is trained and tested on.
        variants: trainings, the published one first.
        seeds: 0 to seeds - 1 are run; 10 where an accuracy spreads over more than two points, or seems to differ.
        quick: True where ``reproduce quick`` runs it.
        slip: the course's slip, reproduced here, and what mends it.
        note: what was chosen where the course leaves it open.
        why: what explains a published figure that was missed.
        panels: curves drawn, a list of keys each.
        asked: {figure: [low, high]} both backends must reach in the first variant's first reading.
        companion: the name of a row whose seconds and loss curve stand beside this one's.
    """

    name: str
    title: str
    claim: str
    data: DataSlice
    variants: tuple[Variant, ...]
    seeds: int = LEAST_SEEDS
    quick: bool = False
    slip: str = ""
    note: str = ""
    why: str = ""
    panels: tuple[tuple[str, ...], ...] = ()
    asked: dict[str, list[float]] = field(default_factory=dict)
    companion: str | None = None

    def __post_init__(self) -> None:
        positive_integer("seeds", self.seeds)
        if not self.variants:
            raise ValueError("a row has at least one variant")
        names = [variant.name for variant in self.variants]
        if len(set(names)) < len(names):
            raise ValueError(f"two variants share a name: {', '.join(names)}")
        if self.random and self.seeds < LEAST_SEEDS:
            raise ValueError(f"seeds must be at least {LEAST_SEEDS} where something is drawn, got {self.seeds}")

    @property
    def random(self) -> bool:
        """True where a seed changes anything."""
        return any(variant.way != "filters" for variant in self.variants)


def row_from(entry: dict[str, Any]) -> Row:
    """A row from its table.

    Raises:
        ValueError: names the row, the variant and what is wrong there.
    """
    where = f"row {entry.get('name', entry)!r}" if isinstance(entry, dict) else "a row"
    if not isinstance(entry, dict) or "variant" not in entry:
        raise ValueError(f"{where}: expected a table with at least one [[row.variant]]")
    clean = {key: value for key, value in entry.items() if key != "variant"}
    try:
        clean["data"] = slices.from_entry(clean.get("data"))
        clean["panels"] = tuple(tuple(panel) for panel in clean.get("panels", ()))
        clean["variants"] = tuple(
            record_from(Variant, variant, f"variant {variant.get('name')!r}") for variant in entry["variant"]
        )
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return record_from(Row, clean, where)


def rows_from(text: str) -> dict[str, Row]:
    """All rows of a TOML text by name, in its order."""
    table = tomllib.loads(text)
    rows = [row_from(entry) for entry in table.get("row", [])]
    found = {row.name: row for row in rows}
    if set(table) != {"row"} or len(found) < len(rows):
        raise ValueError("a file of experiments holds [[row]] tables of different names, and nothing else")
    for row in rows:
        if row.companion is not None and row.companion not in found:
            raise ValueError(f"row {row.name!r}: no row {row.companion!r} to stand beside")
    return found


@cache
def load_rows() -> dict[str, Row]:
    """The experiments of the courses."""
    return rows_from(files("benchmarks.reproduction").joinpath("rows.toml").read_text(encoding="utf-8"))


def chosen(names: list[str], rows: dict[str, Row]) -> list[Row]:
    """The rows of these names, in the file's order; "all" and "quick" stand for many.

    Raises:
        ValueError: an unknown name, with the known ones.
    """
    unknown = [name for name in names if name not in rows and name not in ("all", "quick")]
    if unknown:
        raise ValueError(f"unknown row {', '.join(unknown)}; known are all, quick, {', '.join(rows)}")
    wanted = {name for name in names if name in rows}
    if "all" in names:
        wanted |= set(rows)
    if "quick" in names:
        wanted |= {name for name, row in rows.items() if row.quick}
    return [row for name, row in rows.items() if name in wanted]
