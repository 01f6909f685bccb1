"""The main job: parity, then accuracy, then speed of one network on both backends, in one result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import bridge
from benchmarks import datasets, environment, regression
from benchmarks.accuracy import (
    accuracy_verdict,
    blas_threads,
    is_regression,
    paired_p_value,
    spread,
    train_both,
)
from benchmarks.inspection import Inspection, inspect_models
from benchmarks.speed import SpeedReport, measure
from benchmarks.speed_studies import start
from benchmarks.tables import as_html
from benchmarks.trained import TrainedPair
from bridge import ParityReport, TrainingParityReport
from bridge.progress import Show, silent
from model_spec import EarlyStopping, ModelSpec, TrainingSpec, to_dict, to_json, zoo
from model_spec.experiment import Experiment, load_experiment, with_table
from model_spec.validation import positive_integer
from model_spec.verdict import Verdict, combine
from model_spec.zoo_extended import CLASSIFIERS

Array = np.ndarray

PARITY_ROWS = 32
VALIDATION_SPLIT = 0.1
DTYPES = ("float64", "float32")
SEEDS_IN_DOUBT = 5
"""Seeds to train with where one seed's accuracies differ by more than a test set explains: training is chaotic."""
BEGINNING = {"batch": 128, "steps": 3}
"""What a fresh process of each backend does, to see its start and its memory."""


@dataclass(frozen=True)
class Data:
    """One data set, scaled to 0..1, images with their channel axis.

    Attributes:
        name: as it was asked for.
        train, test: inputs and integer classes, or the values of a regression (n, targets) as floats.
        notes: what was done to the rows, and what looks wrong with them.
        class_names: what the classes 0, 1, ... are called; empty where the data have such numbers.
    """

    name: str
    train: tuple[Array, Array]
    test: tuple[Array, Array]
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()

    @property
    def is_regression(self) -> bool:
        """True where the targets are values, not classes."""
        return is_regression(self.train[1])

    @property
    def classes(self) -> int:
        """Number of classes; of a regression, number of values of an example."""
        if self.is_regression:
            return int(self.train[1].shape[1])
        return int(max(self.train[1].max(), self.test[1].max())) + 1

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self.train[0].shape[1:])


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


def load_data(name: str, limit: int | None = None, as_values: bool = False) -> Data:
    """Load a data set by name or path; ``limit`` keeps the first rows of the training part.

    Args:
        name: or path.
        limit: training rows at most.
        as_values: take numbers that could be classes for the values of a regression, in data of the user's own.
    """
    if name in datasets.DATASETS:
        return Data(name, *datasets.examples(name, limit=limit))
    own = datasets.load_own(name, as_values)
    return Data(name, datasets.ready(own.train, limit), datasets.ready(own.test), own.notes, own.class_names)


def data_named(names: Sequence[str], data: str | None, limit: int | None) -> tuple[str, int | None]:
    """(name or path, limit) of the data: those given, else those that the networks' files name, else digits.

    Raises:
        ValueError: an unreadable file, or files that name different data.
    """
    tables = [load_experiment(name).data for name in names if _is_file(name)]
    if data is None:
        named = list(dict.fromkeys(table["path"] for table in tables if "path" in table))
        if len(named) > 1:
            raise ValueError(f"the networks' files name different data ({', '.join(named)}); say which with --data")
        data = named[0] if named else "digits"
        limits = [positive_integer("limit", table["limit"]) for table in tables if "limit" in table]
        limit = min(limits, default=None) if limit is None else limit
    return data, limit


def _is_file(name: str) -> bool:
    return name.endswith((".toml", ".json"))


def asks_for_values(names: Sequence[str], loss: Any) -> bool:
    """True where a loss of values is asked for and every network is a file whose end is one value: a regression."""
    if not names or not all(_is_file(name) for name in names):
        return False
    found = [load_experiment(name) for name in names]
    return all(
        is_run_on_values(each.spec, with_table(TrainingSpec(loss=loss), {} if loss else each.training))
        for each in found
    )


def is_run_on_values(spec: ModelSpec, training: TrainingSpec) -> bool:
    """True where a network with one output is trained with a loss of values."""
    return spec.output_shape == (1,) and isinstance(training.loss, regression.LOSSES)


def find_models(names: list[str], data: Data) -> list[ModelSpec]:
    """Specifications for zoo names, "all" (the main job's three) and .toml or .json files, checked against the data.

    Raises:
        ValueError: an unknown name, an unreadable file, or a network that does not take this data.
    """
    return [experiment.spec for experiment in find_experiments(names, data)]


def find_experiments(names: list[str], data: Data, extended: bool = False) -> list[Experiment]:
    """The networks of :func:`find_models`, each with the training that its file asks for.

    ``extended`` adds those of ``model_spec.zoo_extended`` to "all".
    """
    everything = (*zoo.MAIN, *CLASSIFIERS) if extended else zoo.MAIN
    found = []
    for name in names or ["all"]:
        if _is_file(name):
            found.append(load_experiment(name))
            continue
        for known in everything if name == "all" else (name,):
            found.append(Experiment(zoo.build(known, data.input_shape, data.classes), {}, {}))
    _refuse_same_names(names, [experiment.spec.name for experiment in found])
    for spec, _, _ in found:
        _refuse_several_ends(spec)
        if spec.input_shape != data.input_shape:
            raise ValueError(
                f"model {spec.name!r} takes input {spec.input_shape}, data set {data.name!r} has {data.input_shape}; "
                f"change input_shape in the model file or choose another --data"
            )
        if data.is_regression:
            regression.check_end(spec, data.name, data.train[1])
        elif spec.output_shape != (data.classes,):
            raise ValueError(
                f"model {spec.name!r} gives output {spec.output_shape}, data set {data.name!r} has {data.classes} "
                f"classes; end the network with Dense({data.classes})"
                f"{', or take its numbers for values with --loss mse' if spec.output_shape == (1,) else ''}"
            )
    return found


def _refuse_same_names(given: Sequence[str], names: Sequence[str]) -> None:
    """Results are kept and shown by name: where files are among the networks, each has to have its own."""
    repeated = next((name for name in names if names.count(name) > 1), None)
    files = [name for name in given if _is_file(name)]
    if repeated is not None and files:
        raise ValueError(
            f"{names.count(repeated)} of the networks are called {repeated!r} ({', '.join(files)}); give each file "
            f"another name = ..."
        )


def _refuse_several_ends(spec: ModelSpec) -> None:
    ends = [
        f"several {what} ({', '.join(found)})"
        for what, found in (("inputs", [str(part.name) for part in spec.input_parts]), ("outputs", spec.output_names))
        if len(found) > 1
    ]
    if ends:
        raise ValueError(
            f"model {spec.name!r} has {' and '.join(ends)}; the commands take networks with one of each, as their data "
            f"have. From Python bridge.compare and fit take lists or dicts"
        )


def default_training(data: Data, epochs: int | None, batch_size: int | None, seed: int) -> TrainingSpec:
    """A training run that suits the size of the data, with early stopping on a tenth held out."""
    small = len(data.train[0]) < 5000
    return TrainingSpec(
        optimizer="adam",
        loss="mean_squared_error" if data.is_regression else None,
        batch_size=batch_size if batch_size is not None else (32 if small else 128),
        epochs=epochs if epochs is not None else (40 if small else 3),
        seed=seed,
        validation_split=VALIDATION_SPLIT,
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
