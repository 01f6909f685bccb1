"""SelftestReport: which faults were caught and placed, which right variants accepted, which comparisons needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bridge.selftest.comparisons import COMPARISONS, Entry, blamed, escaping, is_caught, is_placed


@dataclass
class SelftestReport:
    """What the selftest found.

    Attributes:
        faults: one entry a planted fault, or a slip in a part written elsewhere (see ``bridge.selftest.tasks``).
        variants: one entry a right variant, or such a part without its slip.
        probes: one entry a probe network that was compared as it is.
        whole: True where all faults were run: only then can a comparison be called redundant.
        seconds: how long it took.
    """

    faults: list[Entry] = field(default_factory=list)
    variants: list[Entry] = field(default_factory=list)
    probes: list[Entry] = field(default_factory=list)
    whole: bool = True
    seconds: float = 0.0

    @property
    def missed(self) -> list[str]:
        """Faults the judge did not notice."""
        return [entry["name"] for entry in self.faults if not is_caught(entry)]

    @property
    def misplaced(self) -> list[str]:
        """Faults that were noticed, and somebody else was blamed."""
        return [entry["name"] for entry in self.faults if is_caught(entry) and not is_placed(entry)]

    @property
    def accused(self) -> list[str]:
        """Right variants, and probes as they are, that were called a bug."""
        return [entry["name"] for entry in (*self.variants, *self.probes) if entry["rows"]]

    @property
    def largest(self) -> float:
        """The largest error/bound that an accepted variant or probe came to: how far the judge is from accusing one."""
        return max((entry["largest"] for entry in (*self.variants, *self.probes)), default=0.0)

    @property
    def removal(self) -> dict[str, list[str]]:
        """{comparison: faults that escape without it}; empty unless all faults were run."""
        if not self.whole:
            return {}
        return {comparison.name: escaping(self.faults, comparison) for comparison in COMPARISONS}

    @property
    def redundant(self) -> list[str]:
        """Comparisons without which every fault is still caught and placed."""
        return [name for name, faults in self.removal.items() if not faults]

    @property
    def passed(self) -> bool:
        """True where something was run, every fault caught and placed, no variant accused, no comparison redundant."""
        anything = bool(self.faults or self.variants or self.probes)
        return anything and not (self.missed or self.misplaced or self.accused or self.redundant)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return {
            "passed": self.passed,
            "seconds": round(self.seconds, 1),
            "counts": {
                "faults": len(self.faults),
                "variants": len(self.variants),
                "probes": len(self.probes),
                "comparisons": len(COMPARISONS),
                "tensors": sum(entry["compared"] for entry in (*self.faults, *self.variants, *self.probes)),
            },
            "missed": self.missed,
            "misplaced": self.misplaced,
            "accused": self.accused,
            "redundant": self.redundant,
            "largest_error_over_bound_of_right_variants": self.largest,
            "removal": self.removal,
            "faults": [_judged(entry) for entry in self.faults],
            "variants": [{**entry, "accepted": not entry["rows"]} for entry in (*self.variants, *self.probes)],
        }

    def __str__(self) -> str:
        lines = ["fault                                     check     to blame                  blamed"]
        lines += [_fault_line(entry) for entry in self.faults]
        if self.removal:
            lines += ["", "without the comparison of ...             these faults escape"]
            lines += [
                f"{name:<42}{_some(faults) or 'NONE: redundant, or not made'}" for name, faults in self.removal.items()
            ]
        lines += ["", *self._summary()]
        return "\n".join(lines)

    def _summary(self) -> list[str]:
        caught = len(self.faults) - len(self.missed)
        right = len(self.variants) + len(self.probes)
        lines = [
            f"{'PASSED' if self.passed else 'FAILED'}: {caught} of {len(self.faults)} faults caught, "
            f"{caught - len(self.misplaced)} placed; {right - len(self.accused)} of {right} right variants accepted "
            f"(largest error/bound {self.largest:.3g}); {len(self.redundant)} of {len(self.removal)} comparisons "
            f"redundant; {self.seconds:.0f} s"
        ]
        for title, names in (
            ("not caught", self.missed),
            ("not placed", self.misplaced),
            ("right, and called a bug", self.accused),
            ("redundant", self.redundant),
        ):
            if names:
                lines.append(f"{title}: {', '.join(names)}")
        return lines


def _judged(entry: Entry) -> Entry:
    found = {"caught": is_caught(entry), "placed": is_placed(entry), "found": blamed(entry)}
    return {**entry, **found}


def _fault_line(entry: Entry) -> str:
    found = blamed(entry) or "NOT CAUGHT"
    word = "" if is_placed(entry) or not is_caught(entry) else "  NOT PLACED"
    expected = entry["blamed"] if len(entry["blamed"]) < 25 else f"{entry['blamed'][:22]}..."
    return f"{entry['name']:<42}{entry['check']:<10}{expected:<26}{found}{word}"


def _some(names: list[str], shown: int = 2) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
