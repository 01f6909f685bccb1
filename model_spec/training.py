"""How a network is trained, said once for both backends."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from model_spec import losses, optimizers
from model_spec.code import ShownAsCode
from model_spec.names import nearest, shown
from model_spec.validation import (
    boolean,
    non_negative_integer,
    one_of,
    positive_integer,
    real,
)


@dataclass(frozen=True)
class EarlyStopping(ShownAsCode):
    """Stop when a figure no longer gets better; arguments and meaning as ``keras.callbacks.EarlyStopping``.

    One rule is ours, in both backends: NaN is never an improvement (Keras takes a NaN in the first epoch as the best).

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> from core_numpy import NumpyModel
        >>> stopping = EarlyStopping(monitor="loss", min_delta=10.0, patience=2)
        >>> history = NumpyModel(spec).fit(x, y, epochs=50, verbose=0, early_stopping=stopping)
        >>> len(history.epoch), history.stopped_epoch
        (3, 2)
    """

    monitor: str = "val_loss"
    min_delta: float = 0.0
    patience: int = 0
    mode: str = "auto"
    baseline: float | None = None
    restore_best_weights: bool = False
    start_from_epoch: int = 0

    def __post_init__(self) -> None:
        one_of("monitor", self.monitor, ("loss", "accuracy", "val_loss", "val_accuracy"))
        one_of("mode", self.mode, ("auto", "min", "max"))
        object.__setattr__(self, "min_delta", abs(real("min_delta", self.min_delta)))
        non_negative_integer("patience", self.patience)
        if self.baseline is not None:
            object.__setattr__(self, "baseline", real("baseline", self.baseline))
        boolean("restore_best_weights", self.restore_best_weights)
        non_negative_integer("start_from_epoch", self.start_from_epoch)

    @property
    def larger_is_better(self) -> bool:
        """The direction of improvement: given by ``mode``, or read from the figure's name."""
        return self.mode == "max" or (self.mode == "auto" and self.monitor.endswith("accuracy"))


@dataclass(frozen=True)
class TrainingSpec(ShownAsCode):
    """One training run: ``epochs`` passes over the data, or ``steps`` batches.

    Args:
        optimizer: a name such as "adam" or an object of ``model_spec.optimizers``.
        loss: a name such as "categorical_crossentropy" or an object of ``model_spec.losses``. None is the loss a
            converted model was compiled with in Keras, and categorical cross-entropy for all others.
        batch_size: examples in a batch; the last batch of an epoch may be smaller.
        epochs: passes over the data; ignored where ``steps`` is given.
        steps: number of batches in all; an "epoch" of the history is then as many batches as the data fills.
        sampling: "epoch" (every example once in an epoch) or "with_replacement" (each batch drawn anew).
        shuffle: a new order in every epoch, from ``seed``; only for ``sampling="epoch"``.
        seed: governs batch order only; initial weights and dropout masks come from the model's seed.
        validation_split: share of the data, taken from its end, that is held out, as in Keras.
        early_stopping: when to stop early.

    Examples:
        >>> TrainingSpec(optimizer="adam", batch_size=64, epochs=5).batch_size
        64
    """

    optimizer: str | optimizers.Optimizer = "adam"
    loss: str | losses.Loss | None = None
    batch_size: int = 32
    epochs: int = 1
    steps: int | None = None
    sampling: str = "epoch"
    shuffle: bool = True
    seed: int = 0
    validation_split: float = 0.0
    early_stopping: EarlyStopping | None = None

    def __post_init__(self) -> None:
        clean: dict[str, Any] = {
            "optimizer": optimizers.get(self.optimizer),
            "loss": None if self.loss is None else losses.get(self.loss),
            "batch_size": positive_integer("batch_size", self.batch_size),
            "epochs": non_negative_integer("epochs", self.epochs),
            "steps": None if self.steps is None else positive_integer("steps", self.steps),
            "sampling": one_of("sampling", self.sampling, ("epoch", "with_replacement")),
            "shuffle": boolean("shuffle", self.shuffle),
            "seed": non_negative_integer("seed", self.seed),
            "validation_split": real("validation_split", self.validation_split, minimum=0, below=1),
        }
        for name, value in clean.items():
            object.__setattr__(self, name, value)
        if self.early_stopping is not None and not isinstance(self.early_stopping, EarlyStopping):
            raise ValueError(
                f"early_stopping must be None or an EarlyStopping, in a file {{patience = 3}} or false, "
                f"got {shown(self.early_stopping)}"
            )

    def replace(self, **overrides: Any) -> TrainingSpec:
        """A copy with some fields changed; unknown names are refused with the list of known ones."""
        known = {item.name for item in dataclasses.fields(self)}
        unknown = sorted(set(overrides) - known)
        if unknown:
            what = f"{', '.join(unknown)}{nearest(unknown[0], known)}"
            raise ValueError(f"unknown training option {what}; known are {', '.join(sorted(known))}")
        return dataclasses.replace(self, **overrides)
