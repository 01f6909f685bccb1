"""Rows of a lock-step training: each tensor after the last step, held to the judge's own envelope alone."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from bridge.lockstep.report import Step, TrainingParityReport

COUNTERS = ("/iterations", "/dropout_call")


def training_rows(report: TrainingParityReport) -> list[dict[str, Any]]:
    """One row a tensor, worst first, each judged as if it were all the two models carried."""
    last = report.steps[-1]
    distances = dict(sorted(report.final.items(), key=lambda item: -item[1]))
    rows = []
    for name, distance in distances.items():
        alone = Step(loss=0.0, parameters=distance, slots=0.0, statistics=0.0, worst=name)
        rows.append(_row(report, name, _kind(name, report), _agrees(report, alone), distance))
    alone = Step(loss=last.loss, parameters=0.0, slots=0.0, statistics=0.0, worst="loss")
    return [*rows, _row(report, "loss", "loss", _agrees(report, alone), last.loss)]


def _agrees(report: TrainingParityReport, alone: Step) -> bool:
    count = len(report.steps)
    # Steps before the last one are left out: they count through the rows of the last one
    before = [Step(0.0, 0.0, 0.0, 0.0, "")] * (count - 1)
    return replace(report, steps=[*before, alone]).first_outside is None


def _kind(name: str, report: TrainingParityReport) -> str:
    if name.endswith(COUNTERS):
        return "counters"
    if name in report.spec.parameter_shapes:
        return "parameters"
    return "statistics" if name in report.spec.variable_shapes else "slots"


def _row(report: TrainingParityReport, name: str, kind: str, agrees: bool, distance: float) -> dict[str, Any]:
    return {
        "stage": "training",
        "mode": "training",
        "dtype": report.dtype,
        "kind": kind,
        "tensor": name,
        "layer": name,
        "agrees": agrees,
        "verdict": "INSIDE" if agrees else "OUTSIDE",
        "ratio": min(distance, 1e300),
        "finite": math.isfinite(distance),
    }
