"""How often a prediction is right: classes, one-hot rows, bits, ties."""

import numpy as np
import pytest

from core_numpy.metrics import accuracy, correct, top_k_accuracy
from model_spec.losses import BinaryCrossentropy, CategoricalCrossentropy, HalfSumSquaredError, MeanSquaredError

PREDICTIONS = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [0.4, 0.4, 0.2]])


@pytest.mark.parametrize("labels", [np.array([0, 1, 1]), np.eye(3)[[0, 1, 1]]], ids=["integers", "one-hot"])
def test_classes(labels):
    # In the third row the first of the equal values wins, so class 1 is wrong.
    assert correct(PREDICTIONS, labels, CategoricalCrossentropy()).tolist() == [True, False, False]
    assert accuracy(PREDICTIONS, labels) == pytest.approx(1 / 3)
    assert top_k_accuracy(PREDICTIONS, labels, k=1) == pytest.approx(2 / 3)
    assert top_k_accuracy(PREDICTIONS, labels, k=2) == 1.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: accuracy(np.full((4, 4), np.nan), np.arange(4)), "predictions contain NaN"),
        (lambda: top_k_accuracy(np.full((4, 4), np.nan), np.arange(4), 2), "predictions contain NaN"),
        (lambda: accuracy(np.eye(4), np.array([0, 1, 2, 9])), r"classes must be 0\.\.3, got 0\.\.9"),
        (lambda: top_k_accuracy(np.eye(4), np.array([0, 1, 2, -1]), 1), r"classes must be 0\.\.3, got -1\.\.2"),
        (lambda: top_k_accuracy(np.eye(4), np.arange(4), 0), "k must be an integer of at least 1"),
        (lambda: top_k_accuracy(np.eye(4), np.arange(4), 1.5), "k must be an integer of at least 1"),
        (lambda: top_k_accuracy(np.eye(4), np.arange(4), 5), "k must be at most the number of classes, 4"),
        (lambda: accuracy(np.eye(4)[:0], np.arange(0)), r"hold rows, got \(0, 4\)"),
        (lambda: accuracy(np.arange(4.0), np.arange(4)), r"shape \(examples, classes\)"),
    ],
)
def test_what_can_be_neither_right_nor_wrong_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_bits():
    predictions, targets = np.array([[0.6, 0.5], [0.4, 0.1]]), np.array([[1.0, 1.0], [1.0, 0.0]])
    found = correct(predictions, targets, BinaryCrossentropy())
    # 0.5 is not above 0.5.
    assert found.tolist() == [[True, False], [False, True]]


def test_values_are_neither_right_nor_wrong():
    for loss in (MeanSquaredError(), HalfSumSquaredError()):
        assert correct(PREDICTIONS, PREDICTIONS, loss) is None
