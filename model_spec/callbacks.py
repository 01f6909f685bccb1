"""Callback: code that runs at the stages of a training run, written once for both backends."""

from __future__ import annotations

from typing import Any


class Callback:
    """Override what is needed; the method names are Keras'.

    ``self.model`` is the NumpyModel or KerasModel in training, set before ``on_train_begin``.
    Setting ``self.model.stop_training = True`` ends training after the current epoch.
    ``logs`` are Python floats in Keras' keys (loss, accuracy, val_loss, val_accuracy).
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
