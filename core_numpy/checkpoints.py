"""A training run on disk after every epoch: all that ``fit`` needs to go on from there to the same bits.

Batch order depends on the run's seed and the epoch, dropout masks on counters, so a run is its variables, the
optimizer's state, early stopping's memory and the history. Steps of an unfinished epoch are taken again.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core_numpy import weight_files
from core_numpy.callbacks import EarlyStoppingState
from model_spec import to_dict
from model_spec.fitting import FitData
from model_spec.protocol import History
from model_spec.training import TrainingSpec

if TYPE_CHECKING:
    from core_numpy.model import NumpyModel

Array = np.ndarray

SCHEMA_VERSION = 1
_MAY_GROW = ("epochs", "steps")
"""Fields of a training run that may differ when it is taken up: a run may be made longer."""


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        data: fingerprint of what is trained on.
        epochs: finished ones.
        history: their figures.
        logs: figures of the last one.
        stopping: early stopping's memory, or None without it.
        snapshot: the weights it will restore, or None.
        ended: whether the run was told to stop.
    """

    data: str
    epochs: int = 0
    history: History = dataclasses.field(default_factory=History)
    logs: dict[str, float] = dataclasses.field(default_factory=dict)
    stopping: EarlyStoppingState | None = None
    snapshot: dict[str, Array] | None = None
    ended: bool = False


def save(path: str | Path, model: NumpyModel, training: TrainingSpec, progress: Progress) -> None:
    """Write the run as it stands, whole or not at all."""
    arrays = {f"weights/{name}": value for name, value in model.weights.items()}
    arrays |= {f"state/{name}": value for name, value in model.training_state().items()}
    arrays |= {f"snapshot/{name}": value for name, value in (progress.snapshot or {}).items()}
    stopping = None
    if progress.stopping is not None:
        stopping = {name: value for name, value in vars(progress.stopping).items() if name != "rule"}
    checkpoint = {
        "version": SCHEMA_VERSION,
        "training": to_dict(training),
        "data": progress.data,
        "epochs": progress.epochs,
        "history": progress.history.to_dict(),
        "logs": progress.logs,
        "stopping": stopping,
        "ended": progress.ended,
    }
    weight_files.save(path, arrays, model.spec, backend="numpy", dtype=model.dtype, checkpoint=checkpoint)


def load(path: str | Path, model: NumpyModel, training: TrainingSpec, data: str) -> Progress:
    """Put a model whose training has been started back to where the run stood; all or nothing.

    Raises:
        WeightFileError: the file is missing, damaged, or no checkpoint.
        ValueError: the checkpoint is of another network, precision, training run or data.
    """
    file = weight_files.read(path)
    try:
        found = file.meta["checkpoint"]
        if found["version"] != SCHEMA_VERSION:
            raise ValueError(f"it has version {found['version']}, this program reads {SCHEMA_VERSION}")
        parts: dict[str, dict[str, Array]] = {"weights": {}, "state": {}, "snapshot": {}}
        for name, value in file.arrays.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = value
        history, snapshot = History(**found["history"]), parts["snapshot"] or None
        progress = Progress(found["data"], found["epochs"], history, found["logs"], None, snapshot, found["ended"])
        if training.early_stopping is not None and found["stopping"] is not None:
            progress.stopping = EarlyStoppingState(training.early_stopping, **found["stopping"])
        given = {"spec": file.meta["spec"], "dtype": file.meta["dtype"], "data": progress.data}
        theirs = found["training"]
    except (KeyError, TypeError, ValueError) as error:
        raise weight_files.WeightFileError(f"{path} is no checkpoint of a training run: {error}") from None
    mine: dict[str, Any] = {"spec": to_dict(model.spec), "dtype": model.dtype, "data": data}
    differing = [name for name, value in mine.items() if value != given[name]]
    differing += [
        f"training.{name}"
        for name, value in to_dict(training).items()
        if name not in _MAY_GROW and value != theirs.get(name)
    ]
    if differing:
        raise ValueError(
            f"{path} is the checkpoint of another run: it differs in {', '.join(differing)}; "
            f"resume with the same network, data and training, or name another file"
        )
    before = model.weights
    model.set_weights(parts["weights"])
    try:
        model.set_training_state(parts["state"])
    except ValueError:
        model.set_weights(before)
        raise
    return progress


def fingerprint(data: FitData) -> str:
    """A hash of what is trained on."""
    digest = hashlib.sha256()
    for array in (data.x, data.y, data.sample_weight, *(data.validation or ())):
        if array is None:
            digest.update(b"none")
        else:
            digest.update(f"{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
