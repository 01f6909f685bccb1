"""The main job: parity, then accuracy, then speed of one network on both backends, in one result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

import bridge
from benchmarks import environment
from benchmarks.accuracy import (
    accuracy_verdict,
    blas_threads,
    paired_p_value,
    spread,
    train_both,
)
from benchmarks.experiments import Data
from benchmarks.inspection import Inspection, inspect_models
from benchmarks.speed import SpeedReport, measure
from benchmarks.speed_studies import start
from benchmarks.tables import as_html
from benchmarks.trained import TrainedPair
from bridge import ParityReport, TrainingParityReport
from bridge.progress import Show, silent
from model_spec import ModelSpec, TrainingSpec, to_dict, to_json
from model_spec.verdict import Verdict, combine

Array = np.ndarray

PARITY_ROWS = 32
DTYPES = ("float64", "float32")
SEEDS_IN_DOUBT = 5
"""Seeds to train with where one seed's accuracies differ by more than a test set explains: training is chaotic."""
BEGINNING = {"batch": 128, "steps": 3}
"""What a fresh process of each backend does, to see its start and its memory."""


@dataclass(frozen=True)
class Comparison:
    """All that the main job found about one network; with a planted fault, parity alone.

    Attributes:
        spec: the network.
        data: what it was trained on.
        parity: forward and backward agreement.
        configuration: the options that were in effect.
        drift: lock-step trainings, one a precision.
        accuracies: both backends trained alike, once a seed; where one leaves doubt, several.
        insides: the networks of the first seed from the inside.
        speed: both backends timed.
        beginning: {backend: seconds of each beginning and peak memory} of fresh processes, their batch and steps.
    """

    spec: ModelSpec
    data: Data
    parity: ParityReport
    configuration: dict[str, Any]
    drift: list[TrainingParityReport] = field(default_factory=list)
    accuracies: list[TrainedPair] = field(default_factory=list)
    insides: Inspection | None = None
    speed: SpeedReport | None = None
    beginning: dict[str, Any] | None = None

    @property
    def accuracy(self) -> TrainedPair | None:
        """That of the first seed."""
        return self.accuracies[0] if self.accuracies else None

    @property
    def verdict(self) -> Verdict:
        """AGREE where parity holds, lock-step trainings stay together and accuracies differ by no more than chance."""
        found = [self.parity.verdict, *(report.verdict for report in self.drift)]
        return combine(found + ([accuracy_verdict(self.accuracies)] if self.accuracies else []))

    @property
    def agrees(self) -> bool:
        """True where the verdict is AGREE."""
        return self.verdict == Verdict.AGREE

    @property
    def p_value(self) -> float | None:
        """The chance of such accuracies if both were equally good: over all seeds, or over the test examples of one."""
        if len(self.accuracies) > 1:
            return paired_p_value(self.accuracies)
        return None if self.accuracy is None else self.accuracy.p_value

    def _repr_html_(self) -> str:
        parts: list[Any] = [f"{self.verdict}: {self.spec.name}", self.parity, *self.drift]
        parts += [one for one in (self.accuracy, self.speed) if one is not None]
        return as_html(parts)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists and numbers, with the machine it was found on."""
        trained = self.accuracy
        return {
            "verdict": self.verdict,
            "spec": to_dict(self.spec),
            "configuration": self.configuration,
            "parity": self.parity.to_dict(),
            "drift": [report.to_dict() for report in self.drift],
            "accuracy": None if trained is None or self.data.is_regression else trained.to_dict(),
            "regression": None if trained is None or not self.data.is_regression else trained.to_dict(),
            "seeds": [
                {backend.name: backend.test[accuracy.score] for backend in accuracy.backends}
                for accuracy in self.accuracies
            ],
            "p_value": self.p_value,
            "spread": spread(self.accuracies) if self.accuracies else {},
            "insides": None if self.insides is None else self.insides.to_dict(),
            "speed": None if self.speed is None else self.speed.to_dict(),
            "beginning": self.beginning,
            "environment": environment.describe(),
        }


def run(
    spec: ModelSpec,
    data: Data,
    training: TrainingSpec,
    *,
    seed: int,
    threads: int,
    fault: str | None = None,
    drift_steps: int = 0,
    seeds: int = 1,
    show: Show = silent,
) -> Comparison:
    """Do the main job for one network. With a planted fault only parity is run: that is where it must show.

    Args:
        spec: the network.
        data: to train and test on.
        training: how to train.
        seed: of the parity check and the first training.
        threads: of each backend.
        fault: to plant.
        drift_steps: also train both backends in lock-step for so many steps, in each precision.
        seeds: trainings with so many seeds, counted up from ``seed``.
        show: see :class:`bridge.progress.Show`.
    """
    x, y = data.train
    show(f"{spec.name}: comparing forward and backward")
    found: dict[str, Any] = {}
    with blas_threads(threads):
        parity = bridge.compare(
            spec,
            x[:PARITY_ROWS],
            y[:PARITY_ROWS],
            seed=seed,
            loss=training.loss if data.is_regression else None,
            prepare=None if fault is None else bridge.plant(fault),
        )
        if fault is None:
            found["drift"] = []
            for dtype in DTYPES if drift_steps else ():
                show(f"{spec.name}: {drift_steps} steps in lock-step, {dtype}")
                lock_step = training.replace(validation_split=0.0, early_stopping=None)
                found["drift"].append(bridge.compare_training(spec, x, y, lock_step, drift_steps, seed, dtype))
            trained: list[TrainedPair] = []
            found["accuracies"] = trained
            for number in range(max(seeds, SEEDS_IN_DOUBT)):
                if number < seeds or not trained[0].agrees:
                    trained.append(train_both(spec, training, data.train, data.test, seed + number, show))
            ours, theirs = (backend.model for backend in trained[0].backends)
            found["insides"] = inspect_models(spec, ours, theirs, data.test[0])
            show(f"{spec.name}: timing both backends, interleaved")
            found["speed"] = measure(spec, training, x, y, threads)
            show(f"{spec.name}: starting each backend from nothing")
            found["beginning"] = BEGINNING | {
                backend: start.begin(backend, to_json(spec), **BEGINNING, threads=threads) for backend in start.BACKENDS
            }
    configuration = {
        "data": data.name,
        "data_notes": list(data.notes),
        "class_names": list(data.class_names),
        "training_rows": len(x),
        "test_rows": len(data.test[0]),
        "parity_rows": PARITY_ROWS,
        "seed": seed,
        "seeds": seeds,
        "threads": threads,
        "fault": fault,
        "training": to_dict(training),
    }
    return Comparison(spec, data, parity, configuration, **found)
