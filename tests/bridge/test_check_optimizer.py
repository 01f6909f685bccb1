"""check_optimizer: the styles people write, right rules accepted, wrong ones refused at the first step and named."""

import numpy as np
import pytest

from bridge import check_optimizer
from model_spec import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Nadam, RMSprop
from model_spec.schedules import ExponentialDecay
from tests.bridge.slips.optimizers import Steps, adagrad, rmsprop
from tests.bridge.slips.options import Of

RULES = [
    SGD(0.1),
    SGD(0.1, momentum=0.9),
    SGD(0.1, momentum=0.9, nesterov=True),
    SGD(ExponentialDecay(0.1, 2, 0.5)),
    SGD(0.1, weight_decay=0.01),
    SGD(0.1, clipnorm=0.5),
    Adagrad(0.1),
    RMSprop(0.01),
    RMSprop(0.01, momentum=0.9, centered=True),
    Adadelta(1.0),
    Adam(0.01),
    Adam(0.01, amsgrad=True),
    AdamW(0.01),
    Adamax(0.01),
    Nadam(0.01),
]


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_every_rule_is_accepted_as_itself(rule):
    assert check_optimizer(Of(rule), rule).verdict == "AGREE"


@pytest.mark.parametrize("rule", [rule for rule in RULES if isinstance(rule.learning_rate, float)], ids=repr)
def test_a_slightly_wrong_rate_is_refused_and_said(rule):
    report = check_optimizer(Of(type(rule)(**{**vars(rule), "learning_rate": rule.learning_rate * (1 + 1e-9)})), rule)
    assert report.verdict == "DIFFER"
    assert report.first_outside[0] == 1
    assert f"learning rate {rule.learning_rate * (1 + 1e-9):.12g} in place of" in report.explanation


class Slots:
    """Momentum and moments as textbooks keep them: dicts of arrays, made at the first step."""

    def __init__(self):
        self.count, self.a, self.b = 0, {}, {}

    def update(self, params, grads):
        self.count += 1
        for name in params:
            a, b = self.a.setdefault(name, np.zeros_like(params[name])), self.b.setdefault(name, 0 * params[name])
            self.one(params[name], grads[name], a, b)


class EarlyNesterov(Slots):
    def one(self, w, g, v, _):
        v *= 0.9
        v -= 0.1 * g
        w += 0.81 * v - 0.19 * g


class BookNesterov(Slots):
    def one(self, w, g, v, _):
        w += 0.81 * v - 0.19 * g
        v *= 0.9
        v -= 0.1 * g


class AveragedGradient(Slots):
    def one(self, w, g, v, _):
        v *= 0.9
        v += 0.1 * g
        w -= 0.1 * v


class BookAdagrad(Slots):
    def one(self, w, g, h, _):
        h += g * g
        w -= 0.1 * g / (np.sqrt(h) + 1e-7)


class PaperAdam(Slots):
    def one(self, w, g, m, v):
        m += 0.1 * (g - m)
        v += 0.001 * (g * g - v)
        w -= 0.01 * (m / (1 - 0.9**self.count)) / (np.sqrt(v / (1 - 0.999**self.count)) + 1e-7)


class UncorrectedAdam(Slots):
    def one(self, w, g, m, v):
        m += 0.1 * (g - m)
        v += 0.001 * (g * g - v)
        w -= 0.01 * m / (np.sqrt(v) + 1e-7)


class WithoutEpsilon(Slots):
    def one(self, w, g, h, _):
        h *= 0.9
        h += 0.1 * g * g
        with np.errstate(invalid="ignore"):
            w -= 0.01 * g / np.sqrt(h)


NESTEROV = SGD(0.1, momentum=0.9, nesterov=True)


@pytest.mark.parametrize(
    ("optimizer", "claim", "words"),
    [
        (BookNesterov, NESTEROV, None),
        (EarlyNesterov, NESTEROV, "Nesterov with the velocity updated first"),
        (AveragedGradient, SGD(0.1, momentum=0.9), "gradient times (1 - momentum)"),
        (BookAdagrad, Adagrad(0.1), "Adagrad accumulator from 0, epsilon outside the root"),
        (PaperAdam, Adam(0.01), "Adam epsilon after the correction"),
        (UncorrectedAdam, Adam(0.01), "Adam without bias correction"),
        (lambda: lambda w, g: w - 0.1 * g, SGD(0.1, momentum=0.9), "momentum ignored"),
    ],
)
def test_what_the_books_write(optimizer, claim, words):
    report = check_optimizer(optimizer(), claim)
    assert report.passed is (words is None), str(report)
    assert words is None or words in report.explanation
    assert words is None or f"follows another convention: {words}" in str(report)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("formula", "first", "claim", "words"),
    [
        (rmsprop(eps=1e-15), 0, RMSprop(0.01), "epsilon below 1e-11 in place of 1e-07"),
        (rmsprop(eps=1e-9), 0, RMSprop(0.01), "epsilon 1e-09 in place of 1e-07"),
        (adagrad(eps=0.0), 0.1, Adagrad(0.1), "epsilon is left out"),
        (adagrad(), 0.2, Adagrad(0.1), "initial accumulator value 0.2 in place of 0.1"),
    ],
)
def test_another_epsilon_is_said_to_be_one(formula, first, claim, words, seed):
    assert check_optimizer(Steps(formula, first), claim, seed=seed).explanation == words


class WrittenNadam:
    """Nadam as docs/reference.md writes it, in float64 throughout."""

    def __init__(self, share):
        self.count, self.product, self.share, self.slots = 0, 1.0, share, {}

    def update(self, params, grads):
        self.count += 1
        now, following = (0.9 * (1 - 0.5 * self.share**t) for t in (self.count, self.count + 1))
        self.product *= now
        for name, w in params.items():
            g, (m, v) = grads[name], self.slots.setdefault(name, (np.zeros_like(w), np.zeros_like(w)))
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            step = following * m / (1 - following * self.product) + (1 - now) * g / (1 - self.product)
            w -= 0.01 * step / (np.sqrt(v / (1 - 0.999**self.count)) + 1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_nadam_with_exact_constants_is_right_too(seed):
    report = check_optimizer(WrittenNadam(0.96), Nadam(0.01), seed=seed)
    assert report.passed and "note: 0.96 is exact throughout; Keras rounds it to float32" in str(report)
    assert not check_optimizer(WrittenNadam(0.96 + 1e-7), Nadam(0.01), seed=seed).passed


def test_a_gradient_that_is_always_zero_is_among_those_tried():
    report = check_optimizer(WithoutEpsilon(), RMSprop(0.01))
    assert report.first_outside == (1, "w")
    assert report.to_dict()["distances"]["w"][0] == "inf"


def _named(name, method):
    """A fresh object with one method."""
    return type("Theirs", (), {name: staticmethod(method)})()


def _in_place(parameters, gradients):
    for w, g in zip(parameters, gradients, strict=True):
        w -= 0.1 * g


STYLES = {
    "lists in place": lambda: _named("step", _in_place),
    "lists returned": lambda: _named("step", lambda ps, gs: [p - 0.1 * g for p, g in zip(ps, gs, strict=True)]),
    "dict returned": lambda: _named("apply", lambda ps, gs: {name: ps[name] - 0.1 * gs[name] for name in ps}),
    "gradients first": lambda: _named("update", lambda grads, ps: {name: ps[name] - 0.1 * grads[name] for name in ps}),
    "function": lambda: lambda w, dw: w - 0.1 * dw,
}


@pytest.mark.parametrize("style", STYLES)
def test_styles(style):
    assert check_optimizer(STYLES[style](), SGD(0.1)).passed


def test_a_style_that_fails_half_way_leaves_no_count_behind():
    """Lists are taken, dicts are not: the try with dicts must not be the first of Adam's steps."""

    class ListAdam:
        def __init__(self):
            self.count, self.moments = 0, None

        def step(self, parameters, gradients):
            self.count += 1
            self.moments = self.moments or [[0 * w, 0 * w] for w in list(parameters)]
            rate = 0.01 * np.sqrt(1 - 0.999**self.count) / (1 - 0.9**self.count)
            for w, g, slots in zip(parameters, gradients, self.moments, strict=True):
                slots[0] += 0.1 * (g - slots[0])
                slots[1] += 0.001 * (g * g - slots[1])
                w -= rate * slots[0] / (np.sqrt(slots[1]) + 1e-7)

    report = check_optimizer(ListAdam(), Adam(0.01))
    assert report.passed, str(report)


def test_any_other_style_by_call():
    class Odd:
        def advance(self, pairs, rate):
            return {name: w - rate * g for name, w, g in pairs}

    def call(optimizer, parameters, gradients):
        return optimizer.advance([(name, parameters[name], gradients[name]) for name in parameters], 0.1)

    assert check_optimizer(Odd(), SGD(0.1), call=call).passed


def test_what_fits_nothing_gets_the_lines_to_paste():
    with pytest.raises(ValueError, match="has none of the methods update, step(?s:.*)class Adapter:"):
        check_optimizer(object(), SGD(0.1))
    with pytest.raises(ValueError, match=r"takes 1 arguments.*call=lambda optimizer"):
        check_optimizer(lambda gradients: None, SGD(0.1))
    with pytest.raises(ValueError, match="claim must be an optimizer of model_spec"):
        check_optimizer(Of(SGD(0.1)), "sgd")
    with pytest.raises(ValueError, match="at least 3"):
        check_optimizer(Of(SGD(0.1)), SGD(0.1), steps=1)


def test_what_the_optimizer_raises_is_reported_with_its_line():
    report = check_optimizer(lambda w, g: w / {}["rate"], SGD(0.1))
    assert report.verdict == "DIFFER"
    assert "raised KeyError in <lambda>, line " in str(report)


def test_nothing_it_was_given_is_changed_for_others():
    """An optimizer that overwrites its gradients does not change what the rule is fed."""

    def greedy(w, g):
        g *= 0.1
        return w - g

    report = check_optimizer(greedy, SGD(0.1))
    assert report.passed
    assert "note: it writes into the gradients it is given" in str(report) and "write g = rate * g" in str(report)


class Keeps:
    """Momentum whose first velocity is the caller's gradient."""

    def __init__(self, copy):
        self.v, self.copy = {}, copy

    def update(self, params, grads):
        for name, w in params.items():
            if name in self.v:
                self.v[name] *= 0.9
                self.v[name] += grads[name]
            else:
                self.v[name] = grads[name].copy() if self.copy else grads[name]
            w -= 0.1 * self.v[name]


@pytest.mark.parametrize("copied", [True, False])
def test_gradients_that_are_kept_and_changed_later_are_a_note(copied):
    report = check_optimizer(Keeps(copied), SGD(0.1, momentum=0.9))
    assert report.passed
    assert ("keep a copy, v[name] = grads[name].copy()" in str(report)) is not copied


def with_config(momentum):
    def step(w, dw, config=None):
        config = {} if config is None else config
        v = momentum * config.get("velocity", np.zeros_like(w)) - 0.1 * dw
        config["velocity"] = v
        return w + v, config

    return step


def test_a_config_is_handed_on_from_step_to_step():
    assert check_optimizer(with_config(0.9), SGD(0.1, momentum=0.9)).passed
    report = check_optimizer(with_config(0.8), SGD(0.1, momentum=0.9))
    assert not report.passed and "momentum 0.8 in place of 0.9" in str(report)
