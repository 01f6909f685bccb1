"""Faults in gradient descent: momentum, schedules, clipping, counting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bridge.conventions.optimizers import nesterov_ignored
from bridge.selftest.faults.fault import Declarations, Fault
from bridge.selftest.faults.updates import (
    EITHER,
    PARAMETERS,
    SLOTS,
    Arrays,
    by_rule,
    right_step,
    training,
    with_update,
)
from core_numpy.contract import Array
from core_numpy.optimizers import OptimizerState
from model_spec import SGD
from model_spec.schedules import ExponentialDecay

faults = Declarations(Fault)
MOMENTUM = training(SGD(0.1, momentum=0.9))
momentum = faults.of("optimizer", with_update, shows="training", training=MOMENTUM, blames=EITHER)
step = faults.of("optimizer", shows="training", blames=PARAMETERS)


@momentum("momentum-sign", "the momentum pulls backward", shows="training, from the second step", steps=2)
def _momentum_against(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    m = slots["momentum"]
    m[...] = -w.dtype.type(rule.momentum) * m - rate * g
    w += m


@momentum("momentum-dampened", "the gradient is multiplied by 1 - momentum")
def _dampened(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    kind = w.dtype.type
    m = slots["momentum"]
    m[...] = kind(rule.momentum) * m - kind(1 - rule.momentum) * rate * g
    w += m


@momentum(
    "momentum-slot-of-other-sign",
    "the momentum is kept with the other sign; parameters come out right",
    shows="training, slots only",
    blames=SLOTS,
)
def _negative_momentum(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    m = slots["momentum"]
    m[...] = w.dtype.type(rule.momentum) * m + rate * g
    w -= m


@step(
    "stale-slots",
    "slots start from zero at every step",
    shows="training, from the second step",
    training=MOMENTUM,
    steps=2,
    blames=EITHER,
)
def _forgetful_momentum(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
    for own in state.slots.values():
        for slot in own.values():
            slot[...] = 0
    right_step(state, parameters, gradients)


momentum(
    "nesterov-without-look-ahead",
    "Nesterov's momentum is plain momentum",
    shows="training, parameters only",
    training=training(SGD(0.1, momentum=0.9, nesterov=True)),
    blames=PARAMETERS,
)(nesterov_ignored)


@step(
    "schedule-one-step-ahead",
    "the learning rate is that of the next step",
    training=training(SGD(ExponentialDecay(0.1, decay_steps=1, decay_rate=0.9))),
)
def _a_step_ahead(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
    schedule = state.rule.learning_rate
    one_earlier = replace(schedule, initial_learning_rate=schedule.initial_learning_rate * schedule.decay_rate)  # type: ignore[type-var, union-attr]
    by_rule(lambda rule: replace(rule, learning_rate=one_earlier))(state, parameters, gradients)


@step(
    "clip-by-value",
    "each gradient entry is clipped in place of the tensor's norm",
    training=training(SGD(0.1, clipnorm=0.05)),
)
def _clipped_by_value(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
    limit = state.rule.clipnorm
    values = {name: np.clip(g, -limit, limit) for name, g in gradients.items()}  # type: ignore[operator]
    by_rule(lambda rule: replace(rule, clipnorm=None))(state, parameters, values)


@step(
    "global-clip-one-by-one",
    "each tensor's norm is clipped in place of the norm of all",
    training=training(SGD(0.1, global_clipnorm=0.05)),
)
def _clipped_one_by_one(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
    limit = state.rule.global_clipnorm
    by_rule(lambda rule: replace(rule, global_clipnorm=None, clipnorm=limit))(state, parameters, gradients)


@step(
    "iterations-not-counted",
    "the optimizer's counter stays at zero",
    shows="training, counters only",
    training=training(SGD(0.1)),
    blames="counters",
)
def _uncounted(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
    right_step(state, parameters, gradients)
    state.iterations = 0
