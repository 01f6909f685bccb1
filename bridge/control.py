"""A control: Keras trained a second time, from neighbouring weights and with the rows of each batch in another order.

How far it ends from Keras is what rounding alone does. Moved weights are not enough: where the terms of a sum over all
rows cancel, as in a bias' gradient, another order of the rows changes it twenty to two hundred times more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from model_spec import ModelSpec, TrainingSpec

Array = np.ndarray


class Control:
    """A Keras model in training whose rounding falls out otherwise, and nothing else.

    Args:
        spec, seed, dtype: of the Keras model that it controls.
        number: which of several controls it is; each moves weights and rows differently.
    """

    def __init__(self, spec: ModelSpec, seed: int, dtype: str, number: int) -> None:
        from keras_models import KerasModel

        self.model = KerasModel(spec, seed, dtype)
        self.number = number
        self.steps = 0
        self._order = _let_masks_follow_rows(self.model)

    def start_training(self, training: TrainingSpec, weights: dict[str, Array]) -> None:
        """Begin a run of Keras at weights one unit in the last place from these."""
        self.model.set_weights(nudged(weights, self.model.dtype, self.number))
        self.model.start_training(training)

    def train_on_batch(self, x: Array, y: Array) -> float:
        """Take one step on a batch with its rows in another order; return its loss."""
        order = np.random.default_rng([self.number, self.steps]).permutation(len(x))
        self.steps += 1
        self._order.assign(order)
        return self.model.train_on_batch(x[order], y[order])

    def set_training_state(self, state: dict[str, Array], weights: dict[str, Array]) -> None:
        """Go on from this state, and from weights one unit in the last place from these."""
        self.model.set_weights(nudged(weights, self.model.dtype, self.number))
        self.model.set_training_state(state)

    def carried(self) -> dict[str, Array]:
        """All weights and the training's state, as copies."""
        return self.model.weights | self.model.training_state()


def nudged(weights: dict[str, Array], dtype: str, seed: int) -> dict[str, Array]:
    """Each value moved to a neighbouring number, up or down by chance; zeros stay."""
    moved = {}
    for name, value in weights.items():
        up = np.random.default_rng(seed).integers(0, 2, value.shape).astype(bool)
        value = value.astype(dtype)
        neighbour = np.nextafter(value, np.where(up, np.inf, -np.inf).astype(dtype))
        moved[name] = np.where(value == 0, value, neighbour)
    return moved


def _let_masks_follow_rows(model: Any) -> Any:
    """Let the model's Dropout layers give row i the mask that row order[i] has; return that variable ``order``."""
    from keras_models.runtime import tensorflow
    from keras_models.states import dropout_layers

    order = tensorflow.Variable([0], trainable=False, shape=(None,), dtype="int64")
    for layer in dropout_layers(model.keras_model):
        layer.call = _reordered(layer.call, order)
    return order


def _reordered(call: Callable[..., Any], order: Any) -> Callable[..., Any]:
    """A stock Dropout's ``call`` with the rows of its mask in another order."""
    from keras_models.runtime import keras

    def reordered(inputs: Any, training: bool = False) -> Any:
        if not training:
            return call(inputs, training=training)
        # Inverted dropout multiplies, so the mask is what it makes of ones
        mask = call(keras.ops.ones_like(inputs), training=training)
        return inputs * keras.ops.take(mask, order, axis=0)

    return reordered
