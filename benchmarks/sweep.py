"""A sweep: networks x data x backends x seeds, for accuracy and parity, in cells that may run anywhere and be resumed.

A cell depends on nothing but its arguments, the content of a data file among them, so results are the same on one
process, several, or a cluster. Nothing is timed: a sweep shares its machine with itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks import datasets, own_data, regression
from benchmarks.accuracy import is_regression
from benchmarks.sweep_result import SweepResult, label
from bridge.fuzzing.task_runner import Outcome, Task, run_tasks, source_version
from bridge.progress import Show, silent
from model_spec import model_from_json, to_dict, to_json
from model_spec.experiment import with_table
from model_spec.training import TrainingSpec
from model_spec.validation import one_of
from model_spec.verdict import json_text
from model_spec.whole_files import write_whole

BACKENDS = ("numpy", "keras")
PARITY_ROWS = 8
EPOCHS = 5
"""Of each training, where neither the network's file nor the caller says otherwise."""


def cells_of(
    models: Sequence[str],
    data: Sequence[str],
    backends: Sequence[str],
    seeds: int,
    training: dict[str, Any],
    limit: int | None = None,
) -> list[Task]:
    """The cells of a sweep: a training for each backend and seed, and a parity check for each seed.

    Args:
        models: as ``crosscheck compare`` takes them.
        data: names or paths of data sets.
        backends: "numpy" and "keras", either or both.
        seeds: how many, from 0.
        training: fields of :class:`model_spec.TrainingSpec`.
        limit: use only the first so many training rows.

    Raises:
        ValueError: a network, data set, backend or field that there is not, or one twice; before anything is run.
    """
    from benchmarks.experiments import VALIDATION_SPLIT, asks_for_values, find_experiments, load_data

    _refuse_repeated("data sets", list(data))
    _refuse_repeated("backends", list(backends))
    for backend in backends:
        one_of("backends", backend, BACKENDS)
    with_table(TrainingSpec(), training)
    version = source_version()
    as_values = asks_for_values(list(models), training.get("loss"))
    cells = []
    for name in data:
        loaded = load_data(name, limit, as_values)
        experiments = find_experiments(list(models), loaded)
        _refuse_repeated("networks", [experiment.spec.name for experiment in experiments])
        for spec, of_file, _ in experiments:
            held_out = VALIDATION_SPLIT if of_file.get("early_stopping") else 0.0
            loss = "mean_squared_error" if loaded.is_regression else None
            base = TrainingSpec(loss=loss, epochs=EPOCHS, validation_split=held_out)
            asked = with_table(with_table(base, of_file), training)
            if loaded.is_regression:
                regression.check_loss(asked.loss, name)
            checked = to_dict(asked)
            common: dict[str, Any] = {"name": spec.name, "spec": to_json(spec), "data": name, "digest": _digest(name)}
            common["as_values"] = as_values
            for seed in range(seeds):
                for backend in backends:
                    arguments = common | {"limit": limit, "backend": backend, "seed": seed, "training": checked}
                    cells.append(Task("benchmarks.sweep:train", arguments, version))
                cells.append(Task("benchmarks.sweep:parity", common | {"seed": seed}, version))
    return cells


def _digest(data: str) -> str | None:
    """What a data file holds, so that results of its former content are not taken for its own; None for other data.

    The data sets that are not files of the user's are verified, or made, and always the same.
    """
    if data in datasets.DATASETS:
        return None
    return own_data.digest(data)


def _refuse_other_data(data: str, digest: str | None) -> None:
    if _digest(data) != digest:
        raise ValueError(f"{data} holds other data than when the sweep began; run the sweep again")


def _refuse_repeated(what: str, names: Sequence[str]) -> None:
    """Results are kept and shown by name."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{what} {', '.join(map(repr, repeated))} are given more than once; give each another name")


def run(
    cells: Sequence[Task],
    directory: Path,
    jobs: int = 1,
    cluster: str | None = None,
    show: Show = silent,
) -> SweepResult:
    """Run what is not there yet, and write ``results.json`` beside the cells.

    Args:
        cells: of :func:`cells_of`.
        directory: where every finished cell is kept at once, and the results in the end; several runs may share it.
        jobs: processes on this machine.
        cluster: address of a Dask scheduler whose workers run the cells instead.
        show: see :class:`bridge.progress.Show`.
    """
    result = SweepResult(total=len(cells))
    found: dict[str, Outcome] = {}
    try:
        for outcome in run_tasks(cells, directory / "cells", jobs, cluster=cluster):
            found[outcome.task.key] = outcome
            show(f"{label(outcome.task)}{' FAILED' if outcome.error else ''}", len(found), len(cells))
    except KeyboardInterrupt:
        result.interrupted = True
    result.outcomes = [found[cell.key] for cell in cells if cell.key in found]
    write_whole(directory / "results.json", json_text(result.to_dict()))
    return result


def train(
    name: str,
    spec: str,
    data: str,
    digest: str | None,
    as_values: bool,
    limit: int | None,
    backend: str,
    seed: int,
    training: dict[str, Any],
) -> dict[str, float]:
    """One cell: train one backend with one seed; its figures on the test set, and the epochs it took."""
    from benchmarks.accuracy import figures_on
    from benchmarks.experiments import load_data
    from model_spec.serialization import from_dict

    loaded = load_data(data, limit, as_values)
    _refuse_other_data(data, digest)
    with _one_thread(backend == "keras"):
        model = _model(backend, spec, seed)
        history = model.fit(*loaded.train, from_dict(training), verbose=0, seed=seed)
        return {**figures_on(model, *loaded.test)[0], "epochs": len(history.epoch)}


def parity(name: str, spec: str, data: str, digest: str | None, as_values: bool, seed: int) -> dict[str, Any]:
    """One cell: forward and backward of both backends, with random weights of this seed."""
    from benchmarks.experiments import load_data
    from bridge import compare

    x, y = load_data(data, PARITY_ROWS, as_values).train
    _refuse_other_data(data, digest)
    with _one_thread(True):
        report = compare(
            model_from_json(spec), x, y, seed=seed, loss="mean_squared_error" if is_regression(y) else None
        )
    worst = report.worst(report.rows, "error_over_bound")
    return {
        "verdict": report.verdict,
        "largest": 0.0 if worst is None else worst.error_over_bound,
        "why": report.why,
    }


@contextmanager
def _one_thread(with_keras: bool) -> Iterator[None]:
    """One thread for both backends: results must not depend on where a cell runs."""
    from benchmarks.accuracy import blas_threads

    if with_keras:
        from keras_models import set_threads

        # A process whose TensorFlow has begun keeps its threads: the last bits may be those of another number
        with suppress(ValueError):
            set_threads(1)
    with blas_threads(1):
        yield


def _model(backend: str, spec: str, seed: int) -> Any:
    if backend == "numpy":
        from core_numpy import NumpyModel

        return NumpyModel(model_from_json(spec), seed=seed, threads=1)
    from keras_models import KerasModel

    return KerasModel(model_from_json(spec), seed=seed)
