"""Faults in how adaptive optimizers change parameters and slots, and what optimizer faults are made with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.selftest.faults.change import ChangedOptimizer, OptimizerStep
from bridge.selftest.faults.fault import Fault
from core_numpy.contract import Array
from core_numpy.optimizers import OptimizerState, clipped
from model_spec import Adadelta, Adagrad, Adam, AdamW, RMSprop, TrainingSpec
from model_spec.optimizers import Optimizer

Arrays = dict[str, Array]
Update = Callable[[Any, Array, Array, Arrays, Any, int], None]

PARAMETERS, SLOTS = "parameters", "slots"


def training(optimizer: Optimizer, loss: str = "categorical_crossentropy") -> TrainingSpec:
    """A run in batches of four."""
    return TrainingSpec(optimizer=optimizer, loss=loss, batch_size=4)


def with_update(update: Update) -> OptimizerStep:
    """A step with another update rule, which takes what the rules of ``core_numpy.update_rules`` take."""

    def step(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
        t = state.iterations + 1
        for name, g in clipped(state.rule, gradients).items():
            w = parameters[name]
            update(state.rule, w, g, state.slots[name], w.dtype.type(state.current_learning_rate()), t)
        state.iterations = t

    return step


def right_step(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
    """The step as it should be."""
    if isinstance(state, ChangedOptimizer):
        state.right_step(parameters, gradients)


def by_rule(change: Callable[[Any], Any]) -> OptimizerStep:
    """The right step of another rule."""

    def step(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
        stated = state.rule
        state.rule = change(stated)
        right_step(state, parameters, gradients)
        state.rule = stated

    return step


def _uncorrected_adam(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    kind = w.dtype.type
    m, v = slots["momentum"], slots["velocity"]
    m += (g - m) * kind(1 - rule.beta_1)
    v += (np.square(g) - v) * kind(1 - rule.beta_2)
    w -= rate * m / (np.sqrt(v) + kind(rule.epsilon))


def _epsilon_inside_adam(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    kind = w.dtype.type
    alpha = rate * np.sqrt(1 - kind(rule.beta_2) ** kind(t)) / (1 - kind(rule.beta_1) ** kind(t))
    m, v = slots["momentum"], slots["velocity"]
    m += (g - m) * kind(1 - rule.beta_1)
    v += (np.square(g) - v) * kind(1 - rule.beta_2)
    w -= alpha * m / np.sqrt(v + kind(rule.epsilon))


def _paper_epsilon_adam(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    kind = w.dtype.type
    m, v = slots["momentum"], slots["velocity"]
    m += (g - m) * kind(1 - rule.beta_1)
    v += (np.square(g) - v) * kind(1 - rule.beta_2)
    m_hat, v_hat = m / (1 - kind(rule.beta_1) ** kind(t)), v / (1 - kind(rule.beta_2) ** kind(t))
    w -= rate * m_hat / (np.sqrt(v_hat) + kind(rule.epsilon))


def _rootless_rmsprop(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    kind = w.dtype.type
    v = slots["velocity"]
    v[...] = kind(rule.rho) * v + kind(1 - rule.rho) * np.square(g)
    w -= rate * g / (v + kind(rule.epsilon))


def _deltas_of_gradients(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    kind = w.dtype.type
    rho, rest, epsilon = kind(rule.rho), kind(1 - rule.rho), kind(rule.epsilon)
    a, s = slots["accumulated_grad"], slots["accumulated_delta_var"]
    a[...] = rho * a + rest * np.square(g)
    delta = -np.sqrt(s + epsilon) / np.sqrt(a + epsilon) * g
    s[...] = rho * s + rest * np.square(rate * delta)
    w += rate * delta


def _from_zero(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
    if state.iterations == 0:
        for own in state.slots.values():
            own["accumulator"][...] = 0
    right_step(state, parameters, gradients)


def _sparing_biases(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
    decay = state.rule.weight_decay or 0.0
    rate = state.current_learning_rate()
    for name, w in parameters.items():
        if name.endswith("/bias"):
            w /= 1 - decay * rate
    right_step(state, parameters, gradients)


def _coupled(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
    decay = state.rule.weight_decay or 0.0
    coupled = {name: g + g.dtype.type(decay) * parameters[name] for name, g in gradients.items()}
    by_rule(lambda rule: replace(rule, weight_decay=None))(state, parameters, coupled)


UPDATE_FAULTS = (
    Fault(
        "adam-without-bias-correction",
        "the moments' start at zero is not corrected",
        "training, parameters only",
        optimizer=with_update(_uncorrected_adam),
        training=training(Adam(0.01)),
        blames=PARAMETERS,
    ),
    Fault(
        "adam-epsilon-inside-the-root",
        "sqrt(v + epsilon) in place of sqrt(v) + epsilon",
        "training, parameters only",
        optimizer=with_update(_epsilon_inside_adam),
        training=training(Adam(0.01)),
        blames=PARAMETERS,
    ),
    Fault(
        "adam-epsilon-of-the-paper",
        "epsilon is added to the corrected root, as in the paper's first form",
        "training, parameters only",
        optimizer=with_update(_paper_epsilon_adam),
        training=training(Adam(0.01)),
        blames=PARAMETERS,
    ),
    Fault(
        "amsgrad-without-maximum",
        "the largest velocity so far is not kept",
        "training",
        optimizer=by_rule(lambda rule: replace(rule, amsgrad=False)),
        training=training(Adam(0.01, amsgrad=True)),
        blames=SLOTS,
    ),
    Fault(
        "adagrad-from-zero",
        "the accumulator starts at zero in place of 0.1",
        "training",
        optimizer=_from_zero,
        training=training(Adagrad(0.1)),
        blames=f"{PARAMETERS} or {SLOTS}",
    ),
    Fault(
        "rmsprop-without-root",
        "the step is divided by v in place of its root",
        "training, parameters only",
        optimizer=with_update(_rootless_rmsprop),
        training=training(RMSprop(0.01)),
        blames=PARAMETERS,
    ),
    Fault(
        "rmsprop-uncentered",
        "the mean gradient is not taken off",
        "training",
        optimizer=by_rule(lambda rule: replace(rule, centered=False)),
        training=training(RMSprop(0.01, centered=True)),
        blames=f"{PARAMETERS} or {SLOTS}",
    ),
    Fault(
        "adadelta-slot-of-the-step",
        "the accumulated step holds the learning rate",
        "training, slots only",
        optimizer=with_update(_deltas_of_gradients),
        training=training(Adadelta(0.5)),
        blames=SLOTS,
    ),
    Fault(
        "weight-decay-spares-biases",
        "biases do not decay",
        "training, parameters only",
        optimizer=_sparing_biases,
        training=training(AdamW(0.05, weight_decay=0.1), "mean_squared_error"),
        # Initial biases are zero: decay shows in the second step
        steps=2,
        probe="regression",
        blames=PARAMETERS,
    ),
    Fault(
        "weight-decay-coupled",
        "decay is added to the gradient, as Adam with L2",
        "training",
        optimizer=_coupled,
        training=training(AdamW(0.01, weight_decay=0.1)),
        blames=f"{PARAMETERS} or {SLOTS}",
    ),
)
