"""When accuracies differ: a backend that is worse from every seed is found, and one unlucky training is not enough."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import binomtest

from benchmarks import accuracy
from benchmarks.trained import TrainedBackend
from model_spec import History, TrainingSpec, zoo


@dataclass(frozen=True)
class Seed:
    """The counts of one seed: right on the first side only, and on the second."""

    only: tuple[int, int]

    @property
    def difference(self):
        return (self.only[0] - self.only[1]) / 10000

    @property
    def agrees(self):
        return binomtest(self.only[0], sum(self.only), 0.5).pvalue >= accuracy.SIGNIFICANCE


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ([(21, 45)], False),
        ([(30, 31)], True),
        # One training parted from its twin, the others the other way or not at all
        ([(45, 21), (20, 32), (51, 15), (30, 33), (28, 30)], True),
        # Worse from every seed, by amounts that scatter or not
        ([(20, 520), (30, 630), (10, 410), (40, 540), (25, 700)], False),
        ([(20, 520)] * 5, False),
        # Each seed is sure, but not of the same side
        ([(20, 520), (520, 20), (20, 520), (20, 520), (20, 520)], True),
        # A single example each time is nothing, and ten seeds of a little are something
        ([(11, 10)] * 5, True),
        ([(10, 14 + extra) for extra in range(10)], False),
    ],
)
def test_what_counts_as_different(seeds, expected):
    assert accuracy.agree([Seed(only) for only in seeds]) is expected


def test_equal_accuracies_have_nothing_to_test():
    assert accuracy.paired_p_value([Seed((5, 5))] * 3) == 1.0


@pytest.mark.parametrize(
    ("losses", "validation", "stopped", "expected"),
    [
        ([1.0, 0.7, 0.5], None, None, True),
        ([1.0, 0.7, 0.7], None, None, False),
        ([1.0, 0.5, 0.499], None, None, False),
        ([1.0, 0.7, 0.5], [1.0, 0.6, 0.7], None, False),
        ([1.0, 0.7, 0.5], None, 2, False),
        ([1.0], None, None, False),
    ],
)
def test_a_training_that_was_cut_short_is_told(losses, validation, stopped, expected):
    history = History(epoch=list(range(len(losses))), history={"loss": losses}, stopped_epoch=stopped)
    if validation:
        history.history["val_loss"] = validation
    backend = TrainedBackend("NumPy", None, history, {"loss": 0.5, "accuracy": 0.5}, np.full((4, 2), 0.5))
    pair = accuracy.AccuracyComparison(
        zoo.mlp(),
        TrainingSpec(),
        (backend, backend),
        np.zeros(4, int),
        1.0,
        only=(0, 0),
        largest_probability_difference=0.0,
    )
    sentence = "NumPy and NumPy still learned at the last epoch: more epochs, or a higher learning rate, would give"
    assert pair.unfinished.startswith(sentence) is expected
    assert bool(pair.unfinished) is expected
