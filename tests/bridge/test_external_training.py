"""Trainings with foreign layers or a foreign optimizer in lock-step with Keras."""

import numpy as np
import pytest

import bridge
from core_numpy import NumpyModel
from model_spec import SGD, Adam, BatchNormalization, Dense, Dropout, ModelSpec, TrainingSpec
from tests.bridge import book_layers as books

SPEC = ModelSpec(
    "course",
    (6,),
    (Dense(8), BatchNormalization(0.9, epsilon=1e-6), Dropout(0.25), Dense(3, activation="softmax")),
)
RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(64, 6)), RANDOM.integers(0, 3, 64)


def layers():
    return [
        books.Affine(np.zeros((6, 8)), np.zeros(8)),
        books.BatchNormalization(np.ones(8), np.zeros(8), 0.9, np.zeros(8), np.ones(8)),
        books.Dropout(0.25),
        books.Affine(np.zeros((8, 3)), np.zeros(3)),
        books.Softmax(),
    ]


class Momentum:
    """As the books keep it: dicts of arrays."""

    def __init__(self, mu=0.9):
        self.v, self.mu = {}, mu

    def update(self, params, grads):
        for name in params:
            self.v[name] = self.mu * self.v.get(name, 0) - 0.1 * grads[name]
            params[name] += self.v[name]


class Wrong(books.Affine):
    def backward(self, dout):
        dx = super().backward(dout)
        self.db = self.db / len(dout)
        return dx


def compared(model, optimizer):
    training = TrainingSpec(optimizer=optimizer, batch_size=16)
    return bridge.compare_training(SPEC, X, Y, training, 5, controls=1, model=model)


@pytest.mark.parametrize("optimizer", [None, Momentum])
def test_foreign_layers_and_optimizers_train_alike(optimizer):
    model = bridge.model_from_layers(layers(), SPEC)
    made = None if optimizer is None else optimizer()
    report = compared(bridge.external_training(model, made), SGD(0.1, momentum=0.9) if made else Adam(0.01))
    assert report.passed, str(report)
    assert {name for name in report.final if "moving" in name}


def test_a_foreign_optimizer_alone():
    numpy = NumpyModel(SPEC, dtype="float64")
    report = compared(bridge.external_training(numpy, Momentum(0.8)), SGD(0.1, momentum=0.9))
    assert report.verdict == "DIFFER" and report.first_outside == 2


class Number:
    def update(self, params, grads):
        return 3.0


class Raises(Momentum):
    def update(self, params, grads):
        if self.v:
            raise KeyError("second step")
        super().update(params, grads)


@pytest.mark.parametrize(
    ("optimizer", "said"),
    [
        (Raises(), "step 2: optimizer: raised KeyError in update, line "),
        (Number(), "step 1: optimizer: a step returned float, a dict of parameters or nothing"),
    ],
)
def test_what_an_optimizer_raises_is_reported_with_its_step(optimizer, said):
    report = compared(bridge.external_training(NumpyModel(SPEC, dtype="float64"), optimizer), SGD(0.1, momentum=0.9))
    assert report.verdict == "DIFFER" and not report.passed
    assert said in str(report) and said in report.to_dict()["error"]


def test_a_wrong_layer_shows_at_its_first_step():
    made = layers()
    made[3] = Wrong(np.zeros((8, 3)), np.zeros(3))
    report = compared(bridge.external_training(bridge.model_from_layers(made, SPEC)), SGD(0.1))
    assert report.verdict == "DIFFER" and report.first_outside == 1
    assert report.steps[0].worst == "dense_1/bias"


def test_what_does_not_fit_is_refused():
    model = bridge.external_training(bridge.model_from_layers(layers(), SPEC))
    training = TrainingSpec(optimizer="sgd", batch_size=16)
    with pytest.raises(ValueError, match="in float64, expected 'course' in float32"):
        bridge.compare_training(SPEC, X, Y, training, 1, dtype="float32", model=model)
    with pytest.raises(ValueError, match="resync needs the state of both optimizers"):
        bridge.compare_training(SPEC, X, Y, training, 1, resync=True, model=model)


def test_bare_layers_are_told_the_way():
    with pytest.raises(ValueError, match=r"got list; write external_training\(model_from_layers"):
        bridge.external_training(layers(), SPEC)
