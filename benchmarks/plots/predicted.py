"""What a regression predicts over what is true."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.plots.style import NUMPY, figure_of

Array = np.ndarray

MOST_POINTS = 500


def predicted(targets: Array, outputs: Array, ax: Any = None) -> Any:
    """Predicted over true values, at most 500 of them, on one scale; on the diagonal both are the same.

    Args:
        targets: true values (n, targets).
        outputs: predicted ones (n, targets).
        ax: axes to draw on; None makes them.
    """
    figure, axes = figure_of(ax, (4.2, 3.8))
    true, found = targets.ravel()[:MOST_POINTS], outputs.ravel()[:MOST_POINTS]
    ends = [min(true.min(), found.min()), max(true.max(), found.max())]
    axes.plot(ends, ends, color="0.5", linewidth=1, linestyle=":")
    axes.plot(true, found, "o", color=NUMPY, markersize=4, alpha=0.6, markeredgewidth=0)
    axes.set_xlabel("true value")
    axes.set_ylabel("predicted value")
    axes.grid(alpha=0.3)
    return figure
