"""What a campaign of random networks has shown so far: counts, kinds of findings, and how far below the bound."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from model_spec.verdict import Verdict, combine, largest, plain

_BAR = 40
_LOWEST_DECADE = -8


@dataclass
class FuzzSummary:
    """Adds up the results of ``bridge.fuzzing.tasks.compare_chunk``.

    Attributes:
        networks: number of networks compared.
        ratios: error/bound of every tensor by precision; ties and vacuous tensors have none.
        ties: tensors whose difference a tie explains.
        vacuous: tensors that are zero on both sides and in truth.
        zeros: networks whose output is zero on both sides and in truth; their forward pass proves nothing.
        planted: networks a fault was planted in.
        kinds: findings by kind; of each the first one found and its chunk, and how many there are.
        failed: errors of the chunks that could not be computed.
    """

    networks: int = 0
    ratios: dict[str, list[float]] = field(default_factory=dict)
    ties: int = 0
    vacuous: int = 0
    zeros: int = 0
    planted: int = 0
    kinds: dict[str, tuple[int, dict[str, Any], int]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def add(self, chunk: int, result: dict[str, Any]) -> None:
        """Add what ``compare_chunk`` returned for this chunk."""
        for network in result["networks"]:
            self.networks += 1
            self.ties += network["ties"]
            self.vacuous += network["vacuous"]
            self.zeros += network["gives_zeros"]
            self.planted += network["planted"]
            for kind, figures in network["figures"].items():
                # A saved infinity is the word for it
                self.ratios.setdefault(kind.partition(" ")[0], []).extend(map(float, figures))
        for finding in result["findings"]:
            known = self.kinds.get(finding["kind"])
            # The first chunk's, so that the order of finishing does not matter
            first, example = (chunk, finding) if known is None or chunk < known[0] else known[:2]
            self.kinds[finding["kind"]] = (first, example, 1 + (0 if known is None else known[2]))

    @property
    def findings(self) -> int:
        """Number of networks that differ."""
        return sum(count for _, _, count in self.kinds.values())

    @property
    def verdict(self) -> Verdict:
        """DIFFER, FAILED where some chunk could not be computed, AGREE, or NOTHING COMPARED."""
        found = [Verdict.DIFFER for _ in self.kinds] + [Verdict.FAILED for _ in self.failed]
        return combine(found + [Verdict.AGREE] * bool(self.networks > self.zeros and self.ratios))

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain numbers and strings; a ratio that is not finite becomes a string."""
        single = self.ratios.get("float32", [])
        return {
            "verdict": self.verdict,
            "networks": self.networks,
            "differing": self.findings,
            "kinds": {kind: count for kind, (_, _, count) in sorted(self.kinds.items())},
            "planted": self.planted,
            "failed_chunks": len(self.failed),
            "tensors": sum(len(values) for values in self.ratios.values()) + self.ties + self.vacuous,
            "ties": self.ties,
            "vacuous": self.vacuous,
            "zero_outputs": self.zeros,
            "float32_tensors": len(single),
            "largest_error_over_bound": plain(largest(single)),
            "median_error_over_bound": median(single) if single else 0.0,
            "histogram": self.histogram(),
        }

    def histogram(self) -> dict[str, dict[str, int]]:
        """Number of tensors by precision and decade of error/bound, in rising order."""
        found = {dtype: [_decade(value) for value in values] for dtype, values in self.ratios.items()}
        decades = sorted({decade for values in found.values() for decade in values})
        return {
            dtype: {_decade_name(decade): values.count(decade) for decade in decades}
            for dtype, values in sorted(found.items())
        }

    def lines(self) -> list[str]:
        """The summary as text: the verdict and its figures, the histogram, and the kinds of findings."""
        facts = self.to_dict()
        lines = [
            f"{facts['verdict']}: {self.networks} networks, {facts['tensors']} tensors ({self.ties} ties, "
            f"{self.vacuous} zero on both sides), {self.findings} networks differ",
            f"float32 error/bound over {facts['float32_tensors']} tensors: largest "
            f"{float(facts['largest_error_over_bound']):.3g}, median {facts['median_error_over_bound']:.3g}",
        ]
        for dtype, counts in facts["histogram"].items():
            lines.append(f"{dtype} tensors by error/bound")
            most = max(counts.values())
            for name, count in counts.items():
                lines.append(f"  {name:>14} {count:>8} {'#' * math.ceil(_BAR * count / most)}".rstrip())
        if self.zeros:
            lines.append(f"{self.zeros} networks give zeros alone, on both sides: they neither agree nor differ")
        if self.planted:
            lines.append(f"a fault was planted in {self.planted} networks")
        lines += [f"{count} networks differ first in {kind}" for kind, count in facts["kinds"].items()]
        return lines


def _decade(ratio: float) -> float:
    if ratio == 0:
        return -math.inf
    if not ratio < 1:
        return 0  # beyond the bound is beyond the bound
    return max(_LOWEST_DECADE, math.floor(math.log10(ratio)))


def _decade_name(decade: float) -> str:
    if decade == -math.inf:
        return "equal"
    if decade == _LOWEST_DECADE:
        return f"below 1e{_LOWEST_DECADE + 1}"
    if decade >= 0:
        return "over 1"
    return f"1e{decade:.0f} to {'1' if decade == -1 else f'1e{decade + 1:.0f}'}"
