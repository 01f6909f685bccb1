"""Which classes are taken for which: the confusion matrix, drawn by scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.plots.style import figure_of

Array = np.ndarray


def confusion(labels: Array, probabilities: Array, ax: Any = None, title: str | None = None) -> Any:
    """True classes in rows, answers in columns, counted.

    Args:
        labels: true classes (n,).
        probabilities: a model's output (n, classes), or its answers (n,).
        ax: axes to draw on; None makes them.
        title: of the picture.
    """
    from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

    figure, axes = figure_of(ax, (4.2, 3.8))
    answers = probabilities.argmax(axis=1) if probabilities.ndim == 2 else probabilities
    classes = np.arange(probabilities.shape[1]) if probabilities.ndim == 2 else None
    counts = confusion_matrix(labels, answers, labels=classes)
    display = ConfusionMatrixDisplay(counts, display_labels=classes)
    display.plot(ax=axes, cmap="Blues", colorbar=False, text_kw={"fontsize": 7})
    if title:
        axes.set_title(title, fontsize=9)
    return figure
