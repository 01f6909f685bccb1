"""A row's summary in words: names of figures, values with their spread, differences with their interval, verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from benchmarks.reproduction.experiment import FRESH_SEEDS, Row
from benchmarks.reproduction.statistics import CONFIDENCE, Paired, deviation, mean
from benchmarks.reproduction.summary import Line, RowSummary

NAMES = (("numpy", "NumPy"), ("keras", "Keras"))
"""The backends as a text calls them."""

NO_ACCURACY = "have no accuracy here"


def backends_word(summary: RowSummary) -> str:
    """How the backends compare, to stand behind "the backends"."""
    if not summary.seeds:
        return "not run yet"
    if not summary.pairs:
        return NO_ACCURACY
    if summary.seeds < summary.wanted:
        word = "agree so far" if summary.agrees else "are undecided"
        return f"{word}, {summary.seeds} of {summary.wanted} seeds run"
    if summary.fresh is None:
        return "agree" if summary.agrees else "DIFFER"
    if summary.fresh < len(FRESH_SEEDS):
        return f"are undecided, {summary.fresh} of {len(FRESH_SEEDS)} fresh seeds run"
    doubted = sum(line.in_doubt for line in summary.lines)
    asked = f"{doubted} of {len(summary.pairs)} differences asked again of {summary.fresh} fresh seeds"
    return f"{'agree' if summary.agrees else 'DIFFER'}, {asked}"


def chance(summaries: Iterable[RowSummary]) -> str:
    """How many of all plain intervals miss zero, beside how many do so by chance."""
    pairs = [pair for summary in summaries for pair in summary.pairs]
    able = sum(pair.can_miss_zero for pair in pairs)
    return (
        f"{len(pairs)} accuracies are compared; {len(pairs) - able} of them are equal in every seed or have one seed "
        f"only. Of the other {able} intervals {sum(pair.misses_zero for pair in pairs)} miss zero; by chance "
        f"{(1 - CONFIDENCE) * able:.1f} would."
    )


def figure_name(line: Line) -> str:
    """ "test accuracy, last epochs" for "late test_accuracy"."""
    words = line.figure.replace("_", " ")
    return f"{words.removeprefix('late ')}, last epochs" if words.startswith("late ") else words


def printed(published: Any) -> str:
    """A published figure as the page has it."""
    return " to ".join(f"{end:g}" for end in published) if isinstance(published, (list, tuple)) else str(published)


def mean_and_deviation(values: list[float]) -> str:
    """ "0.8951 ± 0.0021", or the value alone where there is one."""
    if not values:
        return "-"
    middle, spread = ".4f", ".4f"
    if abs(mean(values)) >= 10:
        middle, spread = ".4g", ".3g"
    return f"{mean(values):{middle}}" + (f" ± {deviation(values):{spread}}" if len(values) > 1 else "")


def difference(line: Line) -> str:
    """ "+0.0001 [-0.0004, +0.0006]", marked where it is in doubt, then with that of the fresh seeds."""
    if line.difference is None:
        return "-"
    words = _interval(line.difference)
    return words if line.second is None else f"{words}; fresh seeds {_interval(line.second)}"


def _interval(pair: Paired) -> str:
    interval = "one pair" if math.isnan(pair.low) else f"{pair.low:+.4f}, {pair.high:+.4f}"
    mark = " **misses zero**" if pair.misses_zero else " **too large**" if pair.differs else ""
    return f"{pair.mean:+.4f} [{interval}]{mark}"


def text_lines(row: Row, summary: RowSummary) -> list[str]:
    """A row for the terminal."""
    lines = [f"{row.name}: {summary.seeds} seeds, the backends {backends_word(summary)}"]
    for line in summary.lines:
        ours = ", ".join(f"{name} {mean_and_deviation(line.values[key])}" for key, name in NAMES)
        published = "" if line.published is None else f"; published {printed(line.published)}, {line.verdict}"
        pair = "" if line.difference is None else f"; difference {difference(line)}"
        lines.append(f"  {line.variant}, {line.reading} {line.figure}: {ours}{published}{pair}")
    for variant, seconds in summary.seconds.items():
        if any(seconds.values()):
            ours = ", ".join(f"{name} {mean_and_deviation(seconds[key])}" for key, name in NAMES)
            lines.append(f"  {variant}, seconds: {ours}")
    return lines
