"""How values are distributed, layer by layer: activations or weights of one or two models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.plots.style import COLOURS, figure_of

Array = np.ndarray

BINS = 50


def histogram(values: Array, limits: tuple[float, float] | None = None) -> dict[str, Any]:
    """{"counts": [...], "low": ..., "high": ...} of 50 bins of equal width; what is not finite is in none of them."""
    # Bins between neighbouring float32 numbers have edges in float64 alone
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    low, high = limits or (float(values.min(initial=np.inf)), float(values.max(initial=-np.inf)))
    if not low <= high:
        low, high = 0.0, 1.0
    high = high if high - low > 1e-12 * max(abs(low), abs(high)) else low + 1
    counts, _ = np.histogram(values, BINS, (low, high))
    return {"counts": counts.tolist(), "low": low, "high": high}


def activation_histograms(*sides: Mapping[str, Any], ax: Any = None) -> Any:
    """One ridge a layer, the first layer on top: the first model filled, the others outlined.

    Every ridge has its own scale in both directions, written at its ends; heights go by the square root, so that the
    zeros of a relu leave the rest to be seen.

    Args:
        sides: {layer: values, or what :func:`histogram` gave} of each model, e.g. of ``model.activations(x)`` or
            ``model.weights``.
        ax: axes to draw on; None makes them.
    """
    names = list(sides[0])
    figure, axes = figure_of(ax, (4.6, 0.6 + 0.42 * len(names)))
    for row, name in enumerate(reversed(names)):
        found = [side[name] for side in sides]
        counted = [one if isinstance(one, dict) else histogram(np.asarray(one)) for one in found]
        low, high = counted[0]["low"], counted[0]["high"]
        highest = max(max(one["counts"]) for one in counted) or 1
        for number, one in enumerate(counted):
            edges = (np.linspace(one["low"], one["high"], len(one["counts"]) + 1) - low) / (high - low)
            heights = row + 0.9 * np.sqrt(np.asarray(one["counts"]) / highest)
            colour = COLOURS[number % len(COLOURS)]
            style: dict[str, Any] = {"lw": 0.9} if number else {"fill": True, "alpha": 0.45}
            axes.stairs(heights, edges, baseline=row, color=colour, **style)
        axes.text(-0.01, row + 0.1, f"{low:.2g}", fontsize=7, ha="right")
        axes.text(1.01, row + 0.1, f"{high:.2g}", fontsize=7, ha="left")
    axes.set_yticks(np.arange(len(names)) + 0.4, list(reversed(names)), fontsize=8)
    axes.tick_params(axis="y", length=0, pad=26)
    axes.set_xticks([])
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.1, len(names))
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    return figure
