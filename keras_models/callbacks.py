"""Keras callbacks of one run: the history, early stopping, the neutral callbacks and the stop signals."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_models.batches import OrderedBatches
from keras_models.runtime import keras
from model_spec import Callback, EarlyStopping, History, TrainingSpec, checkpoints
from model_spec.checkpoints import Progress
from model_spec.progress import print_epoch


class Recorder(keras.callbacks.Callback):
    """Writes every finished epoch into a :class:`History` and, if wanted, one line to standard error."""

    def __init__(self, history: History, epochs: int, verbose: bool) -> None:
        super().__init__()
        self._history = history
        self._epochs = epochs
        self._verbose = verbose
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the epoch's clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the epoch."""
        figures = plain_logs(logs)
        self._history.append(epoch, figures)
        if self._verbose:
            print_epoch(epoch, self._epochs, figures, time.perf_counter() - self._started)


class NanAwareEarlyStopping(keras.callbacks.EarlyStopping):
    """Keras' EarlyStopping with one rule more, that NaN is never an improvement, and a memory that can be taken up."""

    def __init__(self, progress: Progress, **options: Any) -> None:
        super().__init__(**options)
        self._progress = progress

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin, or go on from where a checkpoint says the run stood."""
        super().on_train_begin(logs)
        memory, snapshot = self._progress.stopping, self._progress.snapshot
        if memory is not None:
            self.wait, self.best, self.best_epoch = memory["wait"], memory["best"], memory["best_epoch"]
            self.stopped_epoch = memory["stopped_epoch"] or 0
            self.best_weights = None if snapshot is None else list(snapshot.values())

    def memory(self) -> dict[str, Any]:
        """Where it stands, as plain numbers."""
        return {
            "wait": int(self.wait),
            "best": None if self.best is None else float(self.best),
            "best_epoch": int(self.best_epoch),
            "stopped_epoch": int(self.stopped_epoch) or None,
        }

    def _is_improvement(self, monitor_value: Any, reference_value: Any) -> bool:
        if math.isnan(float(monitor_value)):
            return False
        return bool(super()._is_improvement(monitor_value, reference_value))

    @property
    def held_epoch(self) -> int | None:
        """The epoch held for the best, None before there is one."""
        return None if self.best is None and self.best_weights is None else int(self.best_epoch)

    def restore(self) -> None:
        """Put the best weights back, where asked for and where there are some; Keras does it at the end only."""
        if self.restore_best_weights and self.best_weights is not None:
            self.model.set_weights(self.best_weights)


def keras_early_stopping(stopping: EarlyStopping, progress: Progress | None = None) -> NanAwareEarlyStopping:
    """Return the Keras callback of an early-stopping rule, with its direction spelled out."""
    return NanAwareEarlyStopping(
        Progress("") if progress is None else progress,
        monitor=stopping.monitor,
        min_delta=stopping.min_delta,
        patience=stopping.patience,
        verbose=0,
        mode="max" if stopping.larger_is_better else "min",
        baseline=stopping.baseline,
        restore_best_weights=stopping.restore_best_weights,
        start_from_epoch=stopping.start_from_epoch,
    )


class BatchOrder(keras.callbacks.Callback):
    """Draws the order of each epoch's batches, and ends the run after the last batch of an epoch that is cut short.

    Keras fixes the number of batches once a run, but leaves its batch loop when ``stop_training`` is set; validation
    and ``on_epoch_end`` of that epoch still happen.
    """

    def __init__(self, batches: OrderedBatches) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw the order before Keras reads the epoch's first batch."""
        self._batches.begin_epoch(epoch)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Stop where this epoch's batches end before Keras expects it."""
        if batch + 1 == self._batches.batches_in_epoch < self._batches.num_batches:
            self.model.stop_training = True


class NeutralCallbacks(keras.callbacks.Callback):
    """Passes the stages of a run on to :class:`model_spec.Callback` objects, and their wish to stop back to Keras."""

    def __init__(
        self, callbacks: Sequence[Callback], owner: Any, stopper: NanAwareEarlyStopping | None, progress: Progress
    ) -> None:
        super().__init__()
        self._callbacks = callbacks
        self._owner = owner
        self._stopper = stopper
        self._progress = progress

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Introduce the model, then pass on."""
        for callback in self._callbacks:
            callback.set_model(self._owner)
        self._each(lambda callback: callback.on_train_begin(plain_logs(logs)))
        self._progress.take_up(self._callbacks)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Pass on; best weights are already back in place."""
        self._each(lambda callback: callback.on_train_end(plain_logs(logs)))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Pass on."""
        self._each(lambda callback: callback.on_epoch_begin(epoch, plain_logs(logs)))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Pass on, then tell Keras if the run shall stop.

        Only here, for a ``stop_training`` that Keras sees earlier would cut the epoch short after one batch.
        """
        if self._stopper is not None and self._stopper.stopped_epoch > 0:
            self._owner.stop_training = True
        self._each(lambda callback: callback.on_epoch_end(epoch, plain_logs(logs)))
        if self._owner.stop_training:
            self.model.stop_training = True

    def _each(self, call: Callable[[Callback], None]) -> None:
        for callback in self._callbacks:
            call(callback)


class CheckpointWriter(keras.callbacks.Callback):
    """Writes the run down after every epoch: Keras' BackupAndRestore and all that it forgets.

    That is early stopping's memory with its best weights, the history, what callbacks remember, which data and which
    training it was.
    """

    def __init__(
        self,
        path: str | Path,
        owner: Any,
        training: TrainingSpec,
        progress: Progress,
        callbacks: Sequence[Callback],
        stopper: NanAwareEarlyStopping | None,
    ) -> None:
        super().__init__()
        self._path, self._owner, self._training = os.fspath(path), owner, training
        self._progress, self._callbacks, self._stopper = progress, callbacks, stopper
        self._earlier, self._started = progress.history.seconds, time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the run down."""
        progress, stopper = self._progress, self._stopper
        progress.epochs, progress.logs, progress.ended = epoch + 1, plain_logs(logs), self._owner.stop_training
        progress.history.seconds = self._earlier + time.perf_counter() - self._started
        if stopper is not None:
            progress.stopping = stopper.memory()
            best = stopper.best_weights
            names = self._owner.spec.variable_shapes
            progress.snapshot = None if best is None else dict(zip(names, map(np.asarray, best), strict=True))
        checkpoints.save(self._path, self._owner, "keras", self._training, progress, self._callbacks)


def plain_logs(logs: dict[str, Any] | None) -> dict[str, float]:
    """Keras' figures as Python floats, the loss in front; Keras sorts them by name."""
    figures = {name: float(value) for name, value in (logs or {}).items()}
    order = [name for name in ("loss", "accuracy", "val_loss", "val_accuracy") if name in figures]
    return {name: figures[name] for name in (*order, *(name for name in figures if name not in order))}
