"""The training data as Keras reads it: batches in exactly the order model_spec.streams says."""

from __future__ import annotations

from typing import Any

from keras_models.runtime import keras
from model_spec import TrainingSpec
from model_spec.fitting import FitData
from model_spec.streams import batch_indices


class OrderedBatches(keras.utils.PyDataset):
    """Batches (x, y) or (x, y, sample_weight) in the order of :func:`model_spec.streams.batch_indices`.

    Keras looks at the first batches before training, then calls ``on_epoch_begin`` once an epoch.
    """

    def __init__(self, training: TrainingSpec, data: FitData, sample_weight: Any = None, first_epoch: int = 0) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self._training = training
        self._data = data
        self._sample_weight = sample_weight
        self._next_epoch = first_epoch
        self._batches = batch_indices(training, len(data.x), 0)
        self._count = len(self._batches)

    @property
    def num_batches(self) -> int:
        """Batches of the first epoch; Keras asks once a run."""
        return self._count

    def on_epoch_begin(self) -> None:
        """Draw the order of the epoch that begins."""
        self._batches = batch_indices(self._training, len(self._data.x), self._next_epoch)
        self._next_epoch += 1

    @property
    def batches_in_epoch(self) -> int:
        """Batches of the current epoch: fewer than ``num_batches`` where ``steps`` cuts the last one short."""
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        # Keras prefetches past the end of a last epoch cut short; training stops before it would use that batch.
        batches = self._batches
        rows = batches[min(index, len(batches) - 1)]
        batch = (self._data.x[rows], self._data.y[rows])
        return batch if self._sample_weight is None else (*batch, self._sample_weight[rows])
