"""Constraints: both backends train to the same rules, step by step, and the rules hold."""

import numpy as np
import pytest

import bridge
from core_numpy import NumpyModel
from keras_models import KerasModel
from model_spec import SGD, Adam, Conv1D, Conv2D, Conv2DTranspose, Dense, Flatten, ModelSpec, TrainingSpec
from model_spec.constraints import CONSTRAINTS, MaxNorm, NonNeg, UnitNorm, get

RULES = [MaxNorm(0.5), MaxNorm(0.2, (0, 1)), NonNeg(), UnitNorm(), UnitNorm(-1)]


def images(**options):
    return ModelSpec("images", (6, 6, 2), (Conv2D(3, 3, **options), Flatten(), Dense(3, activation="softmax")))


def network(rule):
    """Every layer that takes constraints, in one line."""
    rules = {"kernel_constraint": rule, "bias_constraint": NonNeg()}
    return ModelSpec(
        "constrained",
        (4, 4, 2),
        (
            Conv2D(3, 2, activation="tanh", **rules),
            Conv2DTranspose(2, 2, **rules),
            Flatten(),
            Dense(8, activation="tanh", kernel_constraint=rule),
            Dense(3, activation="softmax", **rules),
        ),
    )


def examples(spec):
    random = np.random.default_rng(0)
    return random.normal(size=(24, *spec.input_shape)), random.integers(3, size=24)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_trained_in_lock_step(rule):
    spec = network(rule)
    optimizer = Adam(0.05) if rule == UnitNorm() else SGD(0.1, momentum=0.9)
    training = TrainingSpec(optimizer=optimizer, batch_size=8)
    report = bridge.compare_training(spec, *examples(spec), training, 6, dtype="float64", controls=1)
    assert report.passed, str(report)
    assert max(step.largest for step in report.steps) < 1e-11


def test_of_steps():
    spec = ModelSpec("steps", (6, 2), (Conv1D(3, 2, kernel_constraint="max_norm"), Flatten(), Dense(3)))
    training = TrainingSpec(optimizer=SGD(0.1), loss="mse", batch_size=8)
    x = np.random.default_rng(0).normal(size=(24, 6, 2))
    report = bridge.compare_training(spec, x, x[:, :3, 0] * 9, training, 4, dtype="float64", controls=1)
    assert report.passed, str(report)


@pytest.mark.parametrize("engine", ["reference", "fast"])
@pytest.mark.parametrize("kind", [NumpyModel, KerasModel])
def test_the_rules_hold(kind, engine):
    spec = images(kernel_constraint=MaxNorm(0.3, (0, 1, 2)), bias_constraint="non_neg")
    model = kind(spec, engine=engine) if kind is NumpyModel else kind(spec)
    x = np.random.default_rng(0).normal(size=(32, 6, 6, 2))
    before = np.sqrt(np.square(model.weights["conv2d/kernel"]).sum(axis=(0, 1, 2)))
    model.fit(x, np.arange(32) % 3, TrainingSpec(optimizer=SGD(0.5), epochs=3, batch_size=8), verbose=0)
    norms = np.sqrt(np.square(model.weights["conv2d/kernel"]).sum(axis=(0, 1, 2)))
    assert before.max() > 0.3
    assert norms.max() <= 0.3 * (1 + 1e-6)
    assert model.weights["conv2d/bias"].min() >= 0
    # A frozen layer, which no step changes, is not brought to its rule
    frozen = kind(images(kernel_constraint="unit_norm", trainable=False))
    kept = frozen.weights["conv2d/kernel"]
    frozen.fit(x, np.arange(32) % 3, TrainingSpec(epochs=1, batch_size=8), verbose=0)
    np.testing.assert_array_equal(frozen.weights["conv2d/kernel"], kept)


def test_a_step_without_its_rule_is_seen(monkeypatch):
    """The lock-step above can fail: NumPy's steps without their constraint."""
    monkeypatch.setattr("core_numpy.model.constrain", lambda rule, value: None)
    spec = network(UnitNorm())
    report = bridge.compare_training(spec, *examples(spec), TrainingSpec(batch_size=8), 3, dtype="float64", controls=1)
    assert not report.passed


def test_names_and_bad_values():
    assert {type(get(name)) for name in CONSTRAINTS} == {MaxNorm, NonNeg, UnitNorm}
    assert get("max_norm") == MaxNorm(2.0, 0)
    for wrong, message in (
        (lambda: get("norm"), "unknown constraint 'norm'; use None, max_norm"),
        (lambda: MaxNorm(-1), "MaxNorm.max_value must be a finite number above 0"),
        (
            lambda: images(bias_constraint=MaxNorm(2, 1)),
            r"bias_constraint=MaxNorm.* works along axis 1, and the bias has shape \(3,\)",
        ),
        (lambda: images(kernel_constraint=UnitNorm((0, -4))), "name different axes in -4..3"),
        (lambda: UnitNorm("a"), "UnitNorm.axis must be an axis or a tuple of axes"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()
