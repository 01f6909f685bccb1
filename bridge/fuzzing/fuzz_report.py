"""What random networks have shown of a backend: how many agree, and the smallest that differs, as code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.fuzzing.fuzz import Finding, failures
from bridge.fuzzing.random_cases import Case
from model_spec.verdict import ShownInShort, Verdict


@dataclass(repr=False)
class FuzzReport(ShownInShort):
    """What random networks have shown of a backend.

    Attributes:
        side: the backend's name, that of the class which ``make`` returns.
        networks: how many were compared and prove something.
        proves_nothing: how many gave nothing but zeros, on both sides and in truth.
        not_taken: how many the backend does not know (``make`` returned None or raised NotImplementedError).
        finding: the smallest network found that differs, with its comparison or error; None where all agree.
        saved: file of its case, or None.
        dtype: the precision everything was computed in.

    Examples:
        >>> from core_numpy import NumpyModel
        >>> from crosscheck import fuzz
        >>> from model_spec import Dense
        >>> report = fuzz(lambda spec, weights: NumpyModel(spec, weights=weights), networks=5, layers=(Dense,))
        >>> report.passed, report.finding is None
        (True, True)
    """

    side: str = "the backend"
    networks: int = 0
    proves_nothing: int = 0
    not_taken: int = 0
    finding: Finding | None = None
    saved: Path | None = None
    dtype: str = "float32"

    @property
    def verdict(self) -> Verdict:
        """AGREE, DIFFER, or NOTHING COMPARED where no network proved anything."""
        if self.finding is not None:
            return Verdict.DIFFER
        return Verdict.AGREE if self.networks else Verdict.NOTHING_COMPARED

    @property
    def passed(self) -> bool:
        """True where some network proved something, and all agree."""
        return self.verdict == Verdict.AGREE

    @property
    def first_divergence(self) -> Any:
        """The first tensor of the smallest network that differs, the error where one was raised, or None."""
        finding = self.finding
        if finding is None or finding.report is None:
            return finding and finding.error
        return failures(finding.report)[0]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        finding = self.finding
        return {
            "verdict": self.verdict,
            "side": self.side,
            "networks": self.networks,
            "proves_nothing": self.proves_nothing,
            "not_taken": self.not_taken,
            "dtype": self.dtype,
            "case": None if finding is None else finding.case.to_dict(),
            "error": None if finding is None else finding.error,
            "report": None if finding is None or finding.report is None else finding.report.to_dict(),
            "saved": None if self.saved is None else str(self.saved),
        }

    def __str__(self) -> str:
        apart = [
            text
            for count, text in (
                (self.proves_nothing, f"{self.proves_nothing} prove nothing (all zero)"),
                (self.not_taken, f"{self.not_taken} are not known to {self.side}"),
            )
            if count
        ]
        finding = self.finding
        found = "agree" if finding is None else "agree before one that differs"
        lines = [", ".join([f"{self.verdict}: {self.networks} networks on {self.side} {found}, {self.dtype}", *apart])]
        if finding is not None:
            case = finding.case
            lines += ["smallest network found that differs:", *(f"    {line}" for line in _code(case))]
            lines += [f"raised: {finding.error}" if finding.report is None else str(finding.report)]
            if self.saved is not None:
                lines.append(f"again: crosscheck.fuzz(make, replay={str(self.saved)!r})")
        return "\n".join(lines)


def _code(case: Case) -> list[str]:
    return [
        *f"spec = {case.spec!r}".splitlines(),
        f"{case.batch} examples of {case.data!r} inputs, loss {case.loss!r}, seed {case.seed}",
    ]
