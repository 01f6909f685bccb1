"""Faults in gradient descent: momentum, schedules, clipping, counting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bridge.selftest.faults.fault import Fault
from bridge.selftest.faults.updates import PARAMETERS, SLOTS, Arrays, by_rule, right_step, training, with_update
from core_numpy.contract import Array
from core_numpy.optimizers import OptimizerState
from model_spec import SGD
from model_spec.schedules import ExponentialDecay


def _momentum_against(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    m = slots["momentum"]
    m[...] = -w.dtype.type(rule.momentum) * m - rate * g
    w += m


def _negative_momentum(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    m = slots["momentum"]
    m[...] = w.dtype.type(rule.momentum) * m + rate * g
    w -= m


def _dampened(rule: Any, w: Array, g: Array, slots: Arrays, rate: Any, t: int) -> None:
    kind = w.dtype.type
    m = slots["momentum"]
    m[...] = kind(rule.momentum) * m - kind(1 - rule.momentum) * rate * g
    w += m


def _forgetful_momentum(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
    for own in state.slots.values():
        for slot in own.values():
            slot[...] = 0
    right_step(state, parameters, gradients)


def _a_step_ahead(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
    schedule = state.rule.learning_rate
    one_earlier = replace(schedule, initial_learning_rate=schedule.initial_learning_rate * schedule.decay_rate)  # type: ignore[type-var, union-attr]
    by_rule(lambda rule: replace(rule, learning_rate=one_earlier))(state, parameters, gradients)


def _clipped_by_value(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
    limit = state.rule.clipnorm
    values = {name: np.clip(g, -limit, limit) for name, g in gradients.items()}  # type: ignore[operator]
    by_rule(lambda rule: replace(rule, clipnorm=None))(state, parameters, values)


def _clipped_one_by_one(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
    limit = state.rule.global_clipnorm
    by_rule(lambda rule: replace(rule, global_clipnorm=None, clipnorm=limit))(state, parameters, gradients)


def _uncounted(state: OptimizerState, parameters: Arrays, gradients: Arrays) -> None:
    right_step(state, parameters, gradients)
    state.iterations = 0


DESCENT_FAULTS = (
    Fault(
        "momentum-sign",
        "the momentum pulls backward",
        "training, from the second step",
        optimizer=with_update(_momentum_against),
        training=training(SGD(0.1, momentum=0.9)),
        steps=2,
        blames=f"{PARAMETERS} or {SLOTS}",
    ),
    Fault(
        "momentum-dampened",
        "the gradient is multiplied by 1 - momentum",
        "training",
        optimizer=with_update(_dampened),
        training=training(SGD(0.1, momentum=0.9)),
        blames=f"{PARAMETERS} or {SLOTS}",
    ),
    Fault(
        "momentum-slot-of-other-sign",
        "the momentum is kept with the other sign; parameters come out right",
        "training, slots only",
        optimizer=with_update(_negative_momentum),
        training=training(SGD(0.1, momentum=0.9)),
        blames=SLOTS,
    ),
    Fault(
        "stale-slots",
        "slots start from zero at every step",
        "training, from the second step",
        optimizer=_forgetful_momentum,
        training=training(SGD(0.1, momentum=0.9)),
        steps=2,
        blames=f"{PARAMETERS} or {SLOTS}",
    ),
    Fault(
        "nesterov-without-look-ahead",
        "Nesterov's momentum is plain momentum",
        "training, parameters only",
        optimizer=by_rule(lambda rule: replace(rule, nesterov=False)),
        training=training(SGD(0.1, momentum=0.9, nesterov=True)),
        blames=PARAMETERS,
    ),
    Fault(
        "schedule-one-step-ahead",
        "the learning rate is that of the next step",
        "training",
        optimizer=_a_step_ahead,
        training=training(SGD(ExponentialDecay(0.1, decay_steps=1, decay_rate=0.9))),
        blames=PARAMETERS,
    ),
    Fault(
        "clip-by-value",
        "each gradient entry is clipped in place of the tensor's norm",
        "training",
        optimizer=_clipped_by_value,
        training=training(SGD(0.1, clipnorm=0.05)),
        blames=PARAMETERS,
    ),
    Fault(
        "global-clip-one-by-one",
        "each tensor's norm is clipped in place of the norm of all",
        "training",
        optimizer=_clipped_one_by_one,
        training=training(SGD(0.1, global_clipnorm=0.05)),
        blames=PARAMETERS,
    ),
    Fault(
        "iterations-not-counted",
        "the optimizer's counter stays at zero",
        "training, counters only",
        optimizer=_uncounted,
        training=training(SGD(0.1)),
        blames="counters",
    ),
)
