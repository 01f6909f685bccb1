"""What foreign code raises is said with its own line; where none was reached, with how it was called."""

import re

import numpy as np
import pytest

import bridge
from core_numpy import NumpyModel
from model_spec import SGD, Activation, Dense, ModelSpec


class Scaled:
    def forward(self, x):
        return x * (x > 0)


def layer(**methods):
    made = type("Mine", (Scaled,), methods)()
    return bridge.check_layer(made, Activation("relu"), (4,))


def called(**call):
    return bridge.check_layer(Scaled(), Activation("relu"), (4,), call=call)


def loss(my_loss, **options):
    return bridge.check_loss(my_loss, "mse", **options)


def of_numpy(self, x):
    return np.concatenate(x, 7, 8, 9)


REPORTS = {
    "a backward without dy": (
        lambda: layer(backward=lambda self: 1),
        r"backward\(dy\) could not be called: .*takes 1 positional argument but 2 were given; "
        r"call={'backward': function of \(layer, dy\)}",
    ),
    "a forward of two": (
        lambda: layer(forward=lambda self, x, scale: x),
        r"forward\(x\) could not be called: .*missing 1 required positional argument: 'scale'; "
        r"call={'forward': function of \(layer, x, training\)}",
    ),
    "call's forward": (
        lambda: called(forward=lambda layer, x: x),
        r"call\['forward'\] could not be called: .*takes 2 positional .*; it gets \(layer, x, training\)",
    ),
    "call's backward": (
        lambda: called(backward=lambda dy: dy),
        r"call\['backward'\] could not be called: .*takes 1 positional .*; it gets \(layer, dy\)",
    ),
    "its own line": (
        lambda: layer(forward=of_numpy),
        f"raised TypeError in of_numpy, line {of_numpy.__code__.co_firstlineno + 1}: ",
    ),
    "no number": (lambda: layer(forward=lambda self, x: None), "y.*: forward returned None; return its result"),
    "a loss's gradient": (
        lambda: loss((lambda y, t: ((y - t) ** 2).mean(), lambda y, t, s: y)),
        r"<lambda>\(outputs, targets\) could not be called: .*'s'; call=function of \(loss, outputs, targets\)",
    ),
    "a loss's call": (
        lambda: loss(Scaled(), call=lambda y, t: 0.0),
        r"call could not be called: .*takes 2 positional .*; it gets \(loss, outputs, targets\)",
    ),
    "an optimizer's call": (
        lambda: bridge.check_optimizer(Scaled(), SGD(0.1), call=lambda w, dw: w),
        r"call could not be called: .*takes 2 positional .*; it gets \(optimizer, parameters, gradients\)",
    ),
    "an optimizer's result": (
        lambda: bridge.check_optimizer(Scaled(), SGD(0.1), call=lambda o, w, dw: 3),
        "\na step returned int, a dict of parameters or nothing was expected",
    ),
}


@pytest.mark.parametrize("name", list(REPORTS))
def test_no_line_of_the_judge_is_shown(name):
    report, words = REPORTS[name]
    found = report()
    assert not found.passed
    assert re.search(words, str(found)), str(found)


def test_a_layer_in_a_model():
    spec = ModelSpec("net", (4,), (Dense(4, activation="relu"),))

    class Affine:
        W, b = np.ones((4, 4)), np.zeros(4)

        def forward(self, x, y):
            return x

    mine = bridge.model_from_layers([Affine(), Scaled()], spec, kernel_layout="IO")
    ours = NumpyModel(spec, dtype="float64", weights=mine.weights)
    with pytest.raises(ValueError, match=r"forward of 'dense/pre.*' forward\(x\) could not be called: missing 1"):
        bridge.compare_models(ours, mine, np.ones((2, 4)))
