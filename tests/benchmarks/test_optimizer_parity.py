"""Every optimizer with its options ends where Keras' own fit ends, dropout and batch normalization on."""

import pytest

from benchmarks import datasets
from benchmarks.optimizer_parity import LIMIT, OPTIMIZERS, OptimizerParity, fit_both, parts
from core_numpy import update_rules
from model_spec import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling2D,
    ModelSpec,
    TrainingSpec,
    optimizers,
)

SMALL = ModelSpec(
    "small",
    (8, 8, 1),
    (
        Conv2D(4, 3, use_bias=False),
        BatchNormalization(),
        Activation("relu"),
        MaxPooling2D(2),
        Flatten(),
        Dropout(0.25),
        Dense(10, activation="softmax"),
    ),
)


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_fit_ends_at_the_same_weights_slots_and_statistics(name):
    (x, y), _ = datasets.images("digits", limit=200, dtype="float64")
    training = TrainingSpec(optimizer=OPTIMIZERS[name], batch_size=32, steps=20, seed=3)
    distances, diverged = fit_both(SMALL, x, y, training)
    assert diverged == ()
    assert max(distances.values()) <= LIMIT, distances
    assert distances["dropout/dropout_call"] == 0
    assert any(tensor.endswith("/moving_variance") for tensor in distances)


def test_table_covers_every_optimizer():
    assert {type(rule) for rule in OPTIMIZERS.values()} == set(optimizers.OPTIMIZERS.values())


def test_a_wrong_rule_is_caught(monkeypatch):
    """Epsilon outside Adagrad's root, as textbooks have it, is far beyond the limit."""

    def textbook(rule, w, g, slots, rate, t):
        slots["accumulator"] += g * g
        w -= rate * g / (slots["accumulator"] ** 0.5 + w.dtype.type(rule.epsilon))

    slots = update_rules.UPDATE_RULES[optimizers.Adagrad].slots
    rule = update_rules.UpdateRule(textbook, slots)
    monkeypatch.setitem(update_rules.UPDATE_RULES, optimizers.Adagrad, rule)
    (x, y), _ = datasets.images("digits", limit=200, dtype="float64")
    distances, _ = fit_both(SMALL, x, y, TrainingSpec(optimizer=OPTIMIZERS["adagrad"], batch_size=32, steps=20))
    assert max(distances.values()) > 10 * LIMIT


def test_text_puts_the_verdict_first():
    row = OptimizerParity("lenet", "adam", 50, 2e-9, "dense/kernel", 1e-5, 1e-5)
    assert parts([row])[0].startswith("DIFFER: 1 trainings; float64 largest distance 2.00e-09 (lenet, adam")
