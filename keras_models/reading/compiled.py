"""What a Keras model was compiled with, as a TrainingSpec and back: loss and optimizer, for training on."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_models.losses import keras_loss, keras_metrics
from keras_models.optimizers import keras_optimizer
from keras_models.reading import compile_entries
from keras_models.reading.compile_entries import is_bare_function, is_of_keras, named
from keras_models.runtime import floatx
from model_spec import ModelSpec, TrainingSpec, losses, optimizers, schedules
from model_spec.names import printable

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

OTHERWISE = " unless told otherwise"
NOT_OF_KERAS = "it is not Keras' own"


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
    outputs = len(getattr(model, "outputs", ()))
    try:
        if isinstance(source, (str, os.PathLike)):
            return of_configuration(compile_entries.of_file(Path(source)), outputs)
        return of_configuration(compile_entries.of_model(model) if getattr(model, "compiled", False) else None, outputs)
    except Exception as error:  # Damaged entries: Keras and JSON raise many kinds
        return Compiled(None, (f"how the model was compiled cannot be read ({type(error).__name__}) and is not kept",))


def of_configuration(entry: dict[str, Any] | None, outputs: int = 1) -> Compiled:
    """What the entry of a compilation says; see :mod:`keras_models.reading.compile_entries`."""
    if not entry or not (entry.get("loss") or entry.get("optimizer")):
        return Compiled()
    notes: list[str] = []
    written = entry.get("loss") if outputs > 1 else _only(entry.get("loss"))
    loss = _loss(written, notes)
    weights = entry.get("loss_weights")
    if any(weight != 1 for weight in _numbers(weights)):
        notes.append(f"the compiled loss_weights={weights} are not kept: training on takes the loss as it is")
    optimizer = _optimizer(entry.get("optimizer"), notes)
    if optimizer is not None and entry.get("steps"):
        notes.append(
            f"what the optimizer has gathered (steps taken: {entry['steps']}) is not kept: "
            f"training on begins with a fresh one"
        )
    taken = [("loss", loss and written), ("optimizer", optimizer and entry["optimizer"])]
    by_name = [
        f"the {what} {named(part)[0]}"
        for what, part in taken
        if part and (entry.get("by_name") or is_bare_function(part))
    ]
    if by_name:
        notes.append(f"the file has {' and '.join(by_name)} by name alone; Keras' own of that name is taken")
    if loss is None and optimizer is None:
        return Compiled(None, tuple(notes))
    one_hot = loss is not None and "sparse" not in named(written)[0].lower()
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


def _only(losses_of: Any) -> Any:
    """The one loss in a list or a dict of the outputs' losses; what it is given otherwise."""
    if isinstance(losses_of, dict) and "class_name" not in losses_of:
        losses_of = list(losses_of.values())
    return losses_of[0] if isinstance(losses_of, list) and len(losses_of) == 1 else losses_of


def _numbers(value: Any) -> list[Any]:
    """The loss weights in a list, a dict or alone."""
    if isinstance(value, dict):
        value = list(value.values())
    return [weight for weight in (value if isinstance(value, (list, tuple)) else [value]) if weight is not None]


def _loss(entry: Any, notes: list[str]) -> losses.Loss | None:
    if entry is None:
        return None
    try:
        name, options = named(entry)
    except ValueError:
        notes.append("the compiled losses, one for each output, are not kept")
        return None
    why = _why_no_loss(name, options, entry)
    if why is not None:
        notes.append(
            f"the compiled loss {printable(name)} is not kept: {why}; training on takes cross-entropy{OTHERWISE}"
        )
        return None
    kind = _LOSSES[_key(name)]
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


def _why_no_loss(name: str, options: dict[str, Any], entry: Any) -> str | None:
    """Why a compiled loss cannot be kept, or None."""
    if not is_of_keras(entry):
        return NOT_OF_KERAS
    if _key(name) not in _LOSSES:
        return f"supported are {', '.join(sorted(_kinds()))}"
    if options.get("reduction", "sum_over_batch_size") not in ("sum_over_batch_size", "mean", "auto"):
        return f"its reduction is {options['reduction']}"
    if options.get("ignore_class") is not None or options.get("axis", -1) != -1:
        return "ignore_class and axis are not supported"
    return None


def _key(name: str) -> str:
    return name.replace("_", "").lower()


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
    name, options = named(entry)
    try:
        if not is_of_keras(entry):
            raise ValueError(NOT_OF_KERAS)
        return _kept_optimizer(name, options)
    except (ValueError, TypeError) as error:
        notes.append(f"the optimizer {printable(name)} is not kept: {error}; training on takes adam{OTHERWISE}")
        return None


def _kept_optimizer(name: str, options: dict[str, Any]) -> optimizers.Optimizer:
    kinds = {known.lower(): kind for known, kind in optimizers.OPTIMIZERS.items()}
    kind = kinds.get(name.lower())
    if kind is None:
        raise ValueError(f"supported are {', '.join(optimizers.OPTIMIZERS)}")
    changing = [
        option
        for option, neutral in _ELSEWHERE.items()
        if option != "name" and options.get(option, neutral) not in (neutral, False)
    ]
    if changing:
        raise ValueError(f"{', '.join(changing)} is not supported")
    known = {item.name for item in dataclasses.fields(kind)}
    taken = {option: _plain(value) for option, value in options.items() if option in known}
    if isinstance(taken.get("learning_rate"), dict):
        taken["learning_rate"] = _schedule(taken["learning_rate"])
    if taken.get("momentum", 0.0) is None:
        del taken["momentum"]
    if taken.get("weight_decay") == 0:
        taken["weight_decay"] = None
    return kind(**taken)


def _schedule(entry: dict[str, Any]) -> schedules.Schedule:
    name, options = named(entry)
    kind = schedules.SCHEDULES.get(name)
    if not is_of_keras(entry) or kind is None:
        why = f"supported are {', '.join(schedules.SCHEDULES)}" if is_of_keras(entry) else NOT_OF_KERAS
        raise ValueError(f"its schedule {printable(name)} cannot be said; {why}")
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
