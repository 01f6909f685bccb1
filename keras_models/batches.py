"""The data as Keras' fit reads it: training batches in exactly the order model_spec.streams says.

Both are ``tf.data`` pipelines without autotuning, which ``fit`` turns on for arrays: its thread looks again after up to
a minute, and an iterator that is thrown away waits for it (seen in TensorFlow 2.21: 18 to 56 s where Python collected
the iterator of an earlier training).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_models.runtime import tensorflow as tf
from model_spec import TrainingSpec
from model_spec.fitting import FitData
from model_spec.streams import batch_indices


class OrderedBatches:
    """Batches (x, y) or (x, y, sample_weight) in the order of :func:`model_spec.streams.batch_indices`.

    Args:
        training: batch size, shuffling and the seed of the order.
        data: x, shape (examples, *input shape), and y, shape (examples, ...).
        sample_weight: one weight per example, or None.
    """

    def __init__(self, training: TrainingSpec, data: FitData, sample_weight: Any = None) -> None:
        self._training = training
        self._parts = (data.x, data.y) if sample_weight is None else (data.x, data.y, sample_weight)
        self._order = batch_indices(training, len(data.x), 0)
        self._count = len(self._order)

    @property
    def num_batches(self) -> int:
        """Batches of the first epoch; Keras asks once a run."""
        return self._count

    def begin_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch, counted from 0."""
        self._order = batch_indices(self._training, len(self._parts[0]), epoch)

    @property
    def batches_in_epoch(self) -> int:
        """Batches of the current epoch: fewer than ``num_batches`` where ``steps`` cuts the last one short."""
        return len(self._order)

    def as_dataset(self) -> tf.data.Dataset:
        """The pipeline for ``fit``; each pass over it has the order of the epoch that has begun."""

        def one_epoch() -> Iterator[tuple[np.ndarray, ...]]:
            for index in range(self.num_batches):
                # Behind the end of an epoch cut short: training stops before it would use that batch
                rows = self._order[min(index, len(self._order) - 1)]
                yield tuple(part[rows] for part in self._parts)

        batch = tuple(tf.TensorSpec((None, *part.shape[1:]), part.dtype) for part in self._parts)
        dataset = tf.data.Dataset.from_generator(one_epoch, output_signature=batch)
        return _without_autotuning(dataset.apply(tf.data.experimental.assert_cardinality(self.num_batches)).prefetch(1))


def validation_batches(data: tuple[np.ndarray, ...], batch_size: int) -> tf.data.Dataset:
    """The pipeline of validation data, arrays (x, y) in their own order."""
    return _without_autotuning(tf.data.Dataset.from_tensor_slices(data).batch(batch_size))


def _without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
