"""Controls: Keras trained again, from neighbouring weights and with the rows of each batch in another order.

How far a control ends from the first Keras run is how far rounding alone drives two correct trainings apart. Moved
weights are not enough: where the terms of a sum over all rows cancel, as in a bias' gradient, another order of the rows
changes it twenty to two hundred times more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from core_numpy.contract import Array
from model_spec import ModelSpec, TrainingSpec


class Controls:
    """Several trainings of Keras whose rounding falls out otherwise, and nothing else.

    One model takes the steps of all of them in turn, for tracing it costs more than most steps.

    Args:
        spec, seed, dtype: of the Keras model that they control.
        count: how many; each moves weights and rows differently.
    """

    def __init__(self, spec: ModelSpec, seed: int, dtype: str, count: int) -> None:
        from keras_models import KerasModel

        self.model = KerasModel(spec, seed, dtype)
        self.count = count
        self.steps = 0
        self._order = _let_masks_follow_rows(self.model)
        self._values: list[list[Array]] = []

    def start_training(self, training: TrainingSpec, weights: dict[str, Array]) -> None:
        """Begin a run of Keras at weights one unit in the last place from these."""
        self.model.start_training(training)
        self.take_over(weights, self.model.training_state())

    def take_over(self, weights: dict[str, Array], state: dict[str, Array]) -> None:
        """Go on from this training state, and from parameters one unit in the last place from these.

        Moving statistics, optimizer slots and counters are those of ``state``, unchanged.
        """
        self._values = []
        for number in range(self.count):
            self.model.set_weights(nudged(weights, self.model.dtype, number))
            self.model.set_training_state(state)
            self._values.append([variable.numpy() for variable in self._variables])

    def train_on_batch(self, x: Array, y: Array) -> Iterator[tuple[float, dict[str, Array]]]:
        """Let each take one step on a batch in an order of its own; yield its loss, and all it carries then."""
        for number, values in enumerate(self._values):
            order = np.random.default_rng([number, self.steps]).permutation(len(x))
            # Variable by variable, for a run that has left the finite numbers goes on here as it does in Keras
            for variable, value in zip(self._variables, values, strict=True):
                variable.assign(value)
            self._order.assign(order)
            loss = self.model.train_on_batch(x[order], y[order])
            self._values[number] = [variable.numpy() for variable in self._variables]
            yield loss, self.model.weights | self.model.training_state()
        self.steps += 1

    @property
    def _variables(self) -> list[Any]:
        """All that a step changes: parameters, moving statistics, dropout counters, what the optimizer keeps."""
        return [*self.model.keras_model.variables, *self.model.keras_model.optimizer.variables]


def nudged(weights: dict[str, Array], dtype: str, seed: int) -> dict[str, Array]:
    """Each value moved to a neighbouring number, up or down by chance; zeros stay."""
    moved, random = {}, np.random.default_rng(seed)
    for name, value in weights.items():
        up = random.integers(0, 2, value.shape).astype(bool)
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
