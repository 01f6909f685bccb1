"""The judge's comparisons as a table, and what is caught and placed when one of them is taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bridge.judge.tensor import VACUOUS
from bridge.selftest.faults.fault import COMPARE, TRAINING

Entry = dict[str, Any]

WRITTEN_ELSEWHERE = "elsewhere"
"""The kind of check, beside those of planted faults."""

LAYER, LOSS, OPTIMIZER = "layer written elsewhere", "loss written elsewhere", "optimizer written elsewhere"
TRAINING_ELSEWHERE = "training of parts written elsewhere"
ELSEWHERE = (LAYER, LOSS, OPTIMIZER, TRAINING_ELSEWHERE)
"""Stages of the checks of parts written elsewhere."""

OUTPUT, GRADIENT_OF_X, PARAMETER_GRADIENTS = "output", "gradient of x", "gradients of parameters"
STATISTICS, MASK, EDGES = "moving statistics", "dropout mask", "everyday and edge inputs"
CHOICE, CONSERVED = "choice at kinks and ties", "sums that poolings conserve"
"""What these checks look at."""


@dataclass(frozen=True)
class Comparison:
    """One thing the judge looks at.

    Attributes:
        name: in the table.
        owns: which rows it makes.
        is_search: True for the search for the culprit, which has no rows of its own.
    """

    name: str
    owns: Callable[[Entry], bool]
    is_search: bool = False


def _of(**wanted: Any) -> Callable[[Entry], bool]:
    return lambda row: all(row[name] == value for name, value in wanted.items())


def _in_training(kind: str) -> Callable[[Entry], bool]:
    return _of(stage="training", kind=kind)


def _of_batch(dtype: str) -> Callable[[Entry], bool]:
    return lambda row: row["dtype"] == dtype and row["stage"] not in ("training", "weights", *ELSEWHERE)


COMPARISONS: tuple[Comparison, ...] = (
    Comparison("values in inference mode", _of(stage="forward", mode="inference")),
    Comparison("values in training mode", _of(stage="forward", mode="training")),
    Comparison("value of the loss", _of(stage="loss gradient", kind="loss")),
    Comparison("gradients of the loss", lambda row: row["stage"] == "loss gradient" and row["kind"] != "loss"),
    Comparison("pullback of a random cotangent", _of(stage="pullback")),
    Comparison("parameter gradients", _of(kind="parameter gradient")),
    Comparison("activation gradients", _of(kind="value gradient")),
    Comparison("input gradient", _of(kind="input gradient")),
    Comparison("sums that poolings conserve", _of(kind="conserved sum")),
    Comparison("float64", _of_batch("float64")),
    Comparison("float32", _of_batch("float32")),
    Comparison("values that are not finite fail", _of(finite=False)),
    Comparison("references that are zero prove nothing", _of(verdict=VACUOUS)),
    Comparison("search for the culprit", lambda row: False, is_search=True),
    Comparison("training: loss", _in_training("loss")),
    Comparison("training: parameters", _in_training("parameters")),
    Comparison("training: optimizer slots", _in_training("slots")),
    Comparison("training: moving statistics", _in_training("statistics")),
    Comparison("training: counters", _in_training("counters")),
    Comparison("equality of copied weights", _of(stage="weights")),
    Comparison("check_layer: output", _of(stage=LAYER, kind=OUTPUT)),
    Comparison("check_layer: gradient of x", _of(stage=LAYER, kind=GRADIENT_OF_X)),
    Comparison("check_layer: gradients of parameters", _of(stage=LAYER, kind=PARAMETER_GRADIENTS)),
    Comparison("check_layer: moving statistics", _of(stage=LAYER, kind=STATISTICS)),
    Comparison("check_layer: dropout mask", _of(stage=LAYER, kind=MASK)),
    Comparison("check_layer: everyday and edge inputs", _of(stage=LAYER, kind=EDGES)),
    Comparison("check_layer: choice at kinks and ties", _of(stage=LAYER, kind=CHOICE)),
    Comparison("check_layer: sums that poolings conserve", _of(stage=LAYER, kind=CONSERVED)),
    Comparison("check_loss: value", _of(stage=LOSS, kind=OUTPUT)),
    Comparison("check_loss: gradient", _of(stage=LOSS, kind=GRADIENT_OF_X)),
    Comparison("check_loss: large logits, one example", _of(stage=LOSS, kind=EDGES)),
    Comparison("check_optimizer: parameters", _of(stage=OPTIMIZER)),
    Comparison("compare_training(model=)", _of(stage=TRAINING_ELSEWHERE)),
)


def rows_without(entry: Entry, comparison: Comparison | None = None) -> list[Entry]:
    """Rows of one fault that are left when a comparison is taken away."""
    return [row for row in entry["rows"] if comparison is None or not comparison.owns(row)]


def is_caught(entry: Entry, comparison: Comparison | None = None) -> bool:
    """True where some row is left that does not agree."""
    return bool(rows_without(entry, comparison))


def blamed(entry: Entry, comparison: Comparison | None = None) -> str:
    """Whom the judge blames by what is left: a layer, or in training and in copying a tensor; "" for nobody."""
    rows = rows_without(entry, comparison)
    if not rows:
        return ""
    searched = [] if comparison is not None and comparison.is_search else _searched(entry, rows)
    if searched:
        first = searched[0]
        return str(first["layer"]) if first["side"] == "NumPy" else f"{first['side']}'s {first['layer']}"
    return str(rows[0]["layer"])


def _searched(entry: Entry, rows: list[Entry]) -> list[Entry]:
    """Culprits of the precisions and modes in which something failed: the search runs only there."""
    places = {(row["dtype"], row["mode"]) for row in rows}
    return [culprit for culprit in entry["culprits"] if (culprit["dtype"], culprit["mode"]) in places]


def is_placed(entry: Entry, comparison: Comparison | None = None) -> bool:
    """True where the one to blame is blamed."""
    found = blamed(entry, comparison)
    if entry["check"] in (COMPARE, WRITTEN_ELSEWHERE):
        return found == entry["blamed"]
    rows = rows_without(entry, comparison)
    if not rows:
        return False
    if entry["check"] == TRAINING:
        return bool({found, rows[0]["kind"]} & set(entry["blamed"].split(" or ")))
    named = {row["tensor"] for row in rows if row["stage"] == "weights"}
    return bool(named) and entry["blamed"] in ("parameters", " and ".join(sorted(named)))


def escaping(entries: list[Entry], comparison: Comparison) -> list[str]:
    """Faults that are caught and placed, and are no longer when the comparison is taken away; unseen ones first."""
    found = [entry for entry in entries if is_caught(entry) and is_placed(entry)]
    unseen = [entry["name"] for entry in found if not is_caught(entry, comparison)]
    misplaced = [entry["name"] for entry in found if is_caught(entry, comparison) and not is_placed(entry, comparison)]
    return [*unseen, *misplaced]
