"""Slips and other constants in optimizers are named with the number in them."""

import copy

import numpy as np
import pytest

from bridge import check_optimizer
from model_spec import SGD, Adagrad, Adam, RMSprop
from tests.bridge.slips.optimizers import (
    ADAM,
    MOMENTUM,
    SLIPS,
    Steps,
    adagrad,
    adam,
    descent,
    momentum,
    rmsprop,
)
from tests.bridge.slips.options import OPTIONS, Of


@pytest.mark.parametrize(
    ("formula", "first", "claim", "words"), SLIPS + OPTIONS, ids=[each[3] for each in SLIPS + OPTIONS]
)
def test_the_slip_is_named(formula, first, claim, words):
    with np.errstate(all="ignore"):
        report = check_optimizer(copy.deepcopy(formula) if first is None else Steps(formula, first), claim)
    assert not report.passed
    said = str(report.explanation)
    assert words in said, said
    assert said == words or (formula, first, claim, words) not in OPTIONS


def test_another_optimizer_is_no_constant_of_the_claim():
    for given, claim in ((SGD(0.1), RMSprop(0.1)), (MOMENTUM, Adam(0.1)), (SGD(0.1), RMSprop(0.1, centered=True))):
        report = check_optimizer(Of(given), claim)
        assert not report.passed and report.explanation is None


def test_the_right_ones_pass():
    for formula, first, claim in (
        (descent(), 0, SGD(0.1)),
        (momentum(), 0, MOMENTUM),
        (adam(), 0, ADAM),
        (rmsprop(), 0, RMSprop(0.01)),
        (adagrad(), 0.1, Adagrad(0.1)),
    ):
        assert check_optimizer(Steps(formula, first), claim).passed


def test_constants_rounded_to_float32_pass_and_are_said():
    for formula, claim, said in (
        (momentum(float(np.float32(0.9))), MOMENTUM, "momentum 0.9 to 0.899999976158"),
        (
            adam(
                b1=float(np.float32(0.9)),
                b2=float(np.float32(0.999)),
                rate=float(np.float32(0.01)),
                eps=float(np.float32(1e-7)),
            ),
            ADAM,
            "beta 2 0.999 to",
        ),
        (rmsprop(float(np.float32(0.9))), RMSprop(0.01), "rho 0.9 to"),
    ):
        report = check_optimizer(Steps(formula, 0), claim)
        assert report.passed, str(report)
        assert said in report.notes[0] and "rounds to float32" in str(report)
        assert not check_optimizer(Steps(momentum(0.9 + 1e-7), 0), MOMENTUM).passed


class CorrectedMomentStored:
    """Adam that keeps the corrected moment: no constants explain it, and the search for them diverges."""

    def __init__(self):
        self.t, self.m, self.v = 0, {}, {}

    def update(self, params, grads):
        self.t += 1
        for name, g in grads.items():
            self.m[name] = 0.9 * self.m.get(name, 0) + 0.1 * g
            self.v[name] = 0.999 * self.v.get(name, 0) + 0.001 * g**2
            self.m[name] = self.m[name] / (1 - 0.9**self.t)
            params[name] -= 0.001 * self.m[name] / (np.sqrt(self.v[name] / (1 - 0.999**self.t)) + 1e-7)


def test_a_search_that_diverges_ends_in_a_verdict():
    report = check_optimizer(CorrectedMomentStored(), Adam(0.001))
    assert report.verdict == "DIFFER"
