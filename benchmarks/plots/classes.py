"""Which classes are taken for which: the confusion matrix, drawn by scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.plots.style import figure_of

Array = np.ndarray

_DARK_CELL = 0.71
"""Depth of the colour above which white figures have a contrast of 4.5, and up to which black ones have."""


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
    for text, depth in zip(display.text_.flat, display.im_.norm(counts).flat, strict=True):
        # Not #000000, which is the page's own ink in a picture
        text.set_color("#ffffff" if depth > _DARK_CELL else "#010101")
    if title:
        axes.set_title(title, fontsize=9)
    return figure
