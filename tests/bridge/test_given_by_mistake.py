"""What is given in the place of code or claim by mistake is refused in a sentence that says what to give."""

import keras
import numpy as np
import pytest

import bridge
from core_numpy import NumpyModel
from model_spec import SGD, Dense, ModelSpec
from model_spec.losses import Huber

SPEC = ModelSpec("net", (6,), (Dense(5),))


class Theta:
    def __init__(self, weight=(6, 5)):
        self.theta, self.b = np.zeros(weight), np.zeros(5)

    def forward(self, x):
        self.x = x
        return x @ self.theta + self.b

    def backward(self, dy):
        self.slope, self.db = self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.theta.T


class Loss:
    def forward(self, y, t):
        return ((y - t) ** 2).mean()


class Rule:
    def update(self, parameters, gradients):
        for name in parameters:
            parameters[name] -= 0.1 * gradients[name]


class Many(Theta):
    def __init__(self):
        super().__init__()
        for at in range(50):
            setattr(self, f"other_{at}", at)


NAMED = {"kernel": "theta"}


def layer(mine, claim=None, **options):
    return bridge.check_layer(mine, Dense(5) if claim is None else claim, (6,), **options)


def models(*sides):
    return bridge.compare_models(*sides, np.ones((2, 6)))


REFUSED = {
    "no array": (
        lambda: layer(Theta()),
        r'^Theta has theta \(6, 5\), b \(5,\), but .*; name it: names={"kernel": "theta"}',
    ),
    "no array of this size": (
        lambda: layer(Theta((6, 4))),
        r'^Theta has theta \(6, 4\), .* names={"kernel": "its name"}',
    ),
    "many attributes": (lambda: layer(Many()), r"^Many has theta \(6, 5\), .* and 36 more, but no array"),
    "a class": (lambda: layer(Theta), r"my_layer is the class Theta; give an instance, such as Theta\(...\)"),
    "a text": (lambda: layer("Theta"), r"my_layer must be an object with forward\(x\), .* got 'Theta'"),
    "nothing": (lambda: layer(None), "my_layer must be .* got None"),
    "an array": (lambda: layer(np.ones(3)), "my_layer must be .* got an object of class ndarray"),
    "Keras' own": (lambda: layer(keras.layers.Dense(5)), "my_layer is Keras' Dense, the side that is judged by"),
    "a claim's name": (
        lambda: layer(Theta(), "max_pooling2d"),
        "got 'max_pooling2d'; write MaxPooling2D.* from model_spec",
    ),
    "a claim's class": (
        lambda: layer(Theta(), Dense),
        r"spec_layer is the class Dense; give an instance, .*Dense\(5\)",
    ),
    "Keras' claim": (lambda: layer(Theta(), keras.layers.Dense(5)), "got Keras' Dense; write Dense"),
    "another claim": (lambda: layer(Theta(), SGD(0.1)), r"such as Dense\(5\), got an object of class SGD"),
    "a loss's class": (lambda: bridge.check_loss(Loss, "mse"), "my_loss is the class Loss"),
    "a loss's number": (lambda: bridge.check_loss(3, "mse"), "my_loss must be an object with forward"),
    "Keras' loss": (
        lambda: bridge.check_loss(Loss(), keras.losses.Huber()),
        "got Keras' Huber; write Huber.* model_spec.losses",
    ),
    "a loss's claim": (lambda: bridge.check_loss(Loss(), Huber), "claim is the class Huber"),
    "no claim": (lambda: bridge.check_loss(Loss(), None), "claim must be a loss of model_spec, .* got None"),
    "an optimizer's class": (lambda: bridge.check_optimizer(Rule, SGD(0.1)), "my_optimizer is the class Rule"),
    "an optimizer's name": (lambda: bridge.check_optimizer(Rule(), "sgd"), r"such as SGD\(0.1\), got 'sgd'; write SGD"),
    "one layer": (
        lambda: bridge.model_from_layers(Theta(), SPEC),
        "layers must be a list of layers, got an object of class",
    ),
    "layers' classes": (lambda: bridge.model_from_layers([Theta], SPEC), r"layers\[0\] is the class Theta"),
    "a list of claims": (
        lambda: bridge.model_from_layers([Theta()], [Dense(5)]),
        "spec must be a ModelSpec of model_spec",
    ),
    "a network's class": (lambda: bridge.model_from_network(Theta, SPEC), "network is the class Theta"),
    "a model's class": (lambda: models(NumpyModel, NumpyModel(SPEC)), "a is the class NumpyModel"),
    "a layer for a model": (lambda: models(NumpyModel(SPEC), Theta()), r"b must be a model, .* predict\(x\)"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_sentence_says_what_to_give(name):
    call, words = REFUSED[name]
    with pytest.raises(ValueError, match=words) as error:
        call()
    assert len(str(error.value)) < 800 and "\n" not in str(error.value)


def test_a_gradient_that_is_not_found():
    (bug, *_) = layer(Theta(), names=NAMED).broken
    assert bug.message.startswith("Theta has theta (6, 5), b (5,), x (4, 6), ")
    assert "no gradient of 'kernel' (theta) after backward; name it: " in bug.message
    assert 'names={"gradient of kernel": "slope"}; looked for dtheta, d_theta,' in bug.message
    assert bug.message.endswith(" more") and len(bug.message) < 400
    assert layer(Theta(), names={**NAMED, "gradient of kernel": "slope"}).passed


def test_a_class_of_static_methods_and_a_model_of_keras_are_taken():
    class Static:
        @staticmethod
        def forward(y, t):
            return ((y - t) ** 2).mean()

    assert bridge.check_loss(Static, "mse").passed
    ours = NumpyModel(SPEC, dtype="float32")
    theirs = keras.Sequential([keras.Input((6,)), keras.layers.Dense(5)])
    theirs.set_weights(list(ours.weights.values()))
    theirs.predict = lambda x: np.asarray(theirs(x))
    assert models(ours, theirs).passed
