"""How many times as fast: ratios with the whiskers of their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.plots.style import COLOURS, figure_of
from benchmarks.timing import MARGIN


def speed_ratios(rows: Sequence[tuple[str, float, float, float]], ax: Any = None) -> Any:
    """One dot a comparison, whiskers over its 95 % interval; right of 1 is faster, and the band is no difference.

    Args:
        rows: (name, ratio, lower end, upper end), larger is faster.
        ax: axes to draw on; None makes them.
    """
    figure, axes = figure_of(ax, (4.6, 0.9 + 0.4 * len(rows)))
    axes.axvspan(1 / (1 + MARGIN), 1 + MARGIN, color="#888888", alpha=0.25, lw=0)
    axes.axvline(1, color="#888888", lw=1)
    for place, (_, ratio, low, high) in enumerate(reversed(rows)):
        axes.errorbar(ratio, place, xerr=[[ratio - low], [high - ratio]], fmt="o", color=COLOURS[0], capsize=4)
    axes.set_yticks(range(len(rows)), [name for name, *_ in reversed(rows)], fontsize=7)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xscale("log")
    ends = [value for _, _, low, high in rows for value in (low, high)]
    ticks = [value for value in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200) if min(ends) / 2 < value < max(ends) * 2]
    axes.set_xticks(sorted({1, *ticks}), [f"{value:g}" for value in sorted({1, *ticks})])
    axes.minorticks_off()
    axes.set_xlabel("times as fast")
    axes.grid(axis="x", alpha=0.3)
    return figure
