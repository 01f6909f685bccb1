"""All results of all rows as one file: what the page is written from, and what a new campaign need not compute."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_spec.whole_files import write_whole

SCHEMA = 1
DIGITS = 5
"""Significant digits of what is kept of a curve or an image."""

_ROUNDED = ("curves", "looked", "late")
"""What is kept with ``DIGITS`` digits, from the first: a page is the same before and after the file is read again."""

_PER_CELL = ("date", "commit")
"""What differs between cells of one machine."""


@dataclass
class Entry:
    """One cell's result.

    Attributes:
        key: of the cell.
        row, variant, backend, seed: what it is of.
        result: what ``cells.run`` gave.
    """

    key: str
    row: str
    variant: str
    backend: str
    seed: int
    result: dict[str, Any]


@dataclass
class Record:
    """Entries by the key of their cell."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def add(self, key: str, arguments: dict[str, Any], result: dict[str, Any]) -> Entry:
        """Keep the result of a cell with these arguments, curves with the digits the file has."""
        experiment = arguments["experiment"]
        kept = {name: rounded(part) if name in _ROUNDED else part for name, part in result.items()}
        entry = Entry(
            key, experiment["row"], experiment["variant"]["name"], arguments["backend"], arguments["seed"], kept
        )
        self.entries[key] = entry
        return entry

    def only(self, keys: Iterable[str]) -> Record:
        """The entries of these keys: what an edit of an experiment has left behind is dropped."""
        kept = set(keys)
        return Record({key: entry for key, entry in self.entries.items() if key in kept})

    def to_json(self) -> str:
        """One line a cell; equal environments are written once."""
        environments: list[dict[str, Any]] = []
        cells = []
        for entry in sorted(self.entries.values(), key=lambda one: (one.row, one.variant, one.backend, one.seed)):
            result = dict(entry.result)
            where = dict(result.pop("environment"))
            own = {name: where.pop(name, None) for name in _PER_CELL}
            if where not in environments:
                environments.append(where)
            cell = {name: getattr(entry, name) for name in ("key", "row", "variant", "backend", "seed")}
            cells.append({**cell, **own, "environment": environments.index(where), "result": result})
        parts = (
            f'"schema": {SCHEMA}',
            '"environments": [\n' + ",\n".join(json.dumps(one) for one in environments) + "\n]",
            '"cells": [\n' + ",\n".join(json.dumps(one, separators=(",", ":")) for one in cells) + "\n]",
        )
        return "{\n" + ",\n".join(parts) + "\n}\n"

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, self.to_json())


def read(path: Path) -> Record:
    """The record of a file; an empty one where there is none.

    Raises:
        ValueError: the file is no record of this program.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise ValueError(f"schema {content['schema']!r}, this program reads {SCHEMA}")
        record = Record()
        for cell in content["cells"]:
            facts = content["environments"][cell["environment"]] | {name: cell[name] for name in _PER_CELL}
            names = {name: cell[name] for name in ("key", "row", "variant", "backend", "seed")}
            record.entries[cell["key"]] = Entry(**names, result={**cell["result"], "environment": facts})
        return record
    except FileNotFoundError:
        return Record()
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is no record of crosscheck reproduce: {error!r}; move it away") from None


def rounded(value: Any) -> Any:
    """Floats of nested lists and dicts with five significant digits.

    >>> rounded({"loss": [0.123456789, 2]})
    {'loss': [0.12346, 2]}
    """
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
