"""Faults in how adaptive optimizers change parameters and slots, and what optimizer faults are made with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.conventions.optimizers import (
    adagrad_from_zero,
    adam_epsilon_inside,
    adam_epsilon_of_the_paper,
    adam_uncorrected,
)
from bridge.selftest.faults.change import ChangedOptimizer, OptimizerStep
from bridge.selftest.faults.fault import Declarations, Fault
from core_numpy.contract import Array
from core_numpy.optimizers import OptimizerState, clipped
from model_spec import Adadelta, Adagrad, Adam, AdamW, RMSprop, TrainingSpec
from model_spec.optimizers import Optimizer

Arrays = dict[str, Array]
Update = Callable[[Any, Array, Array, Arrays, Any, int], None]

PARAMETERS, SLOTS = "parameters", "slots"
EITHER = f"{PARAMETERS} or {SLOTS}"


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


faults = Declarations(Fault)
update = faults.of("optimizer", with_update, shows="training, parameters only", blames=PARAMETERS)
step = faults.of("optimizer", shows="training", blames=EITHER)
other_rule = faults.of("optimizer", by_rule, shows="training")

ADAM = training(Adam(0.01))

update("adam-without-bias-correction", "the moments' start at zero is not corrected", training=ADAM)(adam_uncorrected)
update("adam-epsilon-inside-the-root", "sqrt(v + epsilon) in place of sqrt(v) + epsilon", training=ADAM)(
    adam_epsilon_inside
)
update(
    "adam-epsilon-of-the-paper",
    "epsilon is added to the corrected root, as in the paper's first form",
    training=ADAM,
)(adam_epsilon_of_the_paper)
other_rule(
    "amsgrad-without-maximum",
    "the largest velocity so far is not kept",
    training=training(Adam(0.01, amsgrad=True)),
    blames=SLOTS,
)(lambda rule: replace(rule, amsgrad=False))
update(
    "adagrad-from-zero",
    "the accumulator starts at zero in place of 0.1",
    shows="training",
    training=training(Adagrad(0.1)),
    blames=EITHER,
)(adagrad_from_zero)


@update("rmsprop-without-root", "the step is divided by v in place of its root", training=training(RMSprop(0.01)))
def _rootless_rmsprop(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    kind = w.dtype.type
    v = slots["velocity"]
    v[...] = kind(rule.rho) * v + kind(1 - rule.rho) * np.square(g)
    w -= rate * g / (v + kind(rule.epsilon))


other_rule(
    "rmsprop-uncentered",
    "the mean gradient is not taken off",
    training=training(RMSprop(0.01, centered=True)),
    blames=EITHER,
)(lambda rule: replace(rule, centered=False))


@update(
    "adadelta-slot-of-the-step",
    "the accumulated step holds the learning rate",
    shows="training, slots only",
    training=training(Adadelta(0.5)),
    blames=SLOTS,
)
def _deltas_of_gradients(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    kind = w.dtype.type
    rho, rest, epsilon = kind(rule.rho), kind(1 - rule.rho), kind(rule.epsilon)
    a, s = slots["accumulated_grad"], slots["accumulated_delta_var"]
    a[...] = rho * a + rest * np.square(g)
    delta = -np.sqrt(s + epsilon) / np.sqrt(a + epsilon) * g
    s[...] = rho * s + rest * np.square(rate * delta)
    w += rate * delta


@step(
    "weight-decay-spares-biases",
    "biases do not decay",
    shows="training, parameters only",
    training=training(AdamW(0.05, weight_decay=0.1), "mean_squared_error"),
    # Initial biases are zero: decay shows in the second step
    steps=2,
    probe="regression",
    blames=PARAMETERS,
)
def _sparing_biases(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
    decay = state.rule.weight_decay or 0.0
    rate = state.current_learning_rate()
    for name, w in parameters.items():
        if name.endswith("/bias"):
            w /= 1 - decay * rate
    right_step(state, parameters, gradients)


@step(
    "weight-decay-coupled",
    "decay is added to the gradient, as Adam with L2",
    training=training(AdamW(0.01, weight_decay=0.1)),
)
def _coupled(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
    decay = state.rule.weight_decay or 0.0
    coupled = {name: g + g.dtype.type(decay) * parameters[name] for name, g in gradients.items()}
    by_rule(lambda rule: replace(rule, weight_decay=None))(state, parameters, coupled)
