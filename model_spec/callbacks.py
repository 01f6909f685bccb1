"""Callbacks: code that runs at the stages of a training run, written once for both backends."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

from model_spec.validation import boolean, non_negative_integer, one_of, real

_SMALLEST_RATE = 2.0**-126
"""The smallest normal float32: below it a learning rate is zero to Keras."""


class Callback:
    """Override what is needed; the method names are Keras'.

    ``self.model`` is the NumpyModel or KerasModel in training, set before ``on_train_begin``.
    Setting ``self.model.stop_training = True`` ends training after the current epoch.
    ``logs`` are Python floats in Keras' keys (loss, accuracy, val_loss, val_accuracy).

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> from core_numpy import NumpyModel
        >>> class Stop(Callback):
        ...     def on_epoch_end(self, epoch, logs):
        ...         self.model.stop_training = epoch == 1
        >>> history = NumpyModel(spec).fit(x, y, epochs=10, verbose=0, callbacks=[Stop()])
        >>> history.epoch
        [0, 1]
    """

    model: Any = None

    def set_model(self, model: Any) -> None:
        """Called once before training with the model in training."""
        self.model = model

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Called before the first epoch."""

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Called after the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called before each epoch; ``epoch`` counts from 0."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called after each epoch, with its figures in ``logs``."""

    def memory(self) -> dict[str, Any]:
        """What it carries from epoch to epoch, as numbers and strings: checkpoints keep it. Always the same names."""
        return {}

    def remember(self, memory: dict[str, Any]) -> None:
        """Take back what :meth:`memory` gave; called behind ``on_train_begin`` where a run is taken up again."""


def improves(value: float, reference: float | None, min_delta: float, larger_is_better: bool) -> bool:
    """True where a figure is better than a reference by more than ``min_delta``.

    Anything but NaN is better than nothing, and NaN never is better. The comparison is done in float32, as Keras does.
    """
    if math.isnan(value):
        return False
    if reference is None:
        return True
    if larger_is_better:
        return _single(value - min_delta) > _single(reference)
    return _single(value + min_delta) < _single(reference)


def _single(value: float) -> float:
    """The nearest float32, without NumPy; beyond its range infinity."""
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


class MonitorCallback(Callback):
    """A callback that follows one figure and knows which direction is better.

    Args:
        monitor: "loss", "accuracy", "val_loss" or "val_accuracy".
        mode: "min", "max", or "auto": accuracies should grow, losses should fall.
        min_delta: a change below this is no improvement.
    """

    def __init__(self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0.0) -> None:
        self.monitor = one_of("monitor", monitor, ("loss", "accuracy", "val_loss", "val_accuracy"))
        self.larger_is_better = one_of("mode", mode, ("auto", "min", "max")) == "max" or (
            mode == "auto" and monitor.endswith("accuracy")
        )
        self.min_delta = abs(real("min_delta", min_delta))
        self.best: float | None = None

    def memory(self) -> dict[str, Any]:
        """The best figure so far."""
        return {"best": self.best}

    def remember(self, memory: dict[str, Any]) -> None:
        """Take back the best figure so far."""
        self.best = memory["best"]

    def figure(self, logs: dict[str, float] | None) -> float:
        """The figure it follows; an error where the run does not report it."""
        if self.monitor not in (logs or {}):
            raise ValueError(
                f"{type(self).__name__} watches {self.monitor!r}, this run reports {', '.join(logs or {})}; "
                f"give validation data or watch another figure"
            )
        return (logs or {})[self.monitor]

    def improves(self, value: float) -> bool:
        """True where the value is better than the best so far by more than ``min_delta``; NaN never is."""
        return improves(value, self.best, self.min_delta, self.larger_is_better)


class ReduceLROnPlateau(MonitorCallback):
    """Multiply the learning rate by ``factor`` when a figure has not improved for ``patience`` epochs.

    Arguments, defaults and meaning as ``keras.callbacks.ReduceLROnPlateau``.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> from core_numpy import NumpyModel
        >>> reduce = ReduceLROnPlateau(monitor="loss", patience=1, min_delta=10.0)
        >>> model = NumpyModel(spec)
        >>> history = model.fit(x, y, epochs=4, verbose=0, callbacks=[reduce])
        >>> round(model.learning_rate, 8)
        1e-06
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.factor = real("factor", factor, minimum=0, below=1)
        self.patience = non_negative_integer("patience", patience)
        self.cooldown = non_negative_integer("cooldown", cooldown)
        self.min_lr = real("min_lr", min_lr, minimum=0)
        self.wait = self.cooling = 0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        if self.factor == self.min_lr == 0:
            raise ValueError(
                "ReduceLROnPlateau(factor=0) would set the learning rate to 0 at the first plateau, and nothing would "
                "be learnt from there on; give a factor above 0, a min_lr above 0, or use EarlyStopping"
            )
        self.best, self.wait, self.cooling = None, 0, 0

    def memory(self) -> dict[str, Any]:
        """How long it has been waiting, too; the learning rate is the optimizer's."""
        return super().memory() | {"wait": self.wait, "cooling": self.cooling}

    def remember(self, memory: dict[str, Any]) -> None:
        """Take back where it stood."""
        super().remember(memory)
        self.wait, self.cooling = memory["wait"], memory["cooling"]

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        value = self.figure(logs)
        if self.cooling > 0:
            self.cooling -= 1
            self.wait = 0
        if self.improves(value):
            self.best, self.wait = value, 0
        elif self.cooling <= 0:
            self.wait += 1
            if self.wait >= self.patience:
                rate = self.model.learning_rate
                lowered = max(rate * self.factor, self.min_lr, _SMALLEST_RATE)
                if rate > lowered:
                    self.model.learning_rate = lowered
                    self.cooling, self.wait = self.cooldown, 0


class ModelCheckpoint(MonitorCallback):
    """Save the weights after each epoch, or only after the best ones so far.

    Args:
        path: a file name; "{epoch}" in it becomes the epoch's number, counted from 1 as in Keras. NumpyModel writes
            ``.npz``, KerasModel ``.weights.h5``.
        save_best_only: write only when the watched figure has improved.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> import os, tempfile
        >>> from core_numpy import NumpyModel
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     keep = ModelCheckpoint(directory + "/after{epoch}.npz")
        ...     history = NumpyModel(spec).fit(x, y, epochs=2, verbose=0, callbacks=[keep])
        ...     sorted(os.listdir(directory))
        ['after1.npz', 'after2.npz']
    """

    def __init__(self, path: str, monitor: str = "val_loss", save_best_only: bool = False, mode: str = "auto") -> None:
        super().__init__(monitor, mode)
        self.path = str(path)
        self.save_best_only = boolean("save_best_only", save_best_only)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.best = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.save_best_only:
            value = self.figure(logs)
            if not self.improves(value):
                return
            self.best = value
        self.model.save_weights(self.path.replace("{epoch}", str(epoch + 1)))


class EpochHook(Callback):
    """Call a function after each epoch: ``EpochHook(lambda model, epoch, logs: ...)``.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> from core_numpy import NumpyModel
        >>> hook = EpochHook(lambda model, epoch, logs: print(epoch, sorted(logs)))
        >>> history = NumpyModel(spec).fit(x, y, epochs=2, verbose=0, callbacks=[hook])
        0 ['accuracy', 'loss']
        1 ['accuracy', 'loss']
    """

    def __init__(self, function: Callable[[Any, int, dict[str, float]], None]) -> None:
        self.function = function

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.function(self.model, epoch, dict(logs or {}))
