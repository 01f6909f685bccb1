"""Pictures of results, as SVG text that can stand in a page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from model_spec.validation import real

COLOURS = ("#0072b2", "#d55e00")  # blue and vermilion of the Okabe-Ito palette: told apart by everyone


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """An exponential moving mean that starts at the first value: ``weight`` of the past, the rest of the new.

    >>> smoothed([0.0, 1.0], 0.75)
    [0.0, 0.25]
    """
    real("weight", weight, minimum=0, below=1)
    result: list[float] = []
    for value in values:
        result.append(value if not result else weight * result[-1] + (1 - weight) * value)
    return result


def learning_curves(histories: Sequence[tuple[str, dict[str, list[float]]]], smoothing: float = 0.0) -> str:
    """Loss and accuracy of several backends over the epochs: solid on training data, dashed on validation data.

    Args:
        histories: (name, Keras-style history) of each backend.
        smoothing: share of the past in a moving mean, 0 draws the values themselves.

    Returns:
        An ``<svg>`` element as text.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axes, figure_name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for (name, history), colour in zip(histories, COLOURS, strict=False):
            for key, style in ((figure_name, "-"), (f"val_{figure_name}", "--")):
                if key in history:
                    epochs = range(1, len(history[key]) + 1)
                    label = f"{name} {'validation' if key.startswith('val_') else 'training'}"
                    axes.plot(epochs, smoothed(history[key], smoothing), style, color=colour, label=label, alpha=0.8)
        axes.set_xlabel("epoch")
        axes.set_ylabel(figure_name)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return as_svg(figure)


def drift_curves(trainings: Sequence[dict[str, Any]]) -> str:
    """Distance of NumPy from Keras after each step, beside that of Keras from itself, one panel a precision.

    Args:
        trainings: what ``TrainingParityReport.to_dict`` gave.

    Returns:
        An ``<svg>`` element as text.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axes, training in zip(figure.subplots(1, len(trainings), squeeze=False)[0], trainings, strict=True):
        sides = (("NumPy from Keras", "steps"), (f"Keras from itself, {training['controls']} controls", "control"))
        for (label, key), colour in zip(sides, COLOURS, strict=True):
            values = [step["largest"] for step in training[key]]
            axes.plot(range(1, len(values) + 1), values, color=colour, label=label, alpha=0.8)
        axes.set_yscale("log")
        axes.set_title(f"{training['dtype']}: {training['verdict']}", fontsize=9)
        axes.set_xlabel("step")
        axes.set_ylabel("largest distance")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return as_svg(figure)


def as_svg(figure: Any) -> str:
    """The figure as an ``<svg>`` element, without the XML header; the same figure gives the same text."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "crosscheck", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
