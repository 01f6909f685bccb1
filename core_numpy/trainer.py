"""The training loop: batches, steps, figures of each epoch, callbacks, early stopping."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from core_numpy.callbacks import EarlyStoppingState
from model_spec import streams
from model_spec.callbacks import Callback
from model_spec.fitting import FitData
from model_spec.progress import print_epoch
from model_spec.protocol import History
from model_spec.training import TrainingSpec

if TYPE_CHECKING:
    from core_numpy.model import NumpyModel

Array = np.ndarray


def train(
    model: NumpyModel,
    data: FitData,
    training: TrainingSpec,
    callbacks: Iterable[Callback] = (),
    verbose: bool = True,
) -> History:
    """Train the model on checked data, and return the course of the run.

    On Ctrl-C the unfinished epoch is dropped from the history (its steps stay in the weights unless early stopping
    restores better ones), the history is kept as ``model.history``, and KeyboardInterrupt goes on.
    """
    started = time.perf_counter()
    history = model.history = History()
    callbacks = list(callbacks)
    epochs = streams.epoch_count(training, len(data.x))
    stopping = EarlyStoppingState(training.early_stopping) if training.early_stopping else None
    snapshot: dict[str, Array] | None = None
    model.start_training(training)
    model.stop_training = False
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    logs: dict[str, float] = {}
    try:
        for epoch in range(epochs):
            epoch_started = time.perf_counter()
            for callback in callbacks:
                callback.on_epoch_begin(epoch)
            logs = _run_epoch(model, data, training, epoch)
            if data.validation is not None:
                figures = model.evaluate_checked(*data.validation)
                logs |= {f"val_{name}": value for name, value in figures.items()}
            history.append(epoch, logs)
            if stopping is not None and training.early_stopping is not None:
                if stopping.update(epoch, logs[training.early_stopping.monitor]):
                    snapshot = model.weights if training.early_stopping.restore_best_weights else None
                model.stop_training |= stopping.stopped_epoch is not None
            if verbose:
                print_epoch(epoch, epochs, logs, time.perf_counter() - epoch_started)
            for callback in callbacks:
                callback.on_epoch_end(epoch, dict(logs))
            if model.stop_training:
                break
    finally:
        if snapshot is not None:
            model.set_weights(snapshot)
        if stopping is not None:
            history.best_epoch = None if stopping.best is None else stopping.best_epoch
            history.stopped_epoch = stopping.stopped_epoch
        history.seconds = time.perf_counter() - started
    for callback in callbacks:
        callback.on_train_end(dict(logs))
    return history


def _run_epoch(model: NumpyModel, data: FitData, training: TrainingSpec, epoch: int) -> dict[str, float]:
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
