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
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
    from matplotlib.transforms import Bbox

    figure, axes = figure_of(ax, (4.8, 3.6))
    for name, milliseconds, accuracy in points:
        is_numpy = name.endswith("NumPy")
        axes.plot(milliseconds, accuracy, "o" if is_numpy else "s", color=NUMPY if is_numpy else KERAS)
    axes.set_xscale("log")
    axes.margins(x=0.25, y=0.15)
    times = [milliseconds for _, milliseconds, _ in points]
    is_wide = max(times) > 5 * min(times)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if is_wide else MaxNLocator(4))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("milliseconds of a training step")
    axes.set_ylabel(f"test {score}")
    axes.grid(alpha=0.3)
    figure.draw_without_rendering()  # sets the limits, which the places of the names hang on
    dots = [axes.transData.transform(point[1:]) for point in points]
    taken = [Bbox.from_extents(x - 4, y - 4, x + 4, y + 4) for x, y in dots]
    for name, *place in points:
        taken.append(_write_beside(axes, name, place, taken))
    return figure


_PLACES = [(0, 6, "center", "bottom"), (0, -6, "center", "top"), (7, 0, "left", "center"), (-7, 0, "right", "center")]
_PLACES += [
    (right, sign * far, across, "center")
    for far in range(16, 140, 9)
    for sign in (1, -1)
    for right, across in ((0, "center"), (12, "left"), (-12, "right"))
]
"""Where a name may stand beside its dot: points to the right and up, and how it lies there."""


def _write_beside(axes: Any, name: str, place: Any, taken: Sequence[Any]) -> Any:
    """Write a name at the first place where it covers nothing, or at the last; away from its dot a line leads to it."""
    inside = axes.get_window_extent()
    for right, up, across, along in _PLACES:
        note = axes.annotate(name, place, (right, up), textcoords="offset points", ha=across, va=along, fontsize=8)
        note.set_in_layout(False)  # the axes stay where the places were looked for
        box = note.get_window_extent().expanded(1.05, 1)  # a browser's font may be wider
        free = inside.contains(*box.min) and inside.contains(*box.max)
        if free and not any(box.overlaps(other) for other in taken):
            break
        if (right, up, across, along) != _PLACES[-1]:
            note.remove()
    if abs(up) > 10:
        end = (right, up - 5 if up > 0 else up + 5)
        line = axes.annotate("", place, end, textcoords="offset points", arrowprops={"arrowstyle": "-", "lw": 0.5})
        line.set_in_layout(False)
    return box
