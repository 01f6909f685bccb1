"""A training run on disk after every epoch: all that ``fit`` needs to go on from there to the same bits.

Batch order depends on the run's seed and the epoch, dropout masks on counters, so a run is its variables, the
optimizer's state, the memories of early stopping and callbacks, and the history. Steps of an unfinished epoch are taken
again. Keras' own BackupAndRestore keeps variables and optimizer only, and replaces its files one after another.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model_spec import weight_files
from model_spec.callbacks import Callback
from model_spec.fitting import FitData
from model_spec.inputs import check_weights
from model_spec.names import printable, shown
from model_spec.protocol import History
from model_spec.serialization import to_dict
from model_spec.training import TrainingSpec
from model_spec.validation import non_negative_integer
from model_spec.whole_files import remove_leftovers

Array = np.ndarray

SCHEMA_VERSION = 2
STOPPING = ("wait", "best", "best_epoch", "stopped_epoch")
"""What early stopping remembers, on either backend."""

_MAY_GROW = ("epochs",)
"""Fields of a training run that may differ when it is taken up: a run may be made longer."""


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        data: fingerprint of what is trained on.
        epochs: finished ones.
        history: their figures.
        logs: figures of the last one.
        stopping: early stopping's memory, the names of ``STOPPING``, or None without it.
        snapshot: the weights it will restore, or None.
        ended: whether the run was told to stop.
        memories: what callbacks remember, [class name, ``Callback.memory()``] of those that do.
    """

    data: str
    epochs: int = 0
    history: History = dataclasses.field(default_factory=History)
    logs: dict[str, float] = dataclasses.field(default_factory=dict)
    stopping: dict[str, Any] | None = None
    snapshot: dict[str, Array] | None = None
    ended: bool = False
    memories: list[list[Any]] = dataclasses.field(default_factory=list)

    def take_up(self, callbacks: Iterable[Callback]) -> None:
        """Give callbacks back what they remembered; called behind ``on_train_begin``, where they forget."""
        for callback, (_, memory) in zip(_with_memory(callbacks), self.memories, strict=False):
            callback.remember(memory)


def _with_memory(callbacks: Iterable[Callback]) -> list[Callback]:
    return [callback for callback in callbacks if callback.memory()]


def check(checkpoint: str | Path | None, resume: bool) -> None:
    """Refuse a file name that does not end in .npz, and ``resume`` without a file."""
    if checkpoint is not None:
        weight_files.check_path(checkpoint)
    elif resume:
        raise ValueError("resume=True needs the file to go on from; give checkpoint='run.npz'")


def begin(
    path: str | Path | None,
    resume: bool,
    model: Any,
    backend: str,
    data: FitData,
    training: TrainingSpec,
    callbacks: Sequence[Callback],
) -> Progress:
    """A fresh run, or the one in the checkpoint where there is one to be taken up."""
    if path is None:
        return Progress("")
    remove_leftovers(path)
    known = fingerprint(data)
    if not (resume and Path(path).exists()):
        return Progress(known)
    return load(path, model, backend, training, known, callbacks)


def save(
    path: str | Path,
    model: Any,
    backend: str,
    training: TrainingSpec,
    progress: Progress,
    callbacks: Iterable[Callback],
) -> None:
    """Write the run as it stands, whole or not at all."""
    arrays = {f"weights/{name}": value for name, value in model.weights.items()}
    arrays |= {f"state/{name}": value for name, value in model.training_state().items()}
    arrays |= {f"snapshot/{name}": value for name, value in (progress.snapshot or {}).items()}
    checkpoint = {
        "version": SCHEMA_VERSION,
        "training": to_dict(training),
        "data": progress.data,
        "masks": _masks(model),
        "epochs": progress.epochs,
        "history": progress.history.to_dict(),
        "logs": progress.logs,
        "stopping": progress.stopping,
        "ended": progress.ended,
        "memories": [[type(callback).__name__, callback.memory()] for callback in _with_memory(callbacks)],
    }
    weight_files.save(path, arrays, model.spec, backend=backend, dtype=model.dtype, checkpoint=checkpoint)


def load(
    path: str | Path, model: Any, backend: str, training: TrainingSpec, data: str, callbacks: Iterable[Callback] = ()
) -> Progress:
    """Put a model whose training has been started back to where the run stood; all or nothing.

    Raises:
        WeightFileError: the file is missing, damaged, or no checkpoint.
        ValueError: the checkpoint is of another network, backend, precision, training run, data or callbacks.
    """
    file = weight_files.read(path)
    try:
        found = file.meta["checkpoint"]
        if found["version"] != SCHEMA_VERSION:
            raise ValueError(f"it has version {shown(found['version'])}, this program reads {SCHEMA_VERSION}")
        parts: dict[str, dict[str, Array]] = {"weights": {}, "state": {}, "snapshot": {}}
        for name, value in file.arrays.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = value
        progress = Progress(
            _of("data", found["data"], str),
            non_negative_integer("epochs", found["epochs"]),
            _history(found["history"]),
            _figures("logs", found["logs"]),
            None if found["stopping"] is None else _figures("stopping", {n: found["stopping"][n] for n in STOPPING}),
            parts["snapshot"] or None,
            _of("ended", found["ended"], bool),
            [[_of("a callback", name, str), _figures(name, memory)] for name, memory in found["memories"]],
        )
        given = {"spec": file.meta["spec"], "backend": file.meta["backend"], "dtype": file.meta["dtype"]}
        given |= {"data": progress.data, "callbacks": [name for name, _ in progress.memories]}
        theirs = _of("training", found["training"], dict)
        # Files of earlier releases do not say
        masks = _figures("masks", found.get("masks", _masks(model)))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise weight_files.WeightFileError(
            f"{path} is no checkpoint of a training run: {printable(str(error))}"
        ) from None
    mine = {"spec": to_dict(model.spec), "backend": backend, "dtype": model.dtype, "data": data}
    mine["callbacks"] = [type(callback).__name__ for callback in _with_memory(callbacks)]
    differing = [name for name, value in mine.items() if value != given[name]]
    differing += [
        f"what {type(callback).__name__} remembers"
        for callback, (_, memory) in zip(_with_memory(callbacks), progress.memories, strict=False)
        if set(memory) != set(callback.memory())
    ]
    differing += [
        f"training.{name}"
        for name, value in to_dict(training).items()
        if name not in _MAY_GROW and value != theirs.get(name)
    ]
    differing += [
        f"{name} ({shown(masks.get(name))} there, {value!r} here)"
        for name, value in _masks(model).items()
        if value != masks.get(name)
    ]
    if differing:
        raise ValueError(
            f"{path} is the checkpoint of another run: it differs in {', '.join(differing)}; "
            f"resume with the same network, data, training and dropout_seed, or name another file"
        )
    before = model.weights
    try:
        if progress.snapshot is not None:
            progress.snapshot = check_weights(progress.snapshot, model.spec.variable_shapes, model.dtype)
        model.set_weights(parts["weights"])
        model.set_training_state(parts["state"])
    except (ValueError, TypeError, OverflowError, KeyError) as error:
        model.set_weights(before)
        raise ValueError(f"{path}: {printable(str(error))}") from None
    return progress


def _masks(model: Any) -> dict[str, Any]:
    """What dropout masks are drawn by, beside the counters of the training state."""
    if not model.spec.dropout_layers:
        return {}
    return {"dropout_seed": model.dropout_seed, "masks": getattr(model, "mask_kind", "keras")}


def _of(name: str, value: Any, *kinds: type) -> Any:
    """A value of a checkpoint that has to be of one of these kinds."""
    if not isinstance(value, kinds):
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise ValueError(f"{name} must be of {expected}, got {shown(value)}")
    return value


def _history(entry: Any) -> History:
    history = History(**_of("history", entry, dict))
    for name, figures in _of("history.history", history.history, dict).items():
        _figures(name, dict(enumerate(_of(name, figures, list))))
    for number in _of("history.epoch", history.epoch, list):
        non_negative_integer("history.epoch", number)
    _figures("history", {"best_epoch": history.best_epoch, "stopped_epoch": history.stopped_epoch})
    _figures("history", {"seconds": _of("seconds", history.seconds, int, float)})
    return history


def _figures(name: str, entry: Any) -> dict[Any, Any]:
    """A table of numbers, of strings, or of nothing yet: what is kept from epoch to epoch."""
    for key, value in _of(name, entry, dict).items():
        if value is not None and not isinstance(value, (bool, int, float, str)):
            raise ValueError(f"{name}, {shown(key)} must be a number, got {shown(value)}")
    return dict(entry)


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
