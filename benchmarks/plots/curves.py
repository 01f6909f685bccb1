"""Curves over epochs and steps: loss and accuracy of both backends, and how far they drift apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.plots.style import COLOURS, KERAS, NUMPY, figure_of
from model_spec.validation import real

_WIDTHS = (3.0, 1.2)
"""The first backend lies wide under the second, so that one sees both where they are equal."""


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


def learning_curves(
    *histories: Any, names: Sequence[str] = ("NumPy", "Keras"), part: str = "", smoothing: float = 0.0, ax: Any = None
) -> Any:
    """Loss (left axis, solid) and accuracy (right axis, dashed) over the epochs, the best epoch marked.

    Args:
        histories: a ``History``, a Keras ``History`` or a dict of lists, one a backend.
        names: of the backends.
        part: "" for the figures on training data, "val_" for those on validation data.
        smoothing: share of the past in a moving mean, 0 draws the values themselves.
        ax: axes to draw on; None makes them.

    Returns:
        The figure.
    """
    figure, axes = figure_of(ax)
    right = None
    for number, history in enumerate(histories):
        curves = getattr(history, "history", history)
        name, colour = names[number % len(names)], COLOURS[number % len(COLOURS)]
        width = _WIDTHS[number % len(_WIDTHS)]
        if f"{part}loss" in curves:
            losses = smoothed(curves[f"{part}loss"], smoothing)
            axes.plot(range(1, len(losses) + 1), losses, color=colour, lw=width, label=f"{name} loss")
        if f"{part}accuracy" in curves:
            right = axes.twinx() if right is None else right
            values = smoothed(curves[f"{part}accuracy"], smoothing)
            epochs = range(1, len(values) + 1)
            right.plot(epochs, values, "--", color=colour, lw=width, label=f"{name} accuracy")
        best = getattr(history, "best_epoch", None)
        if best is not None and number == 0:
            axes.axvline(best + 1, color="#888888", lw=1, ls=":", label="best epoch")
    _whole_epochs(axes)
    axes.set_ylabel("loss, solid")
    axes.grid(alpha=0.3)
    handles, labels = axes.get_legend_handles_labels()
    if right is not None:
        right.set_ylabel("accuracy, dashed")
        more, words = right.get_legend_handles_labels()
        handles, labels = handles + more, labels + words
    axes.legend(handles, labels, fontsize=8, loc="center right", framealpha=0)
    return figure


def training_and_validation(
    *histories: Any, quantity: str = "loss", names: Sequence[str] = ("NumPy", "Keras"), ax: Any = None
) -> Any:
    """One figure of a training over the epochs: solid on training data, dashed on validation data.

    Args:
        histories: a ``History``, a Keras ``History`` or a dict of lists, one a backend.
        quantity: "loss" or "accuracy".
        names: of the backends.
        ax: axes to draw on; None makes them.

    Returns:
        The figure.
    """
    figure, axes = figure_of(ax)
    for number, history in enumerate(histories):
        curves = getattr(history, "history", history)
        style = {"color": COLOURS[number % len(COLOURS)], "lw": _WIDTHS[number % len(_WIDTHS)]}
        for part, line, words in (("", "-", "training"), ("val_", "--", "validation")):
            values = curves.get(f"{part}{quantity}", ())
            if values:
                label = f"{names[number % len(names)]}, {words}"
                axes.plot(range(1, len(values) + 1), values, line, label=label, **style)
    _whole_epochs(axes)
    axes.set_ylabel(quantity)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, framealpha=0)
    return figure


def _whole_epochs(axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")


def drift(training: dict[str, Any], ax: Any = None) -> Any:
    """Distance of NumPy from Keras after each step, beside that of Keras from itself.

    Args:
        training: what ``TrainingParityReport.to_dict`` gave.
        ax: axes to draw on; None makes them.
    """
    figure, axes = figure_of(ax)
    control = f"Keras from itself, {training['controls']} controls"
    for label, key, colour in (("NumPy from Keras", "steps", NUMPY), (control, "control", KERAS)):
        values = [step["largest"] for step in training[key]]
        axes.plot(range(1, len(values) + 1), values, color=colour, label=label, alpha=0.8)
    axes.set_yscale("log")
    axes.set_title(f"{training['dtype']}: {training['verdict']}", fontsize=9)
    axes.set_xlabel("step")
    axes.set_ylabel("largest distance")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, framealpha=0)
    return figure
