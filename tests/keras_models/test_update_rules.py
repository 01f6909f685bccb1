"""In float32, too, an update rule rounds where Keras rounds: what cancels there cancels here."""

import numpy as np
import pytest

from core_numpy import NumpyModel
from core_numpy.update_rules import UPDATE_RULES
from keras_models import KerasModel
from model_spec import SGD, Adam, Dense, ModelSpec, RMSprop, TrainingSpec

LARGE_STEPS = [
    *(rule(learning_rate=1.0) for rule in UPDATE_RULES),
    SGD(1.0, momentum=0.9, nesterov=True),
    RMSprop(1.0, momentum=0.9, centered=True),
    Adam(1.0, amsgrad=True),
]
STEPS = 3


@pytest.mark.parametrize("rule", LARGE_STEPS, ids=str)
def test_a_large_step_from_zero_is_keras_own(rule):
    # Whole numbers and a linear network: the first gradient is exact on both sides
    spec = ModelSpec("linear", (4,), (Dense(3, kernel_initializer="zeros"),))
    random = np.random.default_rng(0)
    x, y = random.integers(1, 5, (8, 4)).astype(float), random.integers(1, 5, (8, 3)).astype(float)
    ours, theirs = NumpyModel(spec), KerasModel(spec)
    for model in (ours, theirs):
        model.start_training(TrainingSpec(optimizer=rule, loss="mean_squared_error"))
    for _ in range(STEPS):
        # Each step from the same weights, or differences of the gradients would be fed back
        before = theirs.get_weights()
        ours.set_weights(before)
        for model in (ours, theirs):
            model.train_on_batch(x, y)
        for start, mine, keras in zip(before, ours.get_weights(), theirs.get_weights(), strict=True):
            scale = max(np.abs(start).max(), np.abs(keras).max())
            np.testing.assert_allclose(mine, keras, rtol=0, atol=16 * np.finfo(np.float32).eps * scale)
