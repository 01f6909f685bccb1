"""Seconds until a network is as good as wanted: whole trainings on both backends, judged after every epoch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import datasets
from benchmarks.speed_studies.contestants import NUMPY, contestants
from benchmarks.speed_studies.worker_process import SETTLE_SECONDS
from bridge.progress import Show, silent

NETWORK, BATCH, MOST_EPOCHS = "lenet", 128, 10
WANTED = {"mnist": 0.98, "digits": 0.9}
"""Test accuracy at which a training ends, by data set."""

Run = tuple[float, int, float]
"""(seconds, epochs, test accuracy at the end)"""


@dataclass(frozen=True)
class TimeToTarget:
    """Trainings of both backends, one a seed.

    Attributes:
        data: name of the data set.
        wanted: test accuracy that ends a training.
        runs: {"NumPy": [one run a seed], "Keras fit": [...]}.
    """

    data: str
    wanted: float
    runs: dict[str, list[Run]]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return {"network": NETWORK, "batch": BATCH, "data": self.data, "wanted": self.wanted, "runs": self.runs}

    def lines(self) -> list[str]:
        """A line a backend: median and range of the seconds, the epochs and the accuracies."""
        lines = [f"{NETWORK} on {self.data}, batch {BATCH}, Adam: until the test accuracy is {self.wanted}"]
        for name, runs in self.runs.items():
            seconds, epochs, accuracies = (list(column) for column in zip(*runs, strict=True))
            lines.append(
                f"  {name:<10} median {np.median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f}), "
                f"epochs {epochs}, accuracies {[round(value, 4) for value in accuracies]}"
            )
        ours, theirs = (np.median([run[0] for run in runs]) for runs in self.runs.values())
        return [*lines, f"  NumPy is {theirs / ours:.2f} times as fast"]


def run(seeds: int = 5, threads: int = 2, data: str = "mnist", show: Show = silent) -> TimeToTarget:
    """Train with every seed on both backends, in turns.

    Raises:
        ValueError: a data set without a wanted accuracy, or one that is not there.
    """
    if data not in WANTED:
        raise ValueError(f"no target accuracy for {data!r}; known are {', '.join(WANTED)}")
    datasets.images(data, limit=1)
    runs: dict[str, list[Run]] = {"NumPy": [], "Keras fit": []}
    with contestants(threads) as who:
        sides = ((who.numpy[NUMPY], "train_numpy"), (who.tensorflow, "train_keras"))
        for seed in range(seeds):
            for (process, function), name in zip(sides, runs, strict=True):
                show(f"seeds, {name}", seed, seeds)
                runs[name].append(tuple(process.call(f"{__name__}:{function}", seed, data, WANTED[data], threads)))
                time.sleep(SETTLE_SECONDS)
    return TimeToTarget(data, WANTED[data], runs)


def train_numpy(seed: int, data: str, wanted: float, threads: int) -> Run:
    """One training of NumpyModel."""
    from benchmarks.speed_studies.arms import TRAINING
    from core_numpy import NumpyModel
    from model_spec import Callback, zoo

    class Stop(Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            self.model.stop_training = (logs or {})["val_accuracy"] >= wanted

    (x, y), test = datasets.images(data)
    model = NumpyModel(zoo.lenet(x.shape[1:]), seed, masks="fast", threads=threads)
    training = TRAINING.replace(seed=seed, batch_size=BATCH, epochs=MOST_EPOCHS)
    start = time.perf_counter()
    history = model.fit(x, y, training, validation_data=test, callbacks=[Stop()], verbose=0).history["val_accuracy"]
    return time.perf_counter() - start, len(history), float(history[-1])


def train_keras(seed: int, data: str, wanted: float, threads: int) -> Run:
    """One training by Keras' own ``fit``, which shuffles the examples as it likes."""
    from keras_models import KerasModel, set_threads

    set_threads(threads)
    import keras

    from model_spec import zoo

    class Stop(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.stop_training = logs["val_accuracy"] >= wanted

    (x, y), test = datasets.images(data)
    model = KerasModel(zoo.lenet(x.shape[1:]), seed).keras_model
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    options: dict[str, Any] = {"batch_size": BATCH, "epochs": MOST_EPOCHS, "callbacks": [Stop()], "verbose": 0}
    start = time.perf_counter()
    history = model.fit(x, y, validation_data=test, **options).history["val_accuracy"]
    return time.perf_counter() - start, len(history), float(history[-1])
