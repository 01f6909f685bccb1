"""What all pictures share: colours everyone can tell apart, axes on demand, and the way into a page."""

from __future__ import annotations

import io
import re
from typing import Any

NUMPY, KERAS = "#0072b2", "#d55e00"
"""Blue and vermilion of the Okabe-Ito palette: told apart by everyone."""

COLOURS = (NUMPY, KERAS, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")

SIZE = (4.6, 3.2)
"""Inches: a picture that stays legible on a phone, where it gets the whole width."""


def figure_of(ax: Any, size: tuple[float, float] = SIZE, **options: Any) -> tuple[Any, Any]:
    """(figure, axes): those given, or new ones of this size that pyplot does not hold on to."""
    if ax is not None:
        return ax.figure, ax
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.add_subplot(**options)


def as_svg(figure: Any, **options: Any) -> str:
    """The figure as an ``<svg>`` element, for a file of its own; the same figure gives the same text."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "crosscheck", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, **options)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def inline_svg(figure: Any) -> str:
    """The figure as part of a page: without a background, black the page's own ink, backends in its own two colours."""
    text = as_svg(figure, transparent=True).replace("#000000", "currentColor")
    for colour, name in ((NUMPY, "numpy"), (KERAS, "keras")):
        text = text.replace(colour, f"var(--{name}, {colour})")
    # Two pictures of one page must not share names; what is pointed to is no group, and named by its own hash
    return re.sub(r'<g id="[^"]*"', "<g", text)
