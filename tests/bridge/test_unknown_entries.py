"""Options that hold entries under names: what nothing would look at is refused, so that no check passes by a typo."""

import numpy as np
import pytest

import bridge
from core_numpy import NumpyModel
from model_spec import SGD, Activation, BatchNormalization, Dense, ModelSpec, TrainingSpec
from tests.bridge.own_affine import Affine

SPEC = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
X, Y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3


def wrong(*_):
    raise AssertionError("never called")


def layer(claim=None, **options):
    return bridge.check_layer(Affine(), claim or Dense(5), (6,), **options)


def loss(**options):
    return bridge.check_loss(lambda y, t: ((y - t) ** 2).mean(), "mse", **options)


def optimizer(**options):
    return bridge.check_optimizer(lambda w, dw: w - 0.1 * dw, SGD(0.1), **options)


def models(**options):
    model = NumpyModel(SPEC)
    return bridge.compare_models(model, model, X, Y, **options)


CALLS = {
    "a misspelt call": (lambda: layer(call={"backwards": wrong}), r"'backwards' \(did you mean 'backward'\?\)"),
    "a call of another name": (lambda: layer(call={"fwd": wrong}), "call has an unknown entry 'fwd'.*'forward'"),
    "a misspelt name": (lambda: layer(names={"kernal": "W"}), r"Dense\(5\).* 'kernal' \(did you mean 'kernel'\?\)"),
    "a gradient's": (lambda: layer(names={"gradient of kernal": "dW"}), "did you mean 'gradient of kernel'"),
    "a variable it lacks": (lambda: layer(Dense(5, use_bias=False), names={"bias": "b"}), "may have .*'kernel'"),
    "an entry of no text": (lambda: layer(names={1: "W"}), "unknown entry 1"),
    "a name of no text": (lambda: layer(names={"kernel": 3}), r"names\['kernel'\] must be a name .*got 3"),
    "names as a text": (lambda: layer(names="W"), "names must be a dict, got 'W'; its keys may be 'forward'"),
    "one function for both": (lambda: layer(call=wrong), "call must be a dict, got <function"),
    "no function": (lambda: layer(call={"forward": "go"}), r"a function of \(layer, x, training\), got 'go'"),
    "both": (lambda: layer(call={"forward": wrong}, names={"forward": "go"}), "both given"),
    "a loss's call": (lambda: loss(call={"forward": wrong}), r"call must be a function of \(loss, outputs, targets\)"),
    "a loss's hints": (lambda: loss(hints=7), "hints must be 1"),
    "a loss's logits": (lambda: loss(from_logits="no"), "from_logits must be True or False"),
    "an optimizer's call": (lambda: optimizer(call={"step": wrong}), r"function of \(optimizer, parameters, gradients"),
    "an optimizer's one": (lambda: optimizer(one="yes"), "one must be True or False"),
    "a training's call": (
        lambda: bridge.external_training(NumpyModel(SPEC), wrong, call={"step": wrong}),
        "call must be a function",
    ),
    "names of one": (lambda: models(names=("a",)), r"two names, such as names=\('mine', 'reference'\), got \('a',\)"),
    "names as letters": (lambda: models(names="ab"), "names must be two names"),
    "no function of x": (lambda: bridge.from_functions(3), "forward must be a function, got 3"),
    "arrays for backward": (lambda: bridge.from_functions(wrong, {"W": X}), "backward must be a function of dy"),
    "params as a text": (lambda: bridge.from_functions(wrong, wrong, "W"), "params must be a dict of arrays"),
    "no function of tensors": (lambda: bridge.from_autograd(np.array, "f"), "function must be a function, got 'f'"),
    "no precision": (lambda: bridge.compare(SPEC, X, Y, dtype=()), "dtype is empty"),
    "no path": (lambda: bridge.compare(SPEC, X, Y, paths=()), "paths is empty"),
    "a fault's name": (lambda: bridge.compare(SPEC, X, Y, prepare="flip"), "prepare must be a function of a NumPy"),
    "a training's": (
        lambda: bridge.compare_training(SPEC, X, Y, TrainingSpec(), steps=1, prepare="flip"),
        "prepare must be a function of a NumPy",
    ),
}


@pytest.mark.parametrize("name", list(CALLS))
def test_what_nothing_would_look_at_is_refused(name):
    call, words = CALLS[name]
    with pytest.raises(ValueError, match=words):
        call()


def test_known_entries_are_taken():
    names = {"kernel": "W", "bias": "b", "gradient of kernel": "dW", "forward": "forward", "backward": "backward"}
    assert layer(names=names).passed
    moving = {"moving_mean": "mean", "moving_variance": "variance"}

    class Norm:
        mean, variance = np.zeros(6), np.ones(6)

        def forward(self, x):
            return (x - self.mean) / np.sqrt(self.variance + 1e-3)

    claim = BatchNormalization(scale=False, center=False)
    assert bridge.check_layer(Norm(), claim, (6,), names=moving, backward=False).passed


def test_a_gradient_that_is_named_comes_before_one_that_is_returned():
    class Returns(Affine):
        def backward(self, dy):
            dx = super().backward(dy)
            self.other = -self.dW
            return dx, self.dW, self.db

    assert bridge.check_layer(Returns(), Dense(5), (6,)).passed
    report = bridge.check_layer(Returns(), Dense(5), (6,), names={"gradient of kernel": "other"})
    assert report.first_divergence.tensor == "gradient of kernel"


def test_calls_are_taken_for_layers_without_variables():
    report = bridge.check_layer(
        object(),
        Activation("relu"),
        (4,),
        call={"forward": lambda layer, x, training: x * (x > 0)},
        backward=False,
    )
    assert report.passed
