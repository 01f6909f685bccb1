"""The main job: parity, then accuracy, then speed of one network on both backends, in one result."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import bridge
from benchmarks import datasets, environment
from benchmarks.accuracy import AccuracyComparison, blas_threads, train_both
from benchmarks.speed import SpeedReport, measure
from bridge import ParityReport, TrainingParityReport
from core_numpy.whole_files import write_whole
from model_spec import EarlyStopping, ModelSpec, TrainingSpec, load_model, to_dict, zoo

Array = np.ndarray

PARITY_ROWS = 32
DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Data:
    """One data set, scaled to 0..1, images with their channel axis."""

    name: str
    train: tuple[Array, Array]
    test: tuple[Array, Array]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(max(self.train[1].max(), self.test[1].max())) + 1

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self.train[0].shape[1:])


@dataclass(frozen=True)
class Comparison:
    """All that the main job found about one network; a part that was not run is None."""

    spec: ModelSpec
    parity: ParityReport
    accuracy: AccuracyComparison | None
    speed: SpeedReport | None
    configuration: dict[str, Any]
    drift: list[TrainingParityReport] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """True where parity holds, lock-step trainings stay together and accuracies differ by no more than chance."""
        stays = all(report.passed for report in self.drift)
        return self.parity.passed and stays and (self.accuracy is None or self.accuracy.agrees)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists and numbers, with the machine it was found on."""
        return {
            "verdict": "AGREE" if self.agrees else "DIFFER",
            "spec": to_dict(self.spec),
            "configuration": self.configuration,
            "parity": self.parity.to_dict(),
            "drift": [report.to_dict() for report in self.drift],
            "accuracy": None if self.accuracy is None else self.accuracy.to_dict(),
            "speed": None if self.speed is None else self.speed.to_dict(),
            "environment": environment.describe(),
        }


def load_data(name: str, limit: int | None = None) -> Data:
    """Load a data set by name or path; ``limit`` keeps the first rows of the training part."""
    train, test = datasets.images(name, limit=limit)
    return Data(name, train, test)


def find_models(names: list[str], data: Data) -> list[ModelSpec]:
    """Specifications for zoo names, "all" (the main job's three) and .toml or .json files, checked against the data.

    Raises:
        ValueError: an unknown name, an unreadable file, or a network that does not take this data.
    """
    specs = []
    for name in names or ["all"]:
        if name == "all":
            specs += [zoo.build(known, data.input_shape, data.classes) for known in zoo.MAIN]
        elif name.endswith((".toml", ".json")):
            specs.append(load_model(name))
        else:
            specs.append(zoo.build(name, data.input_shape, data.classes))
    for spec in specs:
        if spec.input_shape != data.input_shape:
            raise ValueError(
                f"model {spec.name!r} takes input {spec.input_shape}, data set {data.name!r} has {data.input_shape}; "
                f"change input_shape in the model file or choose another --data"
            )
        if spec.output_shape != (data.classes,):
            raise ValueError(
                f"model {spec.name!r} gives output {spec.output_shape}, data set {data.name!r} has {data.classes} "
                f"classes; end the network with Dense({data.classes})"
            )
    return specs


def default_training(data: Data, epochs: int | None, batch_size: int | None, seed: int) -> TrainingSpec:
    """A training run that suits the size of the data, with early stopping on a tenth held out."""
    small = len(data.train[0]) < 5000
    return TrainingSpec(
        optimizer="adam",
        batch_size=batch_size if batch_size is not None else (32 if small else 128),
        epochs=epochs if epochs is not None else (40 if small else 3),
        seed=seed,
        validation_split=0.1,
        early_stopping=EarlyStopping(patience=10 if small else 5, restore_best_weights=True),
    )


def run(
    spec: ModelSpec,
    data: Data,
    training: TrainingSpec,
    *,
    seed: int,
    threads: int,
    fault: str | None = None,
    drift_steps: int = 0,
    show: Any = None,
) -> Comparison:
    """Do the main job for one network. With a planted fault only parity is run: that is where it must show.

    ``drift_steps`` also trains both backends in lock-step for so many steps, in each precision.
    """
    tell = show or (lambda line: None)
    x, y = data.train
    tell(f"{spec.name}: comparing forward and backward")
    with blas_threads(threads):
        parity = bridge.compare(spec, x[:PARITY_ROWS], y[:PARITY_ROWS], seed=seed, fault=fault)
        accuracy = speed = None
        drift = []
        for dtype in DTYPES if drift_steps and fault is None else ():
            tell(f"{spec.name}: {drift_steps} steps in lock-step, {dtype}")
            lock_step = training.replace(validation_split=0.0, early_stopping=None)
            drift.append(bridge.compare_training(spec, x, y, lock_step, drift_steps, seed, dtype))
        if fault is None:
            accuracy = train_both(spec, training, data.train, data.test, seed, show)
            tell(f"{spec.name}: timing both backends, interleaved")
            speed = measure(spec, training, x, y, threads)
    configuration = {
        "data": data.name,
        "training_rows": len(x),
        "test_rows": len(data.test[0]),
        "parity_rows": PARITY_ROWS,
        "seed": seed,
        "threads": threads,
        "fault": fault,
        "training": to_dict(training),
    }
    return Comparison(spec, parity, accuracy, speed, configuration, drift)


def save(result: Comparison, directory: Path) -> None:
    """Write report.json and report.html; each file appears whole or not at all."""
    from benchmarks.report import render

    directory.mkdir(parents=True, exist_ok=True)
    entry = result.to_dict()
    write_whole(directory / "report.json", json.dumps(entry, indent=1))
    write_whole(directory / "report.html", render(entry))
