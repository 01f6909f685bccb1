"""What accuracy costs: a dot for each network and backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.plots.style import KERAS, NUMPY, figure_of


def accuracy_against_time(points: Sequence[tuple[str, float, float]], ax: Any = None, score: str = "accuracy") -> Any:
    """Test accuracy over the time of a training step, on a logarithmic axis; upper left is better.

    Args:
        points: (name, milliseconds, accuracy); names that end in NumPy are blue, all others vermilion.
        ax: axes to draw on; None makes them.
        score: what stands at the axis, "accuracy" or "R^2".
    """
    figure, axes = figure_of(ax, (4.8, 3.6))
    for name, milliseconds, accuracy in points:
        is_numpy = name.endswith("NumPy")
        axes.plot(milliseconds, accuracy, "o" if is_numpy else "s", color=NUMPY if is_numpy else KERAS)
        axes.annotate(
            name,
            (milliseconds, accuracy),
            xytext=(0, 6 if is_numpy else -12),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    axes.set_xscale("log")
    axes.margins(x=0.25, y=0.15)
    axes.set_xlabel("milliseconds of a training step")
    axes.set_ylabel(f"test {score}")
    axes.grid(alpha=0.3)
    return figure
