"""The training loop: batches, steps, figures of each epoch, callbacks, early stopping."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from core_numpy.callbacks import EarlyStoppingState
from core_numpy.contract import Array
from model_spec import checkpoints, streams
from model_spec.callbacks import Callback
from model_spec.checkpoints import Progress
from model_spec.fitting import FitData
from model_spec.progress import print_epoch
from model_spec.protocol import History
from model_spec.training import TrainingSpec


class TrainableModel(Protocol):
    """What the loop asks of a model: steps and figures on data that has been checked."""

    history: History | None
    stop_training: bool

    @property
    def weights(self) -> dict[str, Array]: ...

    def restore_weights(self, weights: dict[str, Array]) -> None: ...

    def start_training(self, training: TrainingSpec) -> None: ...

    def step(self, x: Array, y: Array, sample_weight: Array | None = None) -> tuple[float, Array | None]:
        """Take one training step; return (loss, right predictions or None)."""

    def evaluate_checked(self, x: Array, y: Array) -> dict[str, float]:
        """{"loss": ..., "accuracy": ...} in inference mode."""


def train(
    model: TrainableModel,
    data: FitData,
    training: TrainingSpec,
    callbacks: Iterable[Callback] = (),
    verbose: bool = True,
    checkpoint: str | Path | None = None,
    resume: bool = False,
) -> History:
    """Train the model on checked data, and return the course of the run.

    On Ctrl-C the unfinished epoch is dropped from the history (its steps stay in the weights unless early stopping
    restores better ones), the history is kept as ``model.history``, and KeyboardInterrupt goes on. With ``checkpoint``
    the run is written there after every epoch; see ``model_spec.checkpoints``.
    """
    started = time.perf_counter()
    callbacks = list(callbacks)
    epochs = streams.epoch_count(training, len(data.x))
    model.start_training(training)
    progress = checkpoints.begin(checkpoint, resume, model, "numpy", data, training, callbacks)
    stopping = None
    if training.early_stopping is not None:
        taken = {} if progress.stopping is None else progress.stopping
        stopping = EarlyStoppingState(training.early_stopping, **taken, has_snapshot=progress.snapshot is not None)
    history = model.history = progress.history
    earlier = history.seconds
    model.stop_training = progress.ended
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    progress.take_up(callbacks)
    try:
        for epoch in range(progress.epochs, epochs):
            if model.stop_training:
                break
            epoch_started = time.perf_counter()
            for callback in callbacks:
                callback.on_epoch_begin(epoch)
            logs = progress.logs = _run_epoch(model, data, training, epoch)
            if data.validation is not None:
                figures = model.evaluate_checked(*data.validation)
                logs |= {f"val_{name}": value for name, value in figures.items()}
            history.append(epoch, logs)
            if stopping is not None:
                _watch(model, stopping, progress, epoch)
            if verbose:
                print_epoch(epoch, epochs, logs, time.perf_counter() - epoch_started)
            for callback in callbacks:
                callback.on_epoch_end(epoch, dict(logs))
            progress.epochs, progress.ended = epoch + 1, model.stop_training
            history.seconds = earlier + time.perf_counter() - started
            if checkpoint is not None:
                checkpoints.save(checkpoint, model, "numpy", training, progress, callbacks)
    finally:
        if progress.snapshot is not None:
            model.restore_weights(progress.snapshot)
        if stopping is not None:
            history.best_epoch = stopping.held_epoch
            history.stopped_epoch = stopping.stopped_epoch
        history.seconds = earlier + time.perf_counter() - started
    for callback in callbacks:
        callback.on_train_end(dict(progress.logs))
    return history


def _watch(model: TrainableModel, stopping: EarlyStoppingState, progress: Progress, epoch: int) -> None:
    """Let early stopping look at the epoch's figures."""
    if stopping.update(epoch, progress.logs[stopping.rule.monitor]):
        progress.snapshot = model.weights if stopping.rule.restore_best_weights else None
    progress.stopping = stopping.memory()
    model.stop_training |= stopping.stopped_epoch is not None


def _run_epoch(model: TrainableModel, data: FitData, training: TrainingSpec, epoch: int) -> dict[str, float]:
    """One pass over the epoch's batches; the figures are those of the changing weights, as Keras reports them."""
    total, right, examples, judged = 0.0, 0, 0, 0
    for rows in streams.batch_indices(training, len(data.x), epoch):
        weights = None if data.sample_weight is None else data.sample_weight[rows]
        loss, correct = model.step(data.x[rows], data.y[rows], weights)
        total += loss * len(rows)
        examples += len(rows)
        if correct is not None:
            right += int(correct.sum())
            judged += correct.size
    logs = {"loss": total / examples}
    if judged:
        logs["accuracy"] = right / judged
    return logs
