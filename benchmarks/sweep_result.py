"""What a sweep has found so far: a verdict, a table, and every cell as plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.tables import Table, as_html
from bridge.fuzzing.task_runner import Outcome, Task
from model_spec.verdict import Verdict, combine


@dataclass
class SweepResult:
    """What a sweep has found so far.

    Attributes:
        outcomes: finished cells, in the order of the sweep.
        total: how many cells it has.
        interrupted: True where it was ended with Ctrl-C.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    total: int = 0
    interrupted: bool = False

    @property
    def failed(self) -> list[Outcome]:
        """Cells that ended in an error."""
        return [outcome for outcome in self.outcomes if outcome.error is not None]

    @property
    def verdict(self) -> Verdict:
        """That of all parity cells and diverged trainings; FAILED where a cell is missing or ended in an error."""
        found = [Verdict(outcome.result["verdict"]) for outcome in self.outcomes if "verdict" in (outcome.result or {})]
        if self.failed or len(self.outcomes) < self.total:
            found.append(Verdict.FAILED)
        for finite in self._finite_losses().values():
            if not all(finite):
                alone = Verdict.BOTH_DIVERGED if len(finite) > 1 else Verdict.NOTHING_COMPARED
                found.append(Verdict.DIFFER if any(finite) else alone)
        return combine(found)

    def _finite_losses(self) -> dict[tuple[str, str, int], list[bool]]:
        """{(network, data, seed): whether the test loss of each backend is finite}."""
        found: dict[tuple[str, str, int], list[bool]] = {}
        for outcome in self.outcomes:
            if "loss" in (outcome.result or {}):
                arguments = outcome.task.arguments
                place = arguments["name"], arguments["data"], arguments["seed"]
                found.setdefault(place, []).append(math.isfinite(float(outcome.result["loss"])))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Every cell's arguments and result: the same for the same sweep, however it was run."""
        return {
            "verdict": self.verdict,
            "cells": [
                {
                    "function": outcome.task.function,
                    "arguments": outcome.task.arguments,
                    "result": outcome.result,
                    "failed": outcome.error is not None,
                }
                for outcome in self.outcomes
            ],
        }

    def parts(self) -> list[str | Table]:
        """How many cells, then a row a network, data set and backend: accuracies and parity; then what failed."""
        groups: dict[tuple[str, str, str], list[float]] = {}
        verdicts: dict[tuple[str, str], list[str]] = {}
        for outcome in self.outcomes:
            arguments = outcome.task.arguments
            if outcome.result is None:
                continue
            place = arguments["name"], arguments["data"]
            score = outcome.result.get("accuracy", outcome.result.get("r2"))
            if score is not None:
                groups.setdefault((*place, arguments["backend"]), []).append(float(score))
            else:
                verdicts.setdefault(place, []).append(outcome.result["verdict"])
        kept = sum(outcome.kept for outcome in self.outcomes)
        table = Table(["network", "data", "side", "accuracy or R^2", "seeds"])
        for (name, data, backend), values in groups.items():
            spread = f" +- {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
            table.rows.append([name, data, backend, f"{np.mean(values):.4f}{spread}", str(len(values))])
        for (name, data), found in verdicts.items():
            table.rows.append([name, data, "parity", f"{found.count('AGREE')} agree", str(len(found))])
        parts: list[str | Table] = [
            f"{self.verdict}: {len(self.outcomes)} of {self.total} cells, {kept} of them kept, "
            f"{len(self.failed)} failed{'; interrupted, the same command goes on' * self.interrupted}"
        ]
        if table.rows:
            parts.append(table)
        for outcome in self.outcomes:
            if (outcome.result or {}).get("why"):
                parts.append(f"  {outcome.result['verdict']} {label(outcome.task)}: {outcome.result['why']}")
        for outcome in self.failed:
            reason = (outcome.error or "").strip().splitlines()[-1]
            parts.append(f"  FAILED {label(outcome.task)}: {reason}")
        return parts

    def __str__(self) -> str:
        return "\n".join(map(str, self.parts()))

    def _repr_html_(self) -> str:
        return as_html(self.parts())


def label(cell: Task) -> str:
    """A cell in words: network, data, backend and seed."""
    what = cell.arguments.get("backend", "parity")
    return f"{cell.arguments['name']} {cell.arguments['data']} {what} seed {cell.arguments['seed']}"
