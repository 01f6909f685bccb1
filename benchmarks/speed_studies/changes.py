"""A speed table beside an earlier one: which cells have become slower."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Change:
    """One cell beside the same cell of an earlier run; ``ratio`` above 1 is slower now."""

    cell: str
    ratio: float

    def __str__(self) -> str:
        return f"{self.cell}: {self.ratio:.2f} times as long as in the earlier run, measured against TensorFlow"


def load_earlier(path: Path) -> dict[str, Any]:
    """The JSON of an earlier run.

    Raises:
        ValueError: no such file, or no result of this command.
    """
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        _relative(entry)
    except FileNotFoundError:
        raise ValueError(f"no file {path}; give --compare the JSON of an earlier crosscheck speed") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ZeroDivisionError) as error:
        raise ValueError(f"{path} is no result of crosscheck speed: {error!r}") from None
    return dict(entry)


def changes(now: dict[str, Any], earlier: dict[str, Any]) -> list[Change]:
    """NumPy's time in units of TensorFlow's, beside the same of an earlier run, for every cell both have.

    Ratios to TensorFlow are compared and not seconds: the machine may be another, or busier.
    """
    new, old = _relative(now), _relative(earlier)
    return [Change(name, new[name] / old[name]) for name in new if name in old]


def _relative(entry: dict[str, Any]) -> dict[str, float]:
    found = {}
    for cell in entry["cells"]:
        for ratio in cell["ratios"]:
            if ratio["arm"].startswith("NumPy"):
                name = f"{cell['network']}, {cell['phase']} {cell['batch']}, {cell['threads']} threads, {ratio['arm']}"
                found[name] = float(ratio["ratio"])
    return found


def slowdown_limit(text: str | None) -> float:
    """The ratio of "slower:1.25"; infinity for None.

    Raises:
        ValueError: anything else.
    """
    if text is None:
        return float("inf")
    word, _, number = text.partition(":")
    try:
        if word != "slower" or not 0 < float(number) < float("inf"):
            raise ValueError
        return float(number)
    except ValueError:
        raise ValueError(f"--fail-if takes slower:RATIO, for example slower:1.25, got {text!r}") from None
