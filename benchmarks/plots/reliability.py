"""Whether probabilities mean what they say: the share of right answers over the probability they were given with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.plots.style import KERAS, NUMPY, figure_of


def reliability(bins: Mapping[str, Sequence[tuple[float, float, int]]], ax: Any = None) -> Any:
    """A line a backend; on the diagonal a probability of 0.8 is right eight times of ten (Guo et al., 2017).

    Args:
        bins: {backend: (mean probability, share of right answers, answers)}; "NumPy" is blue, all others vermilion.
        ax: axes to draw on; None makes them.
    """
    figure, axes = figure_of(ax, (4.2, 3.8))
    axes.plot([0, 1], [0, 1], color="0.5", linewidth=1, linestyle=":")
    for name, found in bins.items():
        is_numpy = name == "NumPy"
        given, right, _ = zip(*found, strict=True)
        marker = "o" if is_numpy else "s"
        axes.plot(
            given,
            right,
            marker,
            color=NUMPY if is_numpy else KERAS,
            linestyle="-",
            markersize=5,
            label=name,
            fillstyle="full" if is_numpy else "none",
        )
    axes.set_xlabel("probability of the answer")
    axes.set_ylabel("share that is right")
    axes.legend(fontsize=8, framealpha=0)
    axes.grid(alpha=0.3)
    return figure
