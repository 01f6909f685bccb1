"""How good a classifier is class by class, and whether its probabilities mean what they say; by scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray

BINS = 10
"""Parts of [0, 1] that probabilities are sorted into."""


def per_class(labels: Array, probabilities: Array) -> list[dict[str, Any]]:
    """Precision, recall, F1 and the area under the ROC curve of each class against all others.

    Args:
        labels: true classes (n,).
        probabilities: a model's output (n, classes).

    Returns:
        A dict a class: "examples", "precision", "recall", "f1", "auc". None stands where there is nothing to divide by:
        the precision of a class that is never answered, the recall and the area of one that never comes.

    Examples:
        >>> per_class(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]))[1]
        {'examples': 1, 'precision': 0.5, 'recall': 1.0, 'f1': 0.6666666666666666, 'auc': 1.0}
    """
    from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

    classes = np.arange(probabilities.shape[1])
    figures = precision_recall_fscore_support(
        labels, probabilities.argmax(axis=1), labels=classes, average=None, zero_division=np.nan
    )
    rows = []
    for known, (precision, recall, f1, examples) in enumerate(zip(*figures, strict=True)):
        own = labels == known
        area = roc_auc_score(own, probabilities[:, known]) if 0 < own.sum() < len(own) else np.nan
        named = {"precision": precision, "recall": recall, "f1": f1, "auc": area}
        told = {name: None if np.isnan(value) else float(value) for name, value in named.items()}
        rows.append({"examples": int(examples), **told})
    return rows


def calibration(labels: Array, probabilities: Array) -> dict[str, Any]:
    """How often answers are right that are given with a probability of about p.

    Args:
        labels: true classes (n,).
        probabilities: a model's output (n, classes); the largest of a row is that of its answer.

    Returns:
        "bins": (mean probability, share of right answers, answers) of each tenth of [0, 1] that has answers;
        "error": the expected calibration error (Guo et al., 2017), the mean distance of the two over all answers.

    Examples:
        >>> calibration(np.array([0, 1]), np.array([[0.75, 0.25], [0.75, 0.25]]))
        {'bins': [(0.75, 0.5, 2)], 'error': 0.25}
    """
    given, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((given * BINS).astype(int), BINS - 1)
    bins = [
        (float(given[place == at].mean()), float(right[place == at].mean()), int((place == at).sum()))
        for at in range(BINS)
        if (place == at).any()
    ]
    return {"bins": bins, "error": sum(count * abs(said - share) for said, share, count in bins) / len(labels)}
