"""Figures class by class, against counts by hand, and calibration where it is known."""

import numpy as np
import pytest

from benchmarks.class_figures import calibration, per_class


def test_each_class_against_counts_by_hand():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(4), 200)
    labels = random.integers(0, 3, 200)  # the last class never comes
    answers = probabilities.argmax(axis=1)
    rows = per_class(labels, probabilities)
    for known, row in enumerate(rows[:3]):
        hits = ((answers == known) & (labels == known)).sum()
        assert row["examples"] == (labels == known).sum()
        assert row["precision"] == pytest.approx(hits / (answers == known).sum())
        assert row["recall"] == pytest.approx(hits / (labels == known).sum())
        inside, outside = probabilities[labels == known, known], probabilities[labels != known, known]
        assert row["auc"] == pytest.approx((inside[:, None] > outside).mean())
    assert rows[3]["recall"] is rows[3]["auc"] is None


def test_calibration_of_probabilities_that_are_right_and_of_those_that_boast():
    random = np.random.default_rng(0)
    chance = random.uniform(0.5, 1, 20000)
    labels = (random.random(20000) > chance).astype(int)
    honest = calibration(labels, np.stack([chance, 1 - chance], axis=1))
    assert honest["error"] < 0.02
    assert sum(count for _, _, count in honest["bins"]) == 20000
    boasting = calibration(labels, np.stack([np.full(20000, 0.99), np.full(20000, 0.01)], axis=1))
    assert boasting["error"] == pytest.approx(0.99 - (labels == 0).mean())
