"""Slips and other constants in optimizers are named with the number in them."""

import numpy as np
import pytest

from bridge import check_optimizer
from model_spec import SGD, Adagrad, Adam, RMSprop


class Steps:
    """An optimizer of one formula for (w, g, two slots, step number); it changes w in place."""

    def __init__(self, formula, first=0.0):
        self.formula, self.first, self.count, self.slots = formula, first, 0, {}

    def update(self, params, grads):
        self.count += 1
        for name, w in params.items():
            a, b = self.slots.setdefault(name, (np.full_like(w, self.first), np.zeros_like(w)))
            self.formula(w, grads[name], a, b, self.count)


def descent(rate=0.1, l2=0.0, decay=0.0, sign=1.0):
    def formula(w, g, a, b, t):
        w *= 1 - rate * decay
        w -= sign * rate * (g + l2 * w)

    return formula


def momentum(mu=0.9, rate=0.1, old=False):
    def formula(w, g, m, _, t):
        if old:
            w += m
        m *= mu
        m -= rate * g
        if not old:
            w += m

    return formula


def adam(b1=0.9, b2=0.999, rate=0.01, eps=1e-7, power=True, first=True, second=True, shift=0):
    def formula(w, g, m, v, t):
        m += (1 - b1) * (g - m)
        v += (1 - b2) * (g * g - v)
        t = t + shift if power else 1
        alpha = rate * (np.sqrt(1 - b2**t) if second else 1) / ((1 - b1**t) if first else 1)
        w -= alpha * m / (np.sqrt(v) + eps)

    return formula


def rmsprop(rho=0.9, rest=None, root=True, eps=1e-7):
    def formula(w, g, v, _, t):
        v *= rho
        v += ((1 - rho) if rest is None else rest) * g * g
        w -= 0.01 * g / (np.sqrt(v + eps) if root else v + eps)

    return formula


def adagrad(root=True, eps=1e-7):
    def formula(w, g, a, _, t):
        a += g * g
        w -= 0.1 * g / (np.sqrt(a + eps) if root else a + eps)

    return formula


MOMENTUM, ADAM = SGD(0.1, momentum=0.9), Adam(0.01)
SLIPS = [
    (descent(0.05), 0, SGD(0.1), "learning rate 0.05 in place of 0.1"),
    (descent(sign=-1), 0, SGD(0.1), "the other way round: it goes uphill"),
    (descent(l2=0.01), 0, SGD(0.1), "0.01 times the parameter added, an L2 penalty"),
    (momentum(0.8), 0, MOMENTUM, "momentum 0.8 in place of 0.9"),
    (momentum(0.1), 0, MOMENTUM, "momentum is the other way round: 0.1"),
    (momentum(0.9000001), 0, MOMENTUM, "momentum 0.9000001 in place of 0.9"),
    (momentum(0.0), 0, MOMENTUM, "momentum ignored"),
    (momentum(old=True), 0, MOMENTUM, "the velocity of the step before"),
    (momentum(0.8, 0.05), 0, MOMENTUM, "learning rate 0.05 in place of 0.1 and momentum 0.8 in place of 0.9"),
    (adam(b1=0.95), 0, ADAM, "beta 1 0.95 in place of 0.9"),
    (adam(b2=0.99), 0, ADAM, "beta 2 0.99 in place of 0.999"),
    (adam(eps=1e-8), 0, ADAM, "epsilon 1e-08 in place of 1e-07"),
    (adam(power=False), 0, ADAM, "1 - beta in place of 1 - beta**t"),
    (adam(first=False), 0, ADAM, "correction of the first moment is missing"),
    (adam(second=False), 0, ADAM, "correction of the second moment is missing"),
    (adam(first=False, second=False), 0, ADAM, "Adam without bias correction"),
    (adam(shift=1), 0, ADAM, "steps are counted from 2"),
    (adam(shift=-1), 0, ADAM, "steps are counted from 0"),
    (rmsprop(eps=0.0), 0, RMSprop(0.01), "an epsilon that is left out"),
    (adam(b1=0.8, rate=0.02), 0, ADAM, "learning rate 0.02 in place of 0.01 and beta 1 0.8 in place of 0.9"),
    (rmsprop(0.99), 0, RMSprop(0.01), "rho 0.99 in place of 0.9"),
    (rmsprop(rest=1.0), 0, RMSprop(0.01), "the factor 1 - rho of the new square is missing"),
    (rmsprop(root=False), 0, RMSprop(0.01), "the root of the mean square is missing"),
    (rmsprop(eps=1e-5), 0, RMSprop(0.01), "epsilon 1e-05 in place of 1e-07"),
    (adagrad(root=False), 0.1, Adagrad(0.1), "the root of the accumulator is missing"),
    (adagrad(), 1.0, Adagrad(0.1), "initial accumulator value 1 in place of 0.1"),
]


@pytest.mark.parametrize(("formula", "first", "claim", "words"), SLIPS, ids=[each[3][:30] for each in SLIPS])
def test_the_slip_is_named(formula, first, claim, words):
    with np.errstate(all="ignore"):
        report = check_optimizer(Steps(formula, first), claim)
    assert not report.passed
    assert words in str(report.explanation), report.explanation


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
