"""One cell of the campaign: one variant of one row, on one backend, from one seed."""

from __future__ import annotations

import dataclasses
import logging
import signal
import time
from typing import Any

import numpy as np

from benchmarks import environment
from benchmarks.accuracy import blas_threads
from benchmarks.reproduction import slices
from benchmarks.reproduction.experiment import Row, Variant
from benchmarks.reproduction.inspection import filters, histograms
from benchmarks.reproduction.measuring import measure_all
from benchmarks.reproduction.slices import DataSlice, Draw, Split
from benchmarks.reproduction.toml_tables import record_from
from benchmarks.reproduction.training import train
from benchmarks.speed_studies.worker_process import SETTLE_SECONDS
from bridge.fuzzing.task_runner import Task
from core_numpy import NumpyModel
from model_spec import ModelSpec
from model_spec.validation import one_of

BACKENDS = ("numpy", "keras")

SCHEMA = "1"
"""Version of every cell: changes where the same data would give another result. Edits elsewhere keep what is there."""

FINAL_CALL = 0
"""Number of the dropout masks of the last measurement; those after epochs take the epoch's number, from 1."""

_TOLD_ONLY = ("published", "parameters")
"""Fields of a variant no result depends on."""


def cell(row: Row, variant: Variant, backend: str, seed: int, threads: int, alone: bool = True) -> Task:
    """The cell of this variant; its key depends on the experiment's own data and on nothing else."""
    experiment = {"row": row.name, "data": _stated(row.data), "variant": _stated(variant, _TOLD_ONLY)}
    arguments = {"experiment": experiment, "backend": backend, "seed": seed, "threads": threads, "alone": alone}
    return Task("benchmarks.reproduction.cells:run", arguments, SCHEMA)


def _stated(record: DataSlice | Variant, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a dataclass that are not at their default: a new field leaves the keys of old cells alone."""
    stated = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if field.name not in without and value != default:
            stated[field.name] = dataclasses.asdict(value) if isinstance(value, (Split, Draw)) else value
    return stated


def prepare_process(threads: int) -> None:
    """Called first in every process of a campaign: its threads, nothing printed, Ctrl-C left to the main process."""
    import keras_models

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    keras_models.set_threads(threads)


def run(experiment: dict[str, Any], backend: str, seed: int, threads: int, alone: bool) -> dict[str, Any]:
    """Run one variant on one backend.

    Args:
        experiment: {"row": name, "data": table, "variant": table}, as :func:`cell` makes it.
        backend: "numpy" or "keras". Both start from the weights NumpyModel draws from the seed.
        seed: of first weights, dropout masks, batch order and drawn rows.
        threads: of NumPy; TensorFlow takes its number before its first operation (:func:`prepare_process`).
        alone: whether nothing else was computing; seconds are compared only then.

    Returns:
        {"figures", "curves", "late", "axis", "seconds", "parameters", "alone", "environment"} as JSON values.
    """
    one_of("backend", backend, BACKENDS)
    variant = record_from(Variant, experiment["variant"], "variant")
    parts = slices.from_entry(experiment["data"]).parts(seed, variant.dtype)
    builder = Builder(backend, seed, threads, variant.dtype)
    with blas_threads(threads):
        if not variant.trains:
            look = histograms if variant.way == "histograms" else filters
            found = look(builder, parts, **variant.look)
            result: dict[str, Any] = {"figures": {"run": found.pop("figures")}, "looked": found}
        else:
            result = _train(builder(variant.model_spec()), variant, parts, seed)
    return result | {"alone": alone, "environment": _environment(backend, threads)}


@dataclasses.dataclass(frozen=True)
class Builder:
    """Makes models of one backend that start from the same weights as those of the other."""

    backend: str
    seed: int
    threads: int
    dtype: str

    def __call__(self, spec: ModelSpec) -> Any:
        """A fresh model of this network."""
        ours = NumpyModel(spec, self.seed, self.dtype, threads=self.threads)
        if self.backend == "numpy":
            return ours
        from keras_models import KerasModel

        theirs = KerasModel(spec, self.seed, self.dtype)
        # Uniform first weights are equal in every bit as it is; normal ones may differ in the last
        theirs.set_weights(ours.weights)
        return theirs


def _train(model: Any, variant: Variant, parts: dict[str, Any], seed: int) -> dict[str, Any]:
    # oneDNN's threads go on spinning after Keras' work, at the cost of who comes next
    time.sleep(SETTLE_SECONDS)
    trained = train(model, variant, parts, seed)
    figures = measure_all(model, variant.readings, parts, FINAL_CALL)
    figures["run"] = {f"{trained.axis}s": trained.count}
    if trained.lowest is not None:
        epoch, value = trained.lowest
        figures["run"] |= {"epoch_of_lowest_validation_loss": epoch, "lowest_validation_loss": value}
    if variant.printed_penalty is not None:
        figures["run"]["penalty"] = _penalty(model, **variant.printed_penalty)
    return {
        "figures": figures,
        "curves": trained.curves,
        "late": trained.late,
        "axis": trained.axis,
        "seconds": trained.seconds,
        "parameters": model.spec.parameter_count,
    }


def _penalty(model: Any, strength: float, layers: int) -> float:
    """0.5 * strength * sum(W**2) over the first layers that have a kernel."""
    kernels = [value for name, value in model.weights.items() if name.endswith("/kernel")]
    return float(0.5 * strength * sum(np.square(kernel, dtype=np.float64).sum() for kernel in kernels[:layers]))


def _environment(backend: str, threads: int) -> dict[str, Any]:
    """What a page says of the machine, and the date."""
    facts = environment.describe()
    processor = facts["cpu"] or {}
    known = {
        "date": facts["date"],
        "commit": facts["commit"],
        "processor": processor.get("model"),
        "cores": processor.get("usable_cores"),
        "python": facts["python"],
        "numpy": facts["numpy"],
        "blas": [f"{library['library']} {library['version']} {library['core']}" for library in facts["blas"]],
        "versions": facts["versions"],
        "threads": threads,
    }
    if backend == "keras":
        import keras_models

        known["threads"] = keras_models.environment()["intra_op_threads"]
    return known
