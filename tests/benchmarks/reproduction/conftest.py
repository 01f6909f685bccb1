"""Small experiments and made-up results for the tests of the campaign and its page."""

import pytest

from benchmarks.reproduction import cells
from benchmarks.reproduction.experiment import rows_from
from benchmarks.reproduction.record import Record

TEXT = """
[[row]]
name = "small"
title = "A small one"
claim = "It learns."
data = { name = "digits", train = 64, test = 50 }
panels = [["loss"], ["inference.test_accuracy"]]
slip = "It was measured twice."
asked = { test_accuracy = [0.5, 1.0] }
[[row.variant]]
name = "first"
network = { dense = [4], input_shape = [8, 8, 1] }
training = { epochs = 2 }
published.inference = { test_accuracy = 0.9, "late test_accuracy" = [0.95, 0.99] }
published.run = { seconds = 12.5 }

[[row]]
name = "other"
title = "Another"
claim = "It is not run."
data = { name = "mnist" }
[[row.variant]]
name = "first"
network = { dense = [4] }
training = { epochs = 2 }
"""

ENVIRONMENT = {
    "date": "2026-01-02T03:04:05+00:00",
    "commit": "0123456789abcdef",
    "processor": "A processor",
    "cores": 2,
    "python": "3.11",
    "numpy": "2.0",
    "blas": ["openblas 0.3 SkylakeX"],
    "versions": {"keras": "3.15"},
    "threads": 2,
}


@pytest.fixture
def rows():
    """Two rows, the second of which needs MNIST."""
    return rows_from(TEXT)


@pytest.fixture
def text():
    """The text the rows are read from."""
    return TEXT


def result_of(accuracy, seconds=1.0):
    """A result as ``cells.run`` gives it."""
    return {
        "figures": {"inference": {"test_accuracy": accuracy, "test_loss": 0.123456789}, "run": {"epochs": 2}},
        "curves": {
            "history": {"at": [1, 2], "loss": [1.0, 0.123456789]},
            "measured": {"at": [1, 2], "inference.test_accuracy": [0.5, accuracy]},
        },
        "late": {"inference.test_accuracy": [accuracy]},
        "axis": "epoch",
        "seconds": seconds,
        "parameters": 310,
        "alone": True,
        "environment": ENVIRONMENT,
    }


@pytest.fixture
def made_up():
    """Makes results as ``cells.run`` gives them: (accuracy, seconds) -> result."""
    return result_of


def record_of(rows, seeds):
    """Seeds of the first row on both backends: NumPy 0.8, 0.9, 1.0 and over again, Keras the same."""
    found = Record()
    for backend in cells.BACKENDS:
        for seed in seeds:
            one = cells.cell(rows["small"], rows["small"].variants[0], backend, seed, 2)
            accuracy = (0.8, 0.9, 1.0)[seed % 3]
            found.add(one.key, one.arguments, result_of(accuracy, 1.0 if backend == "numpy" else 4.0))
    return found


@pytest.fixture
def seeds_of():
    """Makes records of made-up results: (rows, seeds) -> record."""
    return record_of


@pytest.fixture
def record(rows):
    """Three seeds of the first row on both backends."""
    return record_of(rows, range(3))
