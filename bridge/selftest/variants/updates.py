"""Right variants of optimizers: the same update in another order of operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridge.selftest.faults.fault import Declarations
from bridge.selftest.faults.updates import Arrays, training, with_update
from bridge.selftest.variants.variant import Variant
from core_numpy.contract import Array
from model_spec import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, RMSprop

variants = Declarations(Variant)
update = variants.of("optimizer", with_update, shows="training", steps=4, blames="parameters")


@update("momentum-other-signs", "m = -(rate g - momentum m)", training=training(SGD(0.1, momentum=0.9)))
def _momentum(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    m = slots["momentum"]
    m[...] = -(rate * g - w.dtype.type(rule.momentum) * m)
    w[...] = m + w


@update(
    "nesterov-expanded",
    "both momentum terms in one sum",
    training=training(SGD(0.1, momentum=0.9, nesterov=True)),
)
def _nesterov(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    momentum = w.dtype.type(rule.momentum)
    m = slots["momentum"]
    step = rate * g
    before = m.copy()
    m[...] = momentum * before - step
    # w - step + momentum * (momentum * before - step)
    w[...] = w + momentum * momentum * before - (1 + momentum) * step


def _adam_moments(rule: Any, g: Array, slots: Arrays) -> tuple[Array, Array]:
    kind = g.dtype.type
    m, v = slots["momentum"], slots["velocity"]
    m[...] = kind(rule.beta_1) * m + kind(1 - rule.beta_1) * g
    v[...] = kind(rule.beta_2) * v + kind(1 - rule.beta_2) * g * g
    return m, v


@update("adam-folded-correction", "corrected moments, epsilon scaled alike", training=training(Adam(0.01)))
def _folded_adam(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    kind = w.dtype.type
    m, v = _adam_moments(rule, g, slots)
    first, second = 1 - kind(rule.beta_1) ** kind(t), np.sqrt(1 - kind(rule.beta_2) ** kind(t))
    w -= rate * (m / first) / (np.sqrt(v) / second + kind(rule.epsilon) / second)


@update("adam-of-means", "m = b m + (1 - b) g", training=training(Adam(0.01)))
def _adam_of_means(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    kind = w.dtype.type
    m, v = _adam_moments(rule, g, slots)
    alpha = rate * np.sqrt(1 - kind(rule.beta_2) ** kind(t)) / (1 - kind(rule.beta_1) ** kind(t))
    w -= alpha * (m / (kind(rule.epsilon) + np.sqrt(v)))


@update("adamw-decay-folded", "w times 1 - decay rate", training=training(AdamW(0.01, weight_decay=0.1)))
def _adamw_decay_folded(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    w *= 1 - w.dtype.type(rule.weight_decay) * rate
    _adam_of_means(rule, w, g, slots, rate, t)


@update("rmsprop-by-differences", "v += (1 - rho)(g**2 - v)", training=training(RMSprop(0.01)))
def _rmsprop(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    kind = w.dtype.type
    v = slots["velocity"]
    v += kind(1 - rule.rho) * (g * g - v)
    w -= g * (rate / np.sqrt(v + kind(rule.epsilon)))


@update("adagrad-by-reciprocal", "g times one over the root", training=training(Adagrad(0.1)))
def _adagrad(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    a = slots["accumulator"]
    a[...] = g**2 + a
    w -= g * (1 / np.sqrt(a + w.dtype.type(rule.epsilon))) * rate


@update("adadelta-one-root", "the root of the quotient", training=training(Adadelta(0.5)))
def _adadelta(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    kind = w.dtype.type
    rho, epsilon = kind(rule.rho), kind(rule.epsilon)
    a, s = slots["accumulated_grad"], slots["accumulated_delta_var"]
    a[...] = a + (1 - rho) * (g * g - a)
    delta = g * np.sqrt((s + epsilon) / (a + epsilon))
    s[...] = s + (1 - rho) * (delta * delta - s)
    w -= delta * rate


@update("adamax-quotient-first", "m / u before the rate", training=training(Adamax(0.01)))
def _adamax(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    kind = w.dtype.type
    m, u = slots["momentum"], slots["norm"]
    m[...] = kind(rule.beta_1) * m + kind(1 - rule.beta_1) * g
    u[...] = np.maximum(np.abs(g), u * kind(rule.beta_2))
    w -= rate / (1 - kind(rule.beta_1) ** kind(t)) * (m / (u + kind(rule.epsilon)))
