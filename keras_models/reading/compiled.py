"""What a Keras model was compiled with, as a TrainingSpec and back: loss and optimizer, for training on."""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_models.losses import keras_loss, keras_metrics
from keras_models.optimizers import keras_optimizer
from keras_models.runtime import floatx
from model_spec import ModelSpec, TrainingSpec, losses, optimizers, schedules

_LOSSES: dict[str, type[losses.Loss]] = {
    "categoricalcrossentropy": losses.CategoricalCrossentropy,
    "sparsecategoricalcrossentropy": losses.CategoricalCrossentropy,
    "binarycrossentropy": losses.BinaryCrossentropy,
    "meansquarederror": losses.MeanSquaredError,
    "mse": losses.MeanSquaredError,
    "halfsumsquarederror": losses.HalfSumSquaredError,
    "meanabsoluteerror": losses.MeanAbsoluteError,
    "mae": losses.MeanAbsoluteError,
    "huber": losses.Huber,
    "huberloss": losses.Huber,
    "logcosh": losses.LogCosh,
    "kldivergence": losses.KLDivergence,
    "kullbackleiblerdivergence": losses.KLDivergence,
    "kld": losses.KLDivergence,
    "hinge": losses.Hinge,
    "squaredhinge": losses.SquaredHinge,
    "categoricalhinge": losses.CategoricalHinge,
}
"""Names of Keras' losses without case and underscores: of classes, functions and abbreviations alike."""

HUBER_NOTE = "Keras' files do not keep the delta of a Huber loss; training on takes 1"

_LARGEST_CONFIGURATION = 1 << 22


@dataclass(frozen=True)
class Compiled:
    """What can be said of a model's compilation.

    Attributes:
        training: the loss and the optimizer as far as they can be said; None where the model was not compiled, or
            where neither can be.
        notes: what is not kept, and what is taken in its place; a sentence each.
        one_hot_targets: whether the loss takes one-hot rows, not classes; Keras has a loss for either.
    """

    training: TrainingSpec | None = None
    notes: tuple[str, ...] = ()
    one_hot_targets: bool = False


def compiled(source: Any, model: Any) -> Compiled:
    """What a model was compiled with.

    Args:
        source: the path of a ``.keras`` or HDF5 file, or anything else.
        model: the model read from it, or the model itself.
    """
    try:
        if isinstance(source, (str, os.PathLike)):
            return of_configuration(_of_file(Path(source)))
        if not getattr(model, "compiled", False):
            return Compiled()
        return of_configuration(_with_delta(model.get_compile_config(), model))
    except Exception as error:  # Functions without a name, damaged entries: Keras and JSON raise many kinds
        return Compiled(None, (f"how the model was compiled cannot be read ({type(error).__name__}) and is not kept",))


def _of_file(path: Path) -> dict[str, Any] | None:
    """The compile configuration of a file, as the file has it."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _LARGEST_CONFIGURATION:
                raise ValueError("config.json is too large")
            found: dict[str, Any] | None = json.loads(archive.read("config.json")).get("compile_config")
            return found
    import h5py

    with h5py.File(path, "r") as file:
        text = file.attrs.get("training_config")
    if text is None:
        return None
    entry = json.loads(text)
    return {"loss": entry.get("loss"), "optimizer": entry.get("optimizer_config")}


def _with_delta(entry: dict[str, Any], model: Any) -> dict[str, Any]:
    """A compile configuration with the delta of a Huber loss, which Keras' own ``get_config`` leaves out."""
    delta = getattr(getattr(model, "loss", None), "_fn_kwargs", {}).get("delta")
    if delta is None or not isinstance(entry.get("loss"), dict):
        return entry
    loss = entry["loss"]
    return {**entry, "loss": {**loss, "config": {**loss["config"], "delta": delta}}}


def of_configuration(entry: dict[str, Any] | None) -> Compiled:
    """What ``get_compile_config`` of a Keras model says."""
    if not entry or not (entry.get("loss") or entry.get("optimizer")):
        return Compiled()
    notes: list[str] = []
    loss = _loss(entry.get("loss"), notes)
    optimizer = _optimizer(entry.get("optimizer"), notes)
    if loss is None and optimizer is None:
        return Compiled(None, tuple(notes))
    one_hot = loss is not None and "sparse" not in _named(entry["loss"])[0].lower()
    return Compiled(TrainingSpec(loss=loss, optimizer=optimizer or "adam"), tuple(notes), one_hot)


def compile_as(model: Any, spec: ModelSpec, training: TrainingSpec, meta: dict[str, Any], dtype: str) -> None:
    """Compile a Keras model with what the converted file of ``meta`` keeps."""
    one_hot = bool(meta.get("one_hot_targets"))
    with floatx(dtype):
        loss = None if training.loss is None else losses.get(training.loss)
        optimizer = keras_optimizer(optimizers.get(training.optimizer), dtype)
        # Keras cannot read a file again whose optimizer has no slots
        optimizer.build(model.trainable_variables)
        model.compile(
            optimizer=optimizer,
            loss=None if loss is None else keras_loss(loss, one_hot, spec),
            metrics=None if loss is None else keras_metrics(loss, one_hot),
        )


def _named(entry: Any) -> tuple[str, dict[str, Any]]:
    """(name, options) of a class or function as Keras writes it down."""
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, dict):
        options = entry.get("config")
        if "class_name" not in entry:
            raise ValueError(f"cannot tell what {entry!r:.80} is")
        if isinstance(options, str):  # a function: its name is its configuration
            return options, {}
        return str(entry.get("class_name")), dict(options or {})
    if isinstance(entry, list) and len(entry) == 1:
        return _named(entry[0])
    raise ValueError(f"cannot tell what {entry!r:.80} is")


def _loss(entry: Any, notes: list[str]) -> losses.Loss | None:
    if entry is None:
        return None
    try:
        name, options = _named(entry)
    except ValueError:
        notes.append("the compiled losses, one for each output, are not kept")
        return None
    kind = _LOSSES.get(name.rpartition(">")[2].replace("_", "").lower())
    if kind is None:
        notes.append(f"the compiled loss {name} is not kept: supported are {', '.join(sorted(_kinds()))}")
        return None
    if options.get("reduction", "sum_over_batch_size") not in ("sum_over_batch_size", "mean", "auto"):
        notes.append(f"the compiled loss {name} is not kept: its reduction is {options['reduction']}")
        return None
    if options.get("ignore_class") is not None or options.get("axis", -1) != -1:
        notes.append(f"the compiled loss {name} is not kept: ignore_class and axis are not supported")
        return None
    if not dataclasses.fields(kind):
        return kind()
    if kind is losses.Huber:
        if "delta" not in options and not (isinstance(entry, str) or name == "huber"):
            notes.append(HUBER_NOTE)
        return losses.Huber(float(_plain(float(options.get("delta", 1.0)))))
    return kind(
        from_logits=bool(options.get("from_logits", False)),  # type: ignore[call-arg]
        label_smoothing=float(options.get("label_smoothing") or 0.0),
    )


def _kinds() -> set[str]:
    return {kind.__name__ for kind in _LOSSES.values()}


_ELSEWHERE = {
    "name": None,
    "use_ema": False,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}
"""Options of Keras' optimizers that ours do not have, and the values at which they change nothing."""


def _optimizer(entry: Any, notes: list[str]) -> optimizers.Optimizer | None:
    if entry is None:
        return None
    name, options = _named(entry)
    kinds = {known.lower(): kind for known, kind in optimizers.OPTIMIZERS.items()}
    kind = kinds.get(name.rpartition(">")[2].lower())
    instead = "; training on takes adam unless told otherwise"
    if kind is None:
        notes.append(f"the optimizer {name} is not kept: supported are {', '.join(optimizers.OPTIMIZERS)}{instead}")
        return None
    changing = [
        option
        for option, neutral in _ELSEWHERE.items()
        if option != "name" and options.get(option, neutral) not in (neutral, False)
    ]
    if changing:
        notes.append(f"the optimizer {name} is not kept: {', '.join(changing)} is not supported{instead}")
        return None
    known = {item.name for item in dataclasses.fields(kind)}
    taken = {option: _plain(value) for option, value in options.items() if option in known}
    if isinstance(taken.get("learning_rate"), dict):
        taken["learning_rate"] = _schedule(taken["learning_rate"])
    if taken.get("momentum", 0.0) is None:
        del taken["momentum"]
    if taken.get("weight_decay") == 0:
        taken["weight_decay"] = None
    try:
        return kind(**taken)
    except (ValueError, TypeError) as error:
        notes.append(f"the optimizer {name} is not kept: {error}{instead}")
        return None


def _schedule(entry: dict[str, Any]) -> schedules.Schedule:
    name, options = _named(entry)
    kind = schedules.SCHEDULES.get(name.rpartition(">")[2])
    if kind is None:
        raise ValueError(f"unknown schedule {name}")
    known = {item.name for item in dataclasses.fields(kind)}
    # Without a target Keras leaves the steps of a warm-up out
    if options.get("warmup_target") is None:
        options = {**options, "warmup_steps": 0}
    return kind(**{option: _plain(value) for option, value in options.items() if option in known})


def _plain(value: Any) -> Any:
    """A number as somebody wrote it: Keras keeps 0.001 in float32, which is 0.0010000000474974513 in Python."""
    if isinstance(value, list):
        return tuple(_plain(part) for part in value)
    if isinstance(value, float) and float(np.float32(value)) == value:
        return float(str(np.float32(value)))
    return value
