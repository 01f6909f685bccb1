"""Slips in optimizers, each with its words: (formula, first slot, claim, words); an object where the slot is None."""

import numpy as np

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


class Each:
    """Adam whose step number grows with every parameter."""

    def __init__(self, once_more=False):
        self.once_more, self.t, self.slots = once_more, 0, {}

    def update(self, params, grads):
        self.t += self.once_more
        for name, w in params.items():
            self.t += 1
            m, v = self.slots.setdefault(name, (np.zeros_like(w), np.zeros_like(w)))
            adam()(w, grads[name], m, v, self.t)


def adam_form(
    b1=0.9, b2=0.999, rate=0.01, eps=1e-7, inside=False, after=False, rest=(True, True), stored=(0, 0), g2=None
):
    def formula(w, g, m, v, t):
        m[...] = b1 * m + (1 - b1 if rest[0] else 1) * g
        v[...] = b2 * v + (1 - b2 if rest[1] else 1) * (g * g if g2 is None else g2(g))
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        if stored[0]:
            m[...] = m_hat
        if stored[1]:
            v[...] = v_hat
        if inside:
            w -= rate * m_hat / np.sqrt(v_hat + eps)
        elif after:
            w -= rate * m_hat / (np.sqrt(v_hat) + eps)
        else:
            scale = np.sqrt(1 - b2**t)
            w -= rate * m_hat * scale / (np.sqrt(v_hat) * scale + eps)

    return formula


def rmsprop_form(mu=0.0, rho=0.9, eps=1e-7, outside=False, damped=False, gradient=False, g2=np.square):
    def formula(w, g, v, m, t):
        v[...] = rho * v + (1 - rho) * g2(g)
        root = np.sqrt(v) + eps if outside else np.sqrt(v + eps)
        if gradient:
            m[...] = mu * m + g
            w -= 0.01 * m / root
        else:
            m[...] = mu * m + (1 - mu if damped else 1) * 0.01 * g / root
            w -= m

    return formula


def adagrad_form(what):
    def formula(w, g, a, _, t):
        a[...] = {"replaced": g * g, "forgets": 0.9 * a + 0.1 * g * g, "size": a + np.abs(g)}[what]
        w -= 0.1 * g / np.sqrt(a + 1e-7)

    return formula


def rate_twice(w, g, m, _, t):
    m[...] = 0.9 * m - 0.1 * g
    w += 0.1 * m


def decay_in_gradient(w, g, m, _, t):
    m[...] = 0.9 * m - 0.1 * (g + 0.01 * w)
    w += m


def decay(rate):
    def formula(w, g, m, _, t):
        w -= 0.1 * rate * w
        m[...] = 0.9 * m - 0.1 * g
        w += m

    return formula


def changed_places(first, second):
    """A step of (gradient, parameter), whose names do not say so."""
    return second - 0.1 * first


HEAVY, DECAYED = RMSprop(0.01, momentum=0.9), SGD(0.1, momentum=0.9, weight_decay=0.01)
SLIPS += [
    (Each(), None, ADAM, "steps are counted for each parameter"),
    (
        Each(True),
        None,
        ADAM,
        "steps are counted for each parameter, so that all of them count one step several times, and",
    ),
    (adam_form(inside=True), 0, ADAM, "epsilon inside the root of the corrected moment"),
    (adam_form(after=True), 0, ADAM, "epsilon after the correction"),
    (adam_form(rest=(False, True)), 0, ADAM, "the factor 1 - beta_1 of the new gradient is missing"),
    (adam_form(rest=(True, False)), 0, ADAM, "the factor 1 - beta_2 of the new square is missing"),
    (adam_form(stored=(1, 1)), 0, ADAM, "the moments are overwritten with their corrected values"),
    (
        adam_form(stored=(1, 0), after=True),
        0,
        ADAM,
        "the first moment is overwritten with its corrected value and the eps",
    ),
    (adam_form(g2=np.abs), 0, ADAM, "the gradient's size in place of its square"),
    (adam_form(g2=lambda g: g), 0, ADAM, "the gradient is not squared in the second moment"),
    (adam_form(b1=0.999, b2=0.9), 0, ADAM, "beta_1 and beta_2 have changed places"),
    (adam_form(b1=0.1), 0, ADAM, "beta 1 is the other way round: 0.1"),
    (rmsprop_form(0.0), 0, HEAVY, "the momentum is ignored"),
    (rmsprop_form(0.9, damped=True), 0, HEAVY, "the momentum takes (1 - momentum) times each step"),
    (rmsprop_form(0.9, gradient=True), 0, HEAVY, "the momentum is of the gradients, in front of the division"),
    (rmsprop_form(0.9, outside=True), 0, HEAVY, "epsilon outside the root"),
    (rmsprop_form(0.1), 0, HEAVY, "momentum is the other way round: 0.1"),
    (rmsprop_form(rho=0.1), 0, RMSprop(0.01), "rho is the other way round: 0.1"),
    (rmsprop_form(g2=np.abs), 0, RMSprop(0.01), "the gradient's size in place of its square"),
    (adagrad_form("replaced"), 0.1, Adagrad(0.1), "the accumulator is replaced by the new square"),
    (adagrad_form("forgets"), 0.1, Adagrad(0.1), "the accumulator forgets"),
    (adagrad_form("size"), 0.1, Adagrad(0.1), "the gradient's size in place of its square"),
    (adagrad(), 0.0, Adagrad(0.1), "Adagrad accumulator from 0"),
    (rate_twice, 0, MOMENTUM, "the learning rate is multiplied in twice"),
    (decay_in_gradient, 0, DECAYED, "added to the gradient, an L2 penalty, where it is decoupled"),
    (decay(0.1), 0, DECAYED, "weight decay 0.1 in place of 0.01"),
    (momentum(0.9, -0.1), 0, MOMENTUM, "it goes uphill"),
    (
        adam_form(b1=0.8, inside=True),
        0,
        ADAM,
        "inside the root of the corrected moment (a frequent slip) and beta 1 0.8",
    ),
    (adam_form(b2=0.99, rest=(False, True)), 0, ADAM, "1 - beta_1 of the new gradient is missing and beta 2 0.99"),
]
