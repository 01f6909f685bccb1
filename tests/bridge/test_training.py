"""Whole trainings in lock-step, and whole fits: dropout, validation and early stopping on."""

import json

import numpy as np
import pytest

import bridge
from benchmarks import datasets
from bridge.lockstep import training as training_module
from bridge.lockstep.report import Step, TrainingParityReport
from bridge.lockstep.training import deviation
from core_numpy import NumpyModel, update_rules
from keras_models import KerasModel
from model_spec import (
    SGD,
    Adam,
    Conv2D,
    Dense,
    EarlyStopping,
    Flatten,
    ModelSpec,
    PReLU,
    TrainingSpec,
    optimizers,
    schedules,
    zoo,
)
from model_spec.initializers import Constant

SPEC = zoo.lenet((8, 8, 1))


@pytest.fixture(scope="module")
def data():
    (x, y), _ = datasets.images("digits", limit=320, dtype="float64")
    return x, y


def test_a_whole_fit_is_the_same_run_in_float64(data):
    """The two histories agree to the last digits over epochs with dropout, validation and early stopping."""
    training = TrainingSpec(
        epochs=4,
        batch_size=32,
        validation_split=0.1,
        early_stopping=EarlyStopping(patience=2, restore_best_weights=True),
    )
    models = [kind(SPEC, 3, "float64") for kind in (NumpyModel, KerasModel)]
    first, second = (model.fit(*data, training, verbose=0) for model in models)
    assert list(first.history) == list(second.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    for name, values in first.history.items():
        assert all(type(value) is float for value in values + second.history[name])
        assert values == pytest.approx(second.history[name], rel=1e-12, abs=1e-14)
    assert (first.best_epoch, first.stopped_epoch) == (second.best_epoch, second.stopped_epoch)
    ours, theirs = (model.weights for model in models)
    assert max(deviation(ours[name], theirs[name], 0.001) for name in ours) < 1e-11


def test_lock_step_training_agrees_and_is_reported(data):
    report = bridge.compare_training(SPEC, *data, TrainingSpec(optimizer=Adam(), batch_size=16), steps=6)
    assert report.passed, str(report)
    assert len(report.steps) == len(report.control) == 6
    assert 0 < report.steps[-1].largest < 1e-12
    assert {"adam/conv2d/kernel/velocity", "adam/iterations", "dropout/dropout_call", "dense/bias"} <= set(report.final)
    assert str(report).startswith("AGREE: lenet, 6 steps of Adam, float64, free-running, 4 controls")
    assert json.loads(json.dumps(report.to_dict()))["verdict"] == "AGREE"


def test_slopes_and_their_penalties_are_trained_alike(data):
    layers = (
        Conv2D(3, 3),
        PReLU("random_uniform", "l2", (1, 2)),
        Flatten(),
        Dense(8),
        PReLU(Constant(0.25), "l1"),
        Dense(10, activation="softmax"),
    )
    spec = ModelSpec("slopes", (8, 8, 1), layers)
    report = bridge.compare_training(spec, *data, TrainingSpec(optimizer=Adam(), batch_size=16), steps=4)
    assert report.passed, str(report)
    assert {"p_re_lu/alpha", "p_re_lu_1/alpha", "adam/p_re_lu/alpha/velocity"} <= set(report.final)


def test_resync_shows_each_steps_own_error(data):
    training = TrainingSpec(optimizer=SGD(0.1, momentum=0.9), batch_size=16)
    report = bridge.compare_training(SPEC, *data, training, steps=4, dtype="float32", resync=True)
    assert report.passed, str(report)
    assert len(report.control) == 4
    assert str(report).startswith("AGREE: lenet, 4 steps of SGD, float32, resynchronised after each step, 4 controls")
    assert max(step.parameters for step in report.steps) < 1e-5


def test_resync_takes_the_controls_back_to_keras_too(data):
    """Adam's first step is the roughest: sqrt(velocity) is |gradient| then. A free-running control keeps that."""
    training = TrainingSpec(optimizer=Adam(0.01), batch_size=16)
    free, taken_back = (
        bridge.compare_training(SPEC, *data, training, steps=9, controls=1, resync=resync).control[-1].largest
        for resync in (False, True)
    )
    assert taken_back < free / 10


def test_a_wrong_optimizer_leaves_the_envelope_at_the_first_step(data, monkeypatch):
    right = update_rules.UPDATE_RULES[optimizers.Adam]

    def slightly_wrong(rule, w, g, slots, rate, t):
        right.update(rule, w, g, slots, rate * w.dtype.type(1 + 1e-9), t)

    wrong = update_rules.UpdateRule(slightly_wrong, right.slots)
    monkeypatch.setitem(update_rules.UPDATE_RULES, optimizers.Adam, wrong)
    report = bridge.compare_training(SPEC, *data, TrainingSpec(optimizer=Adam(), batch_size=16), steps=3)
    assert report.verdict == "DIFFER"
    assert report.first_outside == 1
    assert "first outside the envelope: step 1" in str(report)


def test_the_loss_a_step_returns_counts(data):
    """Everything the two carry is equal; only what the step says of its loss is wrong."""
    training = TrainingSpec(optimizer=SGD(0.1), batch_size=16)
    fault = "summed-training-loss"
    report = bridge.compare_training(
        zoo.mlp((8, 8, 1)), *data, training, steps=1, controls=1, prepare=bridge.plant(fault)
    )
    assert report.first_outside == 1
    assert max(report.final.values()) < 1e-12
    assert report.steps[0].worst == "loss"
    assert "first outside the envelope: step 1, loss, " in str(report)


INSIDE, OUTSIDE = 2.0, 4.0  # the envelope reaches three times as far as the controls


@pytest.mark.parametrize(
    ("dtype", "resync", "distances", "controls", "passed"),
    [
        ("float32", False, [INSIDE], [2], True),
        ("float32", False, [OUTSIDE, INSIDE], [2, 10], True),
        ("float32", False, [OUTSIDE, OUTSIDE], [2, 10], False),
        ("float64", False, [OUTSIDE], [2], False),
        ("float64", True, [OUTSIDE], [2], False),
        ("float32", True, [OUTSIDE, INSIDE], [2, 10], True),
    ],
)
def test_a_float32_training_that_leaves_the_envelope_is_tried_beside_more_controls(
    data, monkeypatch, dtype, resync, distances, controls, passed
):
    """A relu that switches throws one training in many far off; in float64 none does."""
    tried, left = [], iter(distances)

    def at_a_distance(report, *arguments):
        tried.append(report.controls)
        report.steps.append(Step(0.0, next(left), 0.0, 0.0, "dense/kernel"))
        report.control.append(Step(0.0, 1.0, 0.0, 0.0, "dense/kernel"))

    monkeypatch.setattr(training_module, "_train_in_lock_step", at_a_distance)
    training = TrainingSpec(optimizer=SGD(0.1), batch_size=16)
    report = bridge.compare_training(SPEC, *data, training, 1, dtype=dtype, resync=resync, controls=2)
    assert tried == controls
    assert (report.controls, report.passed) == (controls[-1], passed)


@pytest.mark.parametrize(("resync", "outside"), [(False, None), (True, 2)])
def test_a_rough_step_excuses_no_later_one_after_resync(resync, outside):
    """The controls part at step 1 and not at step 2; NumPy is as far off at both."""
    steps = [Step(0.0, distance, 0.0, 0.0, "dense/kernel") for distance in (1e-3, 1e-12)]
    rough, smooth = steps
    report = TrainingParityReport(SPEC, TrainingSpec(), "float64", resync, 1, [rough, rough], [rough, smooth])
    assert report.first_outside == outside


def test_different_state_is_refused():
    with pytest.raises(ValueError, match="the two sides carry different state"):
        training_module._distances({"a": np.zeros(1)}, {"b": np.zeros(1)}, 0.1)


@pytest.mark.parametrize(
    ("optimizer", "fault", "convention"),
    [
        (Adam(0.01), "adam-epsilon-of-the-paper", "Adam epsilon after the correction"),
        (Adam(0.01), "adam-without-bias-correction", "Adam without bias correction"),
        (SGD(0.1, momentum=0.9, nesterov=True), "nesterov-without-look-ahead", "Nesterov flag ignored"),
        (SGD(0.1), "summed-training-loss", None),
    ],
)
@pytest.mark.parametrize("resync", [False, True])
def test_the_convention_of_an_optimizer_is_named(data, optimizer, fault, convention, resync):
    training = TrainingSpec(optimizer=optimizer, batch_size=16)
    report = bridge.compare_training(
        SPEC, *data, training, steps=3, controls=1, resync=resync, prepare=bridge.plant(fault)
    )
    assert report.verdict == "DIFFER"
    assert report.explanation == convention
    assert (f"follows another convention: {convention}" in str(report)) is (convention is not None)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_schedule_that_starts_at_zero_beside_parameters_that_are_zero(dtype):
    spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
    warm_up = SGD(schedules.CosineDecay(0.0, 5, warmup_target=0.1, warmup_steps=5))
    x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
    report = bridge.compare_training(spec, x, y, TrainingSpec(optimizer=warm_up, batch_size=4), 3, dtype=dtype)
    assert report.passed


def test_from_zero_every_difference_is_infinite():
    zero, one = np.zeros(2), np.array([0.0, 1e-30])
    assert deviation(zero, zero, 0.0) == 0
    assert deviation(zero, one, 0.0) == np.inf


@pytest.mark.parametrize("optimizer", ["adam", "nadam", "sgd"])
def test_a_network_with_nothing_to_train(optimizer):
    spec = ModelSpec("net", (4,), (Dense(3, activation="softmax", trainable=False),))
    x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
    report = bridge.compare_training(spec, x, y, TrainingSpec(optimizer=optimizer, batch_size=4), 3)
    assert report.passed
