"""LayerReport: what was found about one foreign layer, the verdict first, as text, JSON and HTML."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

from bridge.judge.bounds import SAFETY
from bridge.judge.tensor import BUG, Row
from bridge.outside.formulas import how_it_should_be
from model_spec.verdict import ShownInShort, Verdict, combine

_TEXT_LIMIT = 600


@dataclass(frozen=True)
class Broken:
    """A tensor that could not be judged because the layer failed: it raised, gave a wrong shape, or nothing."""

    tensor: str
    dtype: str
    message: str
    raised: bool = False
    verdict: str = BUG

    def __str__(self) -> str:
        return f"{self.verdict} {self.dtype}: {self.tensor}: {self.message}"


@dataclass(frozen=True)
class KerasBeside:
    """What real Keras gave for the same tensor: its own error over the bound, and its value at the row's index."""

    error_over_bound: float
    value: float


@dataclass(repr=False)
class LayerReport(ShownInShort):
    """Everything one check of a foreign layer found.

    Attributes:
        layer: the foreign layer's class.
        claim: the specification it was held against, as one would write it, and the input shape.
        mode: "inference" or "training".
        rows: one per tensor and precision, in computing order; first side the layer, second side the float64 truth.
        broken: what could not be judged because the layer failed.
        notes: what a reader should know about the check, e.g. that there was no backward.
        explanations: what is wrong with tensors that differ, in words, where it is known.
        keras: real Keras' figures for the rows, by (dtype, tensor), where asked for.
        tried: what the layer was fed, stage by stage.
        left_out: what was not judged, and how to have it judged.
        hints: how much the text says of what is wrong: 1 where (causes are not looked for), 2 also what, 3 also how.
        spec_layer: the claim itself, for the reference's formulas and code.
        searched: whether the cause was looked for already.

    Examples:
        >>> class Relu:
        ...     def forward(self, x):
        ...         self.mask = x > 0
        ...         return x * self.mask
        ...     def backward(self, dy):
        ...         return dy * self.mask
        >>> from bridge import check_layer
        >>> from model_spec import LeakyReLU
        >>> report = check_layer(Relu(), LeakyReLU(0.1), input_shape=(5,))
        >>> report.passed, report.first_divergence.tensor
        (False, 'y')
    """

    layer: str
    claim: str
    mode: str
    rows: list[Row] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    explanations: list[str] = field(default_factory=list)
    keras: dict[tuple[str, str], KerasBeside] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    hints: int = 2
    spec_layer: Any = None
    searched: bool = False

    def checkpoint(self) -> dict[str, Any]:
        """What was found so far, for :meth:`roll_back`."""
        return {
            "rows": list(self.rows),
            "broken": list(self.broken),
            "notes": list(self.notes),
            "keras": dict(self.keras),
        }

    def roll_back(self, checkpoint: dict[str, Any]) -> None:
        """Forget what was found since."""
        for name, value in checkpoint.items():
            setattr(self, name, value.copy())

    def failures_since(self, checkpoint: dict[str, Any]) -> int:
        """How much is wrong that was not found before."""
        rows, broken = len(checkpoint["rows"]), len(checkpoint["broken"])
        return len(self.broken) - broken + sum(not row.agrees for row in self.rows[rows:])

    @property
    def failures(self) -> list[Row | Broken]:
        """What no rounding and no tie explains: for each precision rows in computing order, then what broke."""
        found: list[Row | Broken] = []
        for dtype in dict.fromkeys([row.dtype for row in self.rows] + [broken.dtype for broken in self.broken]):
            found += [row for row in self.rows if row.dtype == dtype and not row.agrees]
            found += [broken for broken in self.broken if broken.dtype == dtype]
        return found

    @property
    def passed(self) -> bool:
        """True where something was judged and every tensor agrees."""
        return self.verdict == Verdict.AGREE

    @property
    def verdict(self) -> Verdict:
        """AGREE, DIFFER, NOTHING COMPARED (no tensor, or some that prove nothing), or BOTH DIVERGED."""
        return combine([row.conclusion for row in self.rows] + [Verdict.DIFFER for _ in self.broken])

    @property
    def first_divergence(self) -> Row | Broken | None:
        """The first failing tensor in computing order: y, the gradients of parameters, the gradient of x."""
        return next(iter(self.failures), None)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        first = self.first_divergence
        return {
            "verdict": self.verdict,
            "passed": self.passed,
            "layer": self.layer,
            "claim": self.claim,
            "mode": self.mode,
            "safety": SAFETY,
            "first_divergence": None if first is None else first.tensor,
            "rows": [row.to_dict() | self._keras_entry(row) for row in self.rows],
            "broken": [vars(broken) for broken in self.broken],
            "notes": list(self.notes),
            "explanations": list(self.explanations),
            "tried": list(self.tried),
            "left_out": list(self.left_out),
        }

    def _keras_entry(self, row: Row) -> dict[str, Any]:
        beside = self.keras.get((row.dtype, row.tensor))
        return {} if beside is None else {"keras": vars(beside)}

    def __str__(self) -> str:
        lines = [f"{self.verdict}: {self.layer} as {self.claim}, {self.mode}, {len(self.rows)} tensors judged"]
        first = self.first_divergence
        if first is not None:
            lines.append(f"first failing tensor: {first.tensor} ({first.dtype})")
        if self.hints >= 2:
            lines += [f"explained: {explanation}" for explanation in self.explanations]
        if self.hints >= 3 and first is not None and self.spec_layer is not None:
            lines += how_it_should_be(self.spec_layer, first.tensor)
        if self.tried:
            lines.append(f"tried: {', '.join(self.tried)}")
        lines += [f"left out: {part}" for part in self.left_out]
        lines += [f"note: {note}" for note in self.notes]
        lines.append(f"bound = {SAFETY:g} standard deviations of the derived rounding error; at most 1 is rounding")
        heading = f"{'':30}{'verdict':>10}{'error/scale':>13}{'error/bound':>13}"
        lines.append(heading + (f"{'Keras':>10}" if self.keras else ""))
        for row in self.rows:
            label = f"{row.dtype} {row.tensor}"
            line = f"{label:<30}{row.verdict:>10}{row.error_over_scale:>13.2e}{row.error_over_bound:>13.3g}"
            beside = self.keras.get((row.dtype, row.tensor))
            lines.append(line + ("" if beside is None else f"{beside.error_over_bound:>10.3g}"))
        if self.failures:
            lines.append(f"{len(self.failures)} failing tensors:")
            # What fails alike in every draw and precision is said once
            alike: dict[tuple[str, str], list[Row | Broken]] = {}
            for failure in self.failures:
                said = failure.message if isinstance(failure, Broken) else self._failure(failure)
                alike.setdefault((failure.tensor, said), []).append(failure)
            for each in alike.values():
                count = f" ({len(each)} cases)" if len(each) > 1 else ""
                lines.append(f"  {self._failure(each[0])}{count}")
        return "\n".join(lines)

    def _failure(self, failure: Row | Broken) -> str:
        if isinstance(failure, Broken):
            return str(failure)[:_TEXT_LIMIT]
        given, _, truth = failure.values
        beside = self.keras.get((failure.dtype, failure.tensor))
        keras = "" if beside is None else f", Keras {beside.value:.9g}"
        index = list(failure.index) if failure.index else ""
        return (
            f"{failure.verdict} {failure.dtype} {failure.stage}: {failure.tensor}{index} = {given:.9g}{keras}, "
            f"truth {truth:.9g}; error/bound {failure.error_over_bound:.3g}, "
            f"{failure.failing} of {failure.size} entries"
        )

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"
