"""Tasks of the selftest for parts written elsewhere: what the checks said of a slip, or of its mended twin."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridge.judge.tensor import Row
from bridge.lockstep.report import TrainingParityReport
from bridge.outside.optimizer_check import OptimizerReport
from bridge.selftest.comparisons import (
    CHOICE,
    CONSERVED,
    EDGES,
    GRADIENT_OF_X,
    LAYER,
    LOSS,
    MASK,
    OPTIMIZER,
    OUTPUT,
    PARAMETER_GRADIENTS,
    STATISTICS,
    TRAINING_ELSEWHERE,
    WRITTEN_ELSEWHERE,
    Entry,
)
from bridge.selftest.training_rows import training_rows
from bridge.selftest.workbench import Workbench
from bridge.selftest.written_elsewhere import PARTS, PartElsewhere, Report


def judge_slip(name: str, workbench: Workbench | None = None) -> Entry:
    """Run the check that must catch a slip, and return the rows that did not agree.

    Raises:
        ValueError: no such slip.
    """
    part = _named(name)
    return _entry(part, part.name, part.wrong)


def judge_twin(name: str, workbench: Workbench | None = None) -> Entry:
    """Run the check on the part without the slip, and return the rows that did not agree: there should be none.

    Raises:
        ValueError: no such slip.
    """
    part = _named(name)
    return _entry(part, f"{part.name} mended", part.right)


def _named(name: str) -> PartElsewhere:
    if name not in PARTS:
        raise ValueError(f"unknown slip {name!r}; known are {', '.join(PARTS)}")
    return PARTS[name]


def _entry(part: PartElsewhere, name: str, make: Any) -> Entry:
    with np.errstate(all="ignore"):
        report = part.check(make())
    rows, compared, largest = _rows(report)
    return {
        "name": name,
        "description": part.description,
        "check": WRITTEN_ELSEWHERE,
        "probe": "",
        "blamed": part.blames,
        "rows": rows,
        "culprits": [],
        "compared": compared,
        "largest": largest,
    }


def _rows(report: Report) -> tuple[list[Entry], int, float]:
    """Failing tensors, the number of tensors, and the largest error/bound of those that agree."""
    if isinstance(report, TrainingParityReport):
        rows = [{**row, "stage": TRAINING_ELSEWHERE} for row in training_rows(report)]
        return [row for row in rows if not row["agrees"]], len(rows), 0.0
    if isinstance(report, OptimizerReport):
        found = report.first_outside
        failing = [] if found is None else [_row(OPTIMIZER, OPTIMIZER, found[1], "float64", "OUTSIDE")]
        return failing, len(report.distances), 0.0
    largest = max((row.error_over_bound for row in report.rows if row.verdict == "ROUNDING"), default=0.0)
    stage = LOSS if any(row.layer == "loss" for row in report.rows) else LAYER
    failing = []
    for failure in report.failures:
        kind = _kind(failure.tensor, stage)
        failing.append(_row(stage, kind, failure.tensor, failure.dtype, failure.verdict))
        if isinstance(failure, Row):
            failing[-1]["ratio"] = min(failure.error_over_bound, 1e300)
    return failing, len(report.rows), largest


def _row(stage: str, kind: str, tensor: str, dtype: str, verdict: str) -> Entry:
    return {
        "stage": stage,
        "mode": "",
        "dtype": dtype,
        "kind": kind,
        "tensor": tensor,
        "layer": tensor,
        "verdict": verdict,
        "ratio": 0.0,
        "finite": True,
    }


def _kind(tensor: str, stage: str) -> str:
    """Which comparison of a check a row belongs to."""
    of, _, case = tensor.partition(" on ")
    if "kink or tie" in of:
        return CHOICE
    if of.startswith("channel sums of "):
        return CONSERVED
    if case:
        return EDGES
    if stage == LOSS:
        return OUTPUT if of == "loss" else GRADIENT_OF_X
    if of == "dropout mask":
        return MASK
    if of == "gradient of x":
        return GRADIENT_OF_X
    if of.startswith("gradient of "):
        return PARAMETER_GRADIENTS
    return OUTPUT if of == "y" else STATISTICS
