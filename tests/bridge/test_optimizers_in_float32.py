"""Optimizers that compute in float32: right ones agree by float32's bounds, with a note; wrong ones are named."""

import numpy as np
import pytest

from bridge import check_optimizer
from model_spec import SGD, Adam, AdamW, RMSprop
from tests.bridge.slips.options import Of


class Momentum:
    """Its velocity is in float32, the parameters are in float64."""

    def __init__(self, mu=0.9):
        self.v, self.mu = {}, mu

    def update(self, params, grads):
        for name in params:
            self.v[name] = self.mu * self.v.get(name, 0) - np.float32(0.1) * grads[name].astype("f4")
            params[name] += self.v[name]


class SingleMoments:
    """Adam whose moments are in float32; what it computes from them is in float64."""

    def __init__(self, rate=0.01):
        self.count, self.moments, self.rate = 0, {}, rate

    def update(self, params, grads):
        self.count += 1
        rate = self.rate * np.sqrt(1 - 0.999**self.count) / (1 - 0.9**self.count)
        for name, w in params.items():
            m, v = self.moments.setdefault(name, [np.zeros(w.shape, "f4"), np.zeros(w.shape, "f4")])
            m += 0.1 * (grads[name] - m)
            v += 0.001 * (grads[name] ** 2 - v)
            w -= rate * m / (np.sqrt(v) + 1e-7)


class InFloat32(Of):
    def update(self, params, grads):
        params = {name: value.astype("f4") for name, value in params.items()}
        super().update(params, {name: value.astype("f4") for name, value in grads.items()})
        return params


KEEPS = "fed float64, the optimizer keeps arrays of its own in float32"
ANSWERS = "fed float64, the optimizer answers in float32"
STEPS = "fed float64, the optimizer computes its steps in float32"
# What computes in float32 by float32's bounds: (optimizer, claim, note, explanation or None where it is right)
SINGLE = {
    "steps": (lambda w, g: w - np.float32(0.1) * g.astype("f4"), SGD(0.1), STEPS, None),
    "momentum": (Momentum(), SGD(0.1, momentum=0.9), STEPS, None),
    "moments": (SingleMoments(), Adam(0.01), KEEPS, None),
    "moments and another rate": (SingleMoments(0.02), Adam(0.01), KEEPS, "learning rate 0.02 in place of 0.01"),
    "answers": (lambda w, g: (w - 0.1 * g).astype("f4"), SGD(0.1), ANSWERS, None),
    **{repr(rule): (InFloat32(rule), rule, ANSWERS, None) for rule in (Adam(0.001), RMSprop(0.01), AdamW(0.01))},
    "no momentum": (Momentum(0.0), SGD(0.1, momentum=0.9), STEPS, "momentum ignored (plain gradient descent)"),
    "rate": (lambda w, g: w - np.float32(0.05) * g.astype("f4"), SGD(0.1), STEPS, "learning rate 0.05 in place of 0.1"),
    "a rate that is nearly right": (
        lambda w, g: w - np.float32(0.1001) * g.astype("f4"),
        SGD(0.1),
        STEPS,
        "learning rate 0.1001 in place of 0.1",
    ),
    "slower in float32": (InFloat32(Adam(0.02)), Adam(0.01), ANSWERS, "learning rate 0.02 in place of 0.01"),
}


@pytest.mark.parametrize("name", list(SINGLE))
def test_float32_is_judged_as_such_and_said(name):
    optimizer, claim, note, explanation = SINGLE[name]
    report = check_optimizer(optimizer, claim)
    assert report.passed is (explanation is None), str(report)
    assert (report.notes, report.dtype, report.explanation) == ([note], "float32", explanation)
    assert "6 steps, float32" in str(report)


def test_small_steps_are_not_taken_for_float32():
    """A rate so small that any step is a float32 number up to a parameter's rounding."""
    report = check_optimizer(lambda w, g: w - 1.01e-9 * g, SGD(1e-9))
    assert not report.passed and report.dtype == "float64"
