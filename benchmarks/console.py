"""What the command prints of results: plain text, and tables and marked verdicts where a terminal shows them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.progress import is_terminal

if TYPE_CHECKING:
    from benchmarks.compare import Comparison
    from benchmarks.tables import Table

_GOOD = r"\b(AGREE|PASSED|HELD)\b"
_BAD = r"\b(DIFFER|FAILED|BUG|NOTHING COMPARED|BOTH DIVERGED)\b"


def show(*parts: str | Table | object) -> None:
    """Print results on standard output: text, tables, or whatever has a text.

    On a terminal with rich installed tables are drawn and verdicts marked (NO_COLOR is honoured); elsewhere everything
    is plain, aligned text.
    """
    if is_terminal(sys.stdout):
        try:
            from rich.console import Console
            from rich.text import Text
        except ImportError:
            pass
        else:
            console = Console()
            for part in parts:
                if hasattr(part, "__rich__"):
                    console.print(part)
                    continue
                text = Text(str(part))
                text.highlight_regex(_GOOD, "bold green")
                text.highlight_regex(_BAD, "bold red")
                console.print(text, soft_wrap=True)
            return
    for part in parts:
        print(part)
    sys.stdout.flush()


def comparison_parts(result: Comparison) -> list[str | Table]:
    """One network's whole result, the verdict first, as text and tables."""
    parts: list[str | Table] = [f"{result.verdict}: {result.spec.name}", "parity"]
    parts += [f"  {line}" for line in str(result.parity).splitlines()]
    for report in result.drift:
        parts += ["lock-step training", *(f"  {line}" for line in str(report).splitlines())]
    if result.accuracy is not None:
        parts += [
            "regression" if result.data.is_regression else "accuracy",
            result.accuracy.table(),
            result.accuracy.word(),
        ]
        if len(result.accuracies) > 1:
            differences = [one.difference for one in result.accuracies]
            parts.append(
                f"  over {len(differences)} seeds: differences {' '.join(f'{value:+.4f}' for value in differences)}, "
                f"p = {result.p_value:.3g}"
            )
    if result.speed is not None:
        threads = result.speed.threads
        parts.append(f"speed, float32, {threads} thread{'s' * (threads > 1)}, medians of interleaved samples")
        parts += result.speed.tables()
        parts += [f"  {result.speed.warning}"] if result.speed.warning else []
    return parts
