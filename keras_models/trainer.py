"""Training by Keras' own fit, with the batch order, early stopping and callbacks of model_spec."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from keras_models import callbacks as adapters
from keras_models.batches import OrderedBatches, validation_batches
from keras_models.ends import of_row
from keras_models.losses import weights_for
from model_spec import Callback, TrainingSpec, losses
from model_spec.checkpoints import Progress
from model_spec.fitting import FitData
from model_spec.streams import epoch_count

VALIDATION_BATCH_SIZE = 256
"""Rows of a validation batch; larger than a training batch, for no gradients are kept."""


@contextmanager
def frozen_model_accepted() -> Iterator[None]:
    """Let a model whose layers are all frozen train: its moving statistics and figures still mean something."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The model does not have any trainable weights")
        yield


def fit(
    model: Any,
    data: FitData,
    training: TrainingSpec,
    callbacks: Sequence[Callback],
    verbose: bool,
    owner: Any,
    progress: Progress,
    checkpoint: str | Path | None = None,
) -> None:
    """Train the compiled ``model`` on from where ``progress`` stands, and fill its history.

    Args:
        model: a compiled ``keras.Sequential``.
        data: checked data.
        training: how to train.
        callbacks: neutral callbacks; they see ``owner`` as their model.
        verbose: whether to report each epoch.
        owner: the KerasModel, whose ``stop_training`` callbacks set.
        progress: its history is filled epoch by epoch, so that an interrupted run keeps what it finished.
        checkpoint: the run is written there after every epoch; see ``model_spec.checkpoints``.

    Raises:
        KeyboardInterrupt: passed on after the best weights were restored, where asked for.
    """
    epochs, history = epoch_count(training, len(data.x)), progress.history
    weights = weights_for(losses.get(training.loss), data.sample_weight, owner.spec.output_shape)
    batches = OrderedBatches(training, data, weights)
    validation = None if data.validation is None else validation_batches(data.validation, VALIDATION_BATCH_SIZE)
    if owner.spec.input_parts:
        validation = None if validation is None else validation.map(of_row(model, owner.spec))
    stopper, earlier = None, history.seconds
    stages: list[Any] = [adapters.Recorder(history, epochs, verbose), adapters.BatchOrder(batches)]
    if training.early_stopping is not None:
        stopper = adapters.keras_early_stopping(training.early_stopping, progress)
        stages.append(stopper)
    stages.append(adapters.NeutralCallbacks(callbacks, owner, stopper, progress))
    started = time.perf_counter()
    if checkpoint is not None:
        # Behind all others: it writes down what they have come to
        stages.append(adapters.CheckpointWriter(checkpoint, owner, training, progress, callbacks, stopper))
    try:
        with frozen_model_accepted():
            model.fit(
                batches.as_dataset().map(of_row(model, owner.spec)) if owner.spec.input_parts else batches.as_dataset(),
                initial_epoch=epochs if progress.ended else progress.epochs,
                epochs=epochs,
                verbose=0,
                callbacks=stages,
                validation_data=validation,
                shuffle=False,
            )
    except KeyboardInterrupt:
        if stopper is not None:
            stopper.restore()
        raise
    finally:
        history.seconds = earlier + time.perf_counter() - started
        if stopper is not None:
            history.best_epoch = stopper.held_epoch
            history.stopped_epoch = stopper.stopped_epoch or None


def train_on_batch(model: Any, x: Any, y: np.ndarray) -> float:
    """One step of the compiled model on one batch, through Keras' own train_on_batch; return the batch's loss."""
    with frozen_model_accepted():
        # Keras resets its metrics at the start of train_on_batch, so that "loss" is this batch's alone.
        return float(model.train_on_batch(x, y, return_dict=True)["loss"])
