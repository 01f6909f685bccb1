"""Tasks of the selftest: the name of one fault or one right variant in, what the judge said as plain data out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from bridge.conventions.comparison import compare_models
from bridge.judge.backends import DTYPES
from bridge.judge.report import ParityReport
from bridge.judge.tensor import TIE, VACUOUS, Row
from bridge.lockstep.training import compare_training
from bridge.selftest.faults import FAULTS, Fault, plant
from bridge.selftest.faults.fault import COMPARE, COPY, TRAINING, Planted
from bridge.selftest.faults.probes import PROBES
from bridge.selftest.training_rows import training_rows
from bridge.selftest.variants import VARIANTS
from bridge.selftest.workbench import SEED, WithoutWeights, Workbench, fresh_keras, fresh_numpy
from core_numpy import NumpyModel
from model_spec import ModelSpec

NUMPY, KERAS = "NumPy", "Keras"

Entry = dict[str, Any]


def judge_fault(name: str, workbench: Workbench | None = None) -> Entry:
    """Plant one fault, run the check that must catch it, and return the rows that did not agree.

    Raises:
        ValueError: no such fault.
    """
    fault = _named(name, FAULTS, "fault")
    with np.errstate(all="ignore"):
        return _FAULT_CHECKS[fault.check](fault, workbench or Workbench())


def judge_variant(name: str, workbench: Workbench | None = None) -> Entry:
    """Plant one right variant, and return the rows that did not agree: there should be none.

    Raises:
        ValueError: no such variant.
    """
    variant = _named(name, VARIANTS, "variant")
    if variant.training is not None:
        found = _trained(variant)
    else:
        found = _compared(variant, workbench or Workbench(), locate=False)
    return {key: found[key] for key in ("name", "check", "rows", "compared", "largest")}


def judge_probe(name: str, workbench: Workbench | None = None) -> Entry:
    """Compare a probe as it is: a fault caught on a probe that never agrees would prove nothing.

    Raises:
        ValueError: no such probe.
    """
    probe = _named(name, PROBES, "probe")
    rows, compared, largest = [], 0, 0.0
    for dtype in DTYPES:
        theirs = (workbench or Workbench()).keras(name, dtype)
        sides = (fresh_numpy(probe, dtype), theirs)
        report = compare_models(*sides, probe.x, probe.y, SEED, probe.loss, (NUMPY, KERAS), locate=False)
        rows += [row for row in _failures(report) if row["verdict"] != VACUOUS]
        compared += len(report.rows)
        largest = max(largest, _largest(report))
    return {
        "name": f"{name} unchanged",
        "check": COMPARE,
        "rows": rows,
        "compared": compared,
        "largest": largest,
    }


def _named(name: str, table: dict[str, Any], what: str) -> Any:
    if name not in table:
        raise ValueError(f"unknown {what} {name!r}; known are {', '.join(table)}")
    return table[name]


def _compared(change: Planted, workbench: Workbench, locate: bool = True) -> Entry:
    probe = PROBES[change.probe]
    rows: list[Entry] = []
    culprits: list[Entry] = []
    blamed, compared, largest = "", 0, 0.0
    for dtype in DTYPES:
        ours = fresh_numpy(probe, dtype)
        blamed = change.plant(ours, change.at)
        theirs = workbench.keras(change.probe, dtype)
        report = compare_models(ours, theirs, probe.x, probe.y, SEED, probe.loss, (NUMPY, KERAS), locate)
        rows += _failures(report)
        culprits += _culprits(report)
        compared += len(report.rows)
        largest = max(largest, _largest(report))
    return {**_entry(change, COMPARE, blamed, rows, culprits, compared), "largest": largest}


def _trained(change: Planted, workbench: Workbench | None = None) -> Entry:
    probe = PROBES[change.probe]
    if change.training is None:
        raise ValueError(f"{change.name!r} has no training run; give it training=TrainingSpec(...)")
    report = compare_training(probe.spec, probe.x, probe.y, change.training, change.steps, SEED, prepare=plant(change))
    rows = training_rows(report)
    failing = [row for row in rows if not row["agrees"]]
    return _entry(change, TRAINING, change.blames or "", failing, [], len(rows))


def _copied(fault: Fault, workbench: Workbench) -> Entry:
    probe = PROBES[fault.probe]
    rows: list[Entry] = []
    culprits: list[Entry] = []
    compared = 0
    for dtype in DTYPES:
        ours, theirs = fresh_numpy(probe, dtype), fresh_keras(probe, dtype)
        if fault.copying is None:
            raise ValueError(f"{fault.name!r} copies nothing; give it copying=...")
        theirs.set_weights(fault.copying(ours.weights))
        rows += _weight_rows(ours, theirs, fault, dtype)
        report = compare_models(
            ours, WithoutWeights(theirs), probe.x, probe.y, SEED, probe.loss, (NUMPY, KERAS), locate=False
        )
        rows += _failures(report)
        compared += len(report.rows) + len(ours.weights)
    return _entry(fault, COPY, fault.blames or "", rows, culprits, compared)


def _weight_rows(ours: NumpyModel, theirs: Any, fault: Fault, dtype: str) -> list[Entry]:
    """The variables that the judge refuses to go on with."""
    probe = PROBES[fault.probe]
    try:
        compare_models(ours, theirs, probe.x, probe.y, SEED, probe.loss, locate=False)
    except ValueError as error:
        names = re.search(r"different weights \(([^)]*)\)", str(error))
        if names is None:
            raise
        return [
            {"stage": "weights", "mode": "", "dtype": dtype, "kind": "weights", "tensor": name, "layer": name}
            | {"verdict": "REFUSED", "finite": True}
            for name in names.group(1).split(", ")
        ]
    return []


_FAULT_CHECKS: dict[str, Callable[[Fault, Workbench], Entry]] = {COMPARE: _compared, TRAINING: _trained, COPY: _copied}


def _entry(change: Planted, check: str, blamed: str, rows: list[Entry], culprits: list[Entry], compared: int) -> Entry:
    return {
        "name": change.name,
        "description": change.description,
        "check": check,
        "probe": change.probe,
        "blamed": blamed,
        "rows": rows,
        "culprits": culprits,
        "compared": compared,
        "largest": 0.0,
    }


def _largest(report: ParityReport) -> float:
    """Largest error/bound of the rows that rounding explains."""
    return max((row.error_over_bound for row in report.rows if row.agrees and row.verdict != TIE), default=0.0)


def _failures(report: ParityReport) -> list[Entry]:
    return [_row(row, report.spec) for row in report.failures]


def _culprits(report: ParityReport) -> list[Entry]:
    return [{**_row(local.row, report.spec), "side": local.side} for local in report.culprits]


def _row(row: Row, spec: ModelSpec) -> Entry:
    return {
        "stage": row.stage,
        "mode": row.mode,
        "dtype": row.dtype,
        "kind": _kind(row.tensor, spec),
        "tensor": row.tensor,
        "layer": row.layer,
        "verdict": row.verdict,
        "ratio": min(row.error_over_bound, 1e300),
        "finite": bool(np.isfinite(row.values).all()),
    }


def _kind(tensor: str, spec: ModelSpec) -> str:
    """What sort of tensor a row is about."""
    if tensor == "loss":
        return "loss"
    if tensor.startswith("channel sums of "):
        return "conserved sum"
    if not tensor.startswith("gradient of "):
        return "value"
    of = tensor.removeprefix("gradient of ")
    return "input gradient" if of == "x" else "parameter gradient" if of in spec.parameter_shapes else "value gradient"
