"""ParityReport: the verdict of a comparison first, then the numbers, as text, JSON and HTML."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

from bridge.judge.bounds import SAFETY
from bridge.judge.explanation import Explain, Explanation
from bridge.judge.heat_map import heat_map
from bridge.judge.local import LocalRow, Observed, judge_alone
from bridge.judge.tensor import BUG, CONVENTION, DIVERGED, TIE, VACUOUS, Row
from model_spec import ModelSpec, to_dict
from model_spec.verdict import ShownInShort, Verdict, combine, json_text

_SHOWN_FAILURES = 12


@dataclass(repr=False)
class ParityReport(ShownInShort):
    """Everything one comparison found.

    Attributes:
        spec: the network.
        seed: of the random variables and cotangents.
        sides: names of the two sides.
        rows: one per tensor, in computing order.
        prepared: what was done to the NumPy side beforehand, such as a planted fault.
        local: each layer of each side judged alone (see ``bridge.judge.local``); only where the comparison failed.
        explanations: known conventions that explain culprits (see ``bridge.conventions``).
        slips: what is wrong with culprits that follow none, in words, where it is known.
        unexplained: (side, layer) of culprits that, in some mode, none explains.
        uncertain: kinks and ties whose side rounding may decide (relu at zero, equal cells in max pooling).
        left_out: what was not compared, and why, half a sentence each.
        notes: what a reader should know, such as constants that are right both exactly and rounded.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> from bridge import compare, plant
        >>> report = compare(spec, x, y, prepare=plant("missing-bias"))
        >>> report.passed, report.first_divergence.tensor
        (False, 'dense/preactivation')
    """

    spec: ModelSpec
    seed: int
    sides: tuple[str, str]
    rows: list[Row] = field(default_factory=list)
    prepared: str | None = None
    uncertain: int = 0
    local: list[LocalRow] = field(default_factory=list)
    explanations: list[Explanation] = field(default_factory=list)
    slips: list[Explanation] = field(default_factory=list)
    unexplained: set[tuple[str, str]] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def failures(self) -> list[Row]:
        """The rows that no rounding and no tie explains."""
        return [row for row in self.rows if not row.agrees]

    @property
    def passed(self) -> bool:
        """True where something was compared and every tensor agrees."""
        return self.verdict == Verdict.AGREE

    @property
    def verdict(self) -> Verdict:
        """AGREE, DIFFER, NOTHING COMPARED (no tensor, or some that prove nothing), or BOTH DIVERGED."""
        return combine(row.conclusion for row in self.rows)

    @property
    def first_divergence(self) -> Row | None:
        """The first tensor the sides part at, in computing order: forward, loss, then backward from the last layer."""
        return next((row for row in self.failures if row.verdict != VACUOUS), None)

    @property
    def why(self) -> str:
        """What a verdict that is neither AGREE nor DIFFER comes from, and what helps; "" for these."""
        if self.verdict == Verdict.BOTH_DIVERGED:
            return "both sides leave the finite numbers in the same places; scale the inputs, or give other weights"
        still = [row for row in self.rows if row.verdict == VACUOUS]
        if self.verdict != Verdict.NOTHING_COMPARED or not still:
            return ""
        return (
            f"{len(still)} tensors are all zero on both sides, which proves nothing, the first one {still[0].tensor} "
            f"({still[0].stage}): outputs that saturate or units that are dead; scale the inputs, or give other weights"
        )

    def mark_diverged(self, first_row: int) -> None:
        """Behind values that are not finite on both sides alike, other NaN and infinities have no right form."""
        diverged = False
        for at, row in enumerate(self.rows[first_row:], first_row):
            if diverged and row.verdict == BUG and not isfinite(row.error):
                self.rows[at] = replace(row, verdict=DIVERGED)
            diverged |= row.verdict == DIVERGED

    def add_local(self, observed: Observed, explain: Explain) -> None:
        """Judge every layer of one side alone, and let ``explain`` look for conventions behind those that fail."""
        local = judge_alone(observed)
        failing = [one for one in local if not one.row.agrees and one.row.verdict != VACUOUS]
        self.local += local
        # In each mode anew: a layer that follows a convention in one may have another fault in the other
        found = explain(observed, failing)
        self.slips += [one for one in found if one.is_slip and one not in self.slips]
        found = [one for one in found if not one.is_slip]
        self.explanations += [one for one in found if one not in self.explanations]
        explained = {one.layer for one in found}
        self.unexplained |= {(one.side, one.row.layer) for one in failing if one.row.layer not in explained}

    def name_conventions(self, first_row: int) -> None:
        """Call the failing rows from this one on CONVENTION, if a known one explains every culprit.

        Each layer, given its own input, is then right by some convention, so no tensor differs for another reason.
        """
        if self.culprits and not self.unexplained:
            named = [replace(row, verdict=CONVENTION) if row.verdict == BUG else row for row in self.rows[first_row:]]
            self.rows[first_row:] = named

    def name_conventions_everywhere(self) -> None:
        """Carry CONVENTION over to the other precisions and paths, whose layers were not judged alone."""
        named = {(row.mode, row.stage, row.tensor) for row in self.rows if row.verdict == CONVENTION}
        bugs = {(row.mode, row.stage, row.tensor) for row in self.rows if row.verdict == BUG}
        if bugs <= named:
            self.rows = [replace(row, verdict=CONVENTION) if row.verdict == BUG else row for row in self.rows]

    @property
    def culprits(self) -> list[LocalRow]:
        """Layers whose own error leaves their own bound, given their own input; the first one is to blame."""
        return [local for local in self.local if not local.row.agrees and local.row.verdict != VACUOUS]

    def worst(self, rows: Iterable[Row], figure: str) -> Row | None:
        """The row with the largest ``figure``, an attribute name of :class:`Row`.

        Ties come last: any side of one is right, so how far two sides lie apart says nothing.
        """
        return max(rows, key=lambda row: (row.verdict != TIE, getattr(row, figure)), default=None)

    def select(self, **wanted: str) -> list[Row]:
        """Rows with these attribute values, e.g. ``select(dtype="float32", stage="forward")``."""
        return [row for row in self.rows if all(getattr(row, name) == value for name, value in wanted.items())]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        first = self.first_divergence
        return {
            "verdict": self.verdict,
            "passed": self.passed,
            "spec": to_dict(self.spec),
            "seed": self.seed,
            "sides": list(self.sides),
            "safety": SAFETY,
            "prepared": self.prepared,
            "uncertain_kinks_and_ties": self.uncertain,
            "left_out": self.left_out,
            "notes": self.notes,
            "first_divergence": None if first is None else first.to_dict(),
            "culprits": [{"side": local.side, **local.row.to_dict()} for local in self.culprits],
            "explanations": [vars(explanation) for explanation in self.explanations],
            "slips": [vars(slip) for slip in self.slips],
            "rows": [row.to_dict() for row in self.rows],
        }

    def to_json(self) -> str:
        """Everything as JSON text."""
        return json_text(self.to_dict())

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>{heat_map(self.rows)}"

    def _lines(self) -> list[str]:
        compared = f"{len(self.rows)} tensors compared"
        lines = [f"{self.verdict}: {self.spec.name} {self.spec.input_shape}, {' and '.join(self.sides)}, {compared}"]
        if self.prepared:
            lines.append(self.prepared)
        lines += [f"left out: {part}" for part in self.left_out]
        lines += [f"note: {note}" for note in self.notes]
        lines += [self.why] if self.why else []
        first = self.first_divergence
        if first is not None:
            path = "" if first.path == "eager" else f", {first.path}"
            lines.append(
                f"first divergence: layer {first.layer!r}, {first.stage}, {first.tensor} "
                f"({first.dtype}, {first.mode}{path})"
            )
        for side, layer in dict.fromkeys((local.side, local.row.layer) for local in self.culprits):
            worst = max(
                (local.row for local in self.culprits if (local.side, local.row.layer) == (side, layer)),
                key=lambda row: row.error_over_bound,
            )
            lines.append(
                f"culprit: {layer!r} of {side}, judged alone on its own input: {worst.stage}, {worst.tensor}, "
                f"error/bound {worst.error_over_bound:.3g}"
            )
        lines += [f"explained: {explanation}" for explanation in [*self.explanations, *self.slips]]
        ties = sum(row.verdict == TIE for row in self.rows)
        lines.append(
            f"bound = {SAFETY:g} standard deviations of the derived rounding error; at most 1 is rounding; "
            f"{ties} tensors differ by ties ({self.uncertain} kinks and ties within rounding)"
        )
        lines.append(f"{'':34}{'error/scale':>12}{'error/bound':>12}  worst tensor")
        for dtype, path, mode, stage in dict.fromkeys((row.dtype, row.path, row.mode, row.stage) for row in self.rows):
            lines += self._summary_line(dtype, path, mode, stage)
        lines += self._nearer_lines()
        lines += self._failure_lines()
        return lines

    def _summary_line(self, dtype: str, path: str, mode: str, stage: str) -> list[str]:
        rows = self.select(dtype=dtype, path=path, mode=mode, stage=stage)
        scale, ratio = self.worst(rows, "error_over_scale"), self.worst(rows, "error_over_bound")
        if scale is None or ratio is None:
            return []
        label = f"{dtype} {path} {mode} {stage.replace('loss gradient', 'gradients')}"
        figures = f"{scale.error_over_scale:>12.2e}{ratio.error_over_bound:>12.3g}"
        return [f"{label:<34}{figures}  {ratio.tensor}"]

    def _nearer_lines(self) -> list[str]:
        rows = [row for row in self.select(dtype="float32") if row.nearer != "equal"]
        if not rows:
            return []
        counts = [sum(row.nearer == side for row in rows) for side in ("first", "second")]
        return [
            f"nearer to the float64 truth (float32 tensors): {self.sides[0]} {counts[0]}, {self.sides[1]} {counts[1]}"
        ]

    def _failure_lines(self) -> list[str]:
        failures = self.failures
        if not failures:
            return []
        counts = Counter(row.verdict for row in failures)
        by_verdict = "".join(f", {verdict} {count}" for verdict, count in sorted(counts.items()))
        lines = [f"{len(failures)} failing tensors{by_verdict}:"]
        for row in failures[:_SHOWN_FAILURES]:
            a, b, truth = row.values
            place = f"{row.dtype} {row.path} {row.mode} {row.stage}: {row.tensor}{list(row.index) if row.index else ''}"
            lines.append(
                f"  {row.verdict} {place} = {a:.9g} and {b:.9g}, truth {truth:.9g}; error/bound "
                f"{row.error_over_bound:.3g}, {row.failing} of {row.size} entries; nearer: {self._side(row.nearer)}"
            )
        if len(failures) > _SHOWN_FAILURES:
            lines.append(f"  ... and {len(failures) - _SHOWN_FAILURES} more (all in report.failures)")
        return lines

    def _side(self, nearer: str) -> str:
        return {"first": self.sides[0], "second": self.sides[1]}.get(nearer, "neither")
