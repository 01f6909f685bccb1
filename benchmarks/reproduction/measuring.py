"""Measuring a model: as one should (inference), or as the courses that never switch out of training do."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from model_spec import Callback

Array = np.ndarray
Part = tuple[Array, Array]

TINY = 1e-7
"""What the courses add to a probability before they take its logarithm."""

MOST_POINTS = 60
"""Points of a curve that is kept."""

MOST_MEASUREMENTS = 25
"""Measurements in the course of a training: each goes over whole sets."""

LATE = 5
"""How many of the last measurements stand for "the last printed epochs"."""


def measure(model: Any, reading: str, part: Part, call: int) -> dict[str, float]:
    """{"loss", "accuracy"} of a model on (x, integer classes).

    Args:
        model: a NumpyModel or a KerasModel.
        reading: "inference", or "as_training": the whole part as one batch, with the batch's own statistics and
            dropout on; its loss has no penalties.
        part: (x, y).
        call: number of the dropout masks, the same for both backends.
    """
    x, y = part
    if reading == "inference":
        figures = model.evaluate(x, y)
        # Keras gives the share as a float32; what it counted is a whole number
        return {"loss": figures["loss"], "accuracy": round(figures["accuracy"] * len(y)) / len(y)}
    last = str(model.spec.layers[-1].name)
    probabilities = np.asarray(model.activations(x, training=True, dropout_call=call)[last], np.float64)
    right = probabilities[np.arange(len(y)), y]
    return {
        "loss": float(-np.log(right + TINY).mean()),
        "accuracy": float((probabilities.argmax(axis=1) == y).mean()),
    }


def measure_all(model: Any, readings: tuple[str, ...], parts: dict[str, Part], call: int) -> dict[str, Any]:
    """{reading: {"train_loss": ..., "test_accuracy": ...}} over all parts."""
    found: dict[str, Any] = {}
    for reading in readings:
        found[reading] = {}
        for name, part in parts.items():
            figures = measure(model, reading, part, call)
            found[reading] |= {f"{name}_{figure}": value for figure, value in figures.items()}
    return found


class Watch(Callback):
    """Measures after epochs, ``MOST_MEASUREMENTS`` times at most (and after the last), and knows how long that took.

    Attributes:
        at: the measured epochs, counted from 1.
        figures: {"inference.test_accuracy": [...]}.
        seconds: spent here and not on training.
    """

    def __init__(self, readings: tuple[str, ...], parts: dict[str, Part], epochs: int) -> None:
        self.readings, self.parts, self.epochs = readings, parts, epochs
        self.every = max(1, -(-epochs // MOST_MEASUREMENTS))
        self.at: list[int] = []
        self.figures: dict[str, list[float]] = {}
        self.seconds = 0.0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.parts and ((epoch + 1) % self.every == 0 or epoch + 1 == self.epochs):
            started = time.perf_counter()
            self.at.append(epoch + 1)
            for reading, figures in measure_all(self.model, self.readings, self.parts, epoch + 1).items():
                for name, value in figures.items():
                    self.figures.setdefault(f"{reading}.{name}", []).append(value)
            self.seconds += time.perf_counter() - started

    @property
    def curves(self) -> dict[str, list[Any]]:
        """Figures beside the epochs they belong to, {"at": [...], "inference.test_accuracy": [...]}."""
        return {"at": self.at, **self.figures}

    @property
    def late(self) -> dict[str, list[float]]:
        """The figures of the last five epochs that were measured."""
        return {name: values[-LATE:] for name, values in self.figures.items()}


def thinned(values: list[float]) -> tuple[list[int], list[float]]:
    """(numbers from 1, values) of at most ``MOST_POINTS`` entries, evenly taken, the last one among them.

    >>> thinned([0.5, 0.25])
    ([1, 2], [0.5, 0.25])
    """
    every = -(-len(values) // MOST_POINTS) if values else 1
    numbers = [number for number in range(1, len(values) + 1) if number % every == 0 or number == len(values)]
    return numbers, [values[number - 1] for number in numbers]


def block_means(values: list[float], blocks: int) -> tuple[list[int], list[float]]:
    """(last number of each block from 1, mean of each block) of at most ``blocks`` blocks in a row.

    >>> block_means([1.0, 3.0, 5.0], 2)
    ([2, 3], [2.0, 5.0])
    """
    size = max(1, -(-len(values) // blocks))
    starts = range(0, len(values), size)
    return [min(at + size, len(values)) for at in starts], [float(np.mean(values[at : at + size])) for at in starts]
