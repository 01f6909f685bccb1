"""How fast each backend is on one network: the same work, interleaved, with the ratio and its interval."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import environment
from benchmarks.speed_studies.worker_process import SETTLE_SECONDS
from benchmarks.tables import Table, as_html
from benchmarks.timing import SpeedComparison, compare_speed
from core_numpy import NumpyModel
from model_spec import ModelSpec, TrainingSpec

Array = np.ndarray

TRAIN_ROWS, INFERENCE_ROWS = 128, 1000


@dataclass(frozen=True)
class SpeedReport:
    """Timings of one network.

    Attributes:
        threads: threads each backend was given.
        phases: {"train step, batch 128": comparison, ...}; Keras' ways of doing it come first, NumPy last.
        busy: share of the processors that other programs used before, or None where it cannot be told.
    """

    threads: int
    phases: dict[str, SpeedComparison]
    busy: float | None = None

    @property
    def warning(self) -> str:
        """A sentence where other programs kept the machine busy, or ""."""
        if self.busy is None or self.busy <= environment.BUSY:
            return ""
        return (
            f"other programs used {self.busy:.0%} of the processors: "
            f"these times say little, repeat them when the machine is idle"
        )

    def tables(self) -> list[Table]:
        """A table a phase: medians, and the time NumPy takes beside each of Keras' ways."""
        return [comparison.table(f"  {name}") for name, comparison in self.phases.items()]

    def _repr_html_(self) -> str:
        return as_html(self.tables())

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists and numbers."""
        return {
            "threads": self.threads,
            "busy": self.busy,
            "warning": self.warning,
            "phases": {name: phase.to_dict() for name, phase in self.phases.items()},
        }


def measure(spec: ModelSpec, training: TrainingSpec, x: Array, y: Array, threads: int, blocks: int = 9) -> SpeedReport:
    """Time a training step and inference on both backends, float32, with data already in memory.

    TensorFlow gets both its faces: the compiled function, and what most people call (``train_on_batch``,
    ``predict``). A call ends when its result is a NumPy value, so that no work is left running.
    """
    import tensorflow as tf

    from keras_models import KerasModel

    ours, theirs = NumpyModel(spec), KerasModel(spec)
    batch_x, batch_y = _rows(x, TRAIN_ROWS).astype(np.float32), _rows(y, TRAIN_ROWS)
    rows = _rows(x, INFERENCE_ROWS).astype(np.float32)
    for model in (ours, theirs):
        model.start_training(training)
    compiled = tf.function(lambda values: theirs.keras_model(values, training=False))
    tensor = tf.constant(rows)
    phases = {
        f"train step, batch {TRAIN_ROWS}": {
            "Keras train_on_batch": lambda: theirs.train_on_batch(batch_x, batch_y),
            "NumPy": lambda: ours.train_on_batch(batch_x, batch_y),
        },
        f"inference, {INFERENCE_ROWS} rows": {
            "tf.function": lambda: compiled(tensor).numpy(),
            "Keras predict": lambda: theirs.predict(rows, batch_size=INFERENCE_ROWS),
            "NumPy": lambda: ours.predict(rows),
        },
    }
    # Threads of a training before it go on spinning for a while
    time.sleep(SETTLE_SECONDS)
    busy = environment.busy_share(0.5)
    timed = {name: compare_speed(arms, blocks=blocks, warmup_seconds=0.3) for name, arms in phases.items()}
    return SpeedReport(threads, timed, busy)


def _rows(values: Array, count: int) -> Array:
    """The first ``count`` rows, starting again from the first where there are fewer."""
    return values[np.arange(count) % len(values)]
