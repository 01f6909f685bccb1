"""The yardstick of lock-step training: Keras from neighbouring weights, with its rows in another order."""

import numpy as np
import pytest

import bridge
from bridge.lockstep.controls import Controls, nudged
from bridge.lockstep.training import deviation
from keras_models import KerasModel
from model_spec import Adam, Conv2D, Dense, Dropout, GlobalAveragePooling2D, ModelSpec, TrainingSpec, zoo

TRAINING = TrainingSpec(optimizer=Adam(), batch_size=64)


def test_every_weight_but_zero_moves_to_a_neighbour():
    values = np.array([0.0, 1.0, -3.0, 1e-40], np.float32)
    moved = nudged({"kernel": values}, "float32", 0)["kernel"]
    assert moved[0] == 0
    assert moved.dtype == np.float32
    np.testing.assert_array_equal(np.abs(moved.view(np.int32)[1:] - values.view(np.int32)[1:]), 1)


def test_tensors_of_one_shape_move_differently():
    ones = np.ones(64, np.float32)
    moved = nudged({"kernel": ones, "gamma": ones}, "float32", 0)
    assert (moved["kernel"] != moved["gamma"]).any()


def test_masks_follow_their_rows(digits):
    """A row keeps the units it drops, wherever it stands: nothing but rounding is left between the two."""
    spec = zoo.lenet((8, 8, 1))
    keras_model, controls = KerasModel(spec, 3, "float64"), Controls(spec, 3, "float64", count=2)
    keras_model.start_training(TRAINING)
    controls.start_training(TRAINING, keras_model.weights)
    for call, rows in enumerate((slice(0, 8), slice(2, 7)), start=1):
        x, y = digits[0][rows], digits[1][rows]
        expected = keras_model.train_on_batch(x, y)
        for loss, carried in controls.train_on_batch(x, y):
            assert loss == pytest.approx(expected, rel=1e-13)
            assert int(carried["dropout/dropout_call"]) == int(carried["adam/iterations"]) == call
            for name, value in keras_model.weights.items():
                assert 0 < deviation(carried[name], value, 0.001) < 1e-11


def test_controls_are_trainings_of_their_own(digits):
    """They share one model, and each goes on from where it was: alone it would have taken the same steps."""
    spec = zoo.bn_cnn((8, 8, 1))
    weights = KerasModel(spec, 3, "float64").weights
    found = []
    for count in (1, 3):
        controls = Controls(spec, 3, "float64", count)
        controls.start_training(TRAINING, weights)
        for _ in range(3):
            steps = list(controls.train_on_batch(*digits))
        found.append(steps[0])
    (loss, alone), (same_loss, beside_others) = found
    assert loss == same_loss
    for name, value in alone.items():
        np.testing.assert_array_equal(value, beside_others[name])
    assert np.abs(steps[1][1]["dense/kernel"] - beside_others["dense/kernel"]).max() > 0


@pytest.mark.parametrize("resync", [False, True])
@pytest.mark.parametrize("drop", [0.0, 0.3])
def test_sums_whose_terms_cancel_do_not_leave_the_envelope(drop, resync):
    """A bias' gradient sums 64 x 26 x 26 cells to nearly nothing, and each order of them rounds to other digits."""
    layers = [Conv2D(4, 3, activation="relu"), Dropout(drop), GlobalAveragePooling2D(), Dense(3, activation="softmax")]
    spec = ModelSpec("cancelling", (28, 28, 1), layers)
    random = np.random.default_rng(0)
    x, y = random.standard_normal((64, 28, 28, 1)), random.integers(0, 3, 64)
    report = bridge.compare_training(spec, x, y, TRAINING, steps=2, resync=resync, controls=2)
    assert report.passed, str(report)
    assert max(step.largest for step in report.steps) > 64 * np.finfo(np.float64).eps, "nothing was in doubt"
