"""Weights cross both ways, all or nothing."""

import copy
import pickle

import numpy as np
import pytest

from bridge import copy_weights, random_weights
from core_numpy import NumpyModel
from keras_models import KerasModel
from model_spec import BatchNormalization, Conv2D, Dense, Dropout, Flatten, ModelSpec, zoo

NETWORK = ModelSpec("bn", (6, 6, 1), (Conv2D(3, 3), BatchNormalization(), Flatten(), Dense(4, activation="softmax")))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_copy_goes_both_ways_and_keeps_every_bit(dtype):
    ours, theirs = NumpyModel(NETWORK, seed=1, dtype=dtype), KerasModel(NETWORK, seed=2, dtype=dtype)
    ours.set_weights(random_weights(NETWORK, 3))
    copy_weights(ours, theirs)
    assert all(np.array_equal(ours.weights[name], theirs.weights[name]) for name in NETWORK.variable_shapes)
    theirs.set_weights(random_weights(NETWORK, 4))
    copy_weights(theirs, ours)
    assert all(np.array_equal(ours.weights[name], theirs.weights[name]) for name in NETWORK.variable_shapes)


@pytest.mark.parametrize("kind", [NumpyModel, KerasModel])
def test_another_architecture_is_refused_and_changes_nothing(kind):
    target = kind(NETWORK)
    before = target.weights
    with pytest.raises(ValueError, match="dense/kernel: expected shape") as error:
        copy_weights(NumpyModel(zoo.cnn((6, 6, 1))), target)
    assert "conv2d/kernel: expected shape (3, 3, 1, 3), got (3, 3, 1, 8)" in str(error.value)
    assert "batch_normalization/gamma: missing" in str(error.value)
    assert all(np.array_equal(before[name], target.weights[name]) for name in before)


def test_random_weights_leave_no_variable_at_a_special_value():
    for name, value in random_weights(NETWORK, 0).items():
        assert np.all(value != 0), name
        assert np.all(value != 1), name
        assert np.array_equal(value, value.astype(np.float32)), name


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of h5py in Keras
@pytest.mark.parametrize("backend", [NumpyModel, KerasModel])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_trains_on_with_the_masks_that_come_next(backend, copied):
    layers = (Dense(8), Dropout(0.5), Dense(3, activation="softmax"))
    model = backend(ModelSpec("drops", (4,), layers), seed=3)
    x, y = np.random.default_rng(0).standard_normal((40, 4)), np.arange(40) % 3
    model.fit(x, y, epochs=1, verbose=0)
    other = copied(model)
    ours, theirs = (one.fit(x, y, epochs=1, verbose=0).history["loss"] for one in (other, model))
    assert ours == pytest.approx(theirs, rel=1e-6)  # other masks change the second digit
    assert list(other.evaluate(x, y)) == ["loss", "accuracy"]
