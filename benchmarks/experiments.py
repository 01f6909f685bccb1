"""What a command runs on: the data, the networks that take them, and how they are trained where nobody says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import datasets, regression
from benchmarks.accuracy import is_regression
from model_spec import EarlyStopping, ModelSpec, TrainingSpec, zoo
from model_spec.experiment import Experiment, load_experiment, with_table
from model_spec.validation import positive_integer
from model_spec.zoo_extended import CLASSIFIERS

Array = np.ndarray

VALIDATION_SPLIT = 0.1


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


def find_experiments(names: list[str], data: Data, extended: bool = False) -> list[Experiment]:
    """Networks checked against the data, each with the training that its file asks for.

    Args:
        names: of the zoo, "all" (the main job's three), or .toml and .json files.
        data: what they are to take.
        extended: add those of ``model_spec.zoo_extended`` to "all".

    Raises:
        ValueError: an unknown name, an unreadable file, or a network that does not take this data.
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
            flat = "Flatten() and " if len(spec.output_shape) > 1 else ""
            raise ValueError(
                f"model {spec.name!r} gives output {spec.output_shape}, data set {data.name!r} has {data.classes} "
                f"classes; end the network with {flat}Dense({data.classes})"
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
