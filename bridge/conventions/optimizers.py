"""Optimizers as other frameworks and books define them, and the search for the one that explains a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bridge.conventions.optimizer_forms import Update, rmsprop
from core_numpy.contract import Array
from core_numpy.update_rules import UPDATE_RULES
from model_spec import optimizers as rules

_ROUNDING = 1e-9
"""Of a float64 step: what no known convention differs by, and rounding does not reach in a few steps."""


@dataclass(frozen=True)
class OptimizerConvention:
    """One other way to define an optimizer's step; ``update`` has the signature of ``core_numpy.update_rules``."""

    name: str
    who: str
    rule: type[rules.Optimizer]
    update: Update


def _rate_outside_momentum(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    m = slots["momentum"]
    m *= w.dtype.type(rule.momentum)
    m += g
    w -= rate * (g + w.dtype.type(rule.momentum) * m if rule.nesterov else m)


def _nesterov_velocity_first(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    """The book's formula with this step's velocity in place of the last one's: it counts the gradient twice."""
    mu = w.dtype.type(rule.momentum)
    m = slots["momentum"]
    m *= mu
    m -= rate * g
    w += mu * mu * m - (1 + mu) * rate * g


def _damped_gradient(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    """m = mu m - (1 - mu) rate g; w += m, or with Nesterov w += mu m - (1 - mu) rate g."""
    mu = w.dtype.type(rule.momentum)
    m = slots["momentum"]
    m *= mu
    m -= (1 - mu) * rate * g
    w += mu * m - (1 - mu) * rate * g if rule.nesterov else m


def _momentum_ignored(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    """w -= rate g."""
    w -= rate * g


def nesterov_ignored(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    """Plain momentum: m = momentum m - rate g; w += m."""
    m = slots["momentum"]
    m *= w.dtype.type(rule.momentum)
    m -= rate * g
    w += m


def adagrad_epsilon_outside(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    """a += g**2; w -= rate g / (sqrt(a) + epsilon)."""
    a = slots["accumulator"]
    a += np.square(g)
    w -= rate * g / (np.sqrt(a) + w.dtype.type(rule.epsilon))


def adagrad_from_zero(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    """Keras' step with an accumulator that starts at 0 in place of 0.1."""
    a = slots["accumulator"]
    if t == 1:
        a[...] = 0
    a += np.square(g)
    w -= rate * g / np.sqrt(a + w.dtype.type(rule.epsilon))


def _adagrad_of_the_book(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    """a += g**2 from 0; w -= rate g / (sqrt(a) + epsilon)."""
    if t == 1:
        slots["accumulator"][...] = 0
    adagrad_epsilon_outside(rule, w, g, slots, rate, t)


def rmsprop_epsilon_outside(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    """v = rho v + (1 - rho) g**2; w -= rate g / (sqrt(v) + epsilon)."""
    kind, v = w.dtype.type, slots["velocity"]
    v *= kind(rule.rho)
    v += kind(1 - rule.rho) * g * g
    w -= rate * g / (np.sqrt(v) + kind(rule.epsilon))


def adam_epsilon_of_the_paper(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    """w -= rate m_hat / (sqrt(v_hat) + epsilon), with both moments corrected."""
    kind, (m, v) = w.dtype.type, _moments(rule, w, g, slots)
    m_hat, v_hat = m / (1 - kind(rule.beta_1) ** kind(t)), v / (1 - kind(rule.beta_2) ** kind(t))
    w -= rate * m_hat / (np.sqrt(v_hat) + kind(rule.epsilon))


def adam_uncorrected(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    """w -= rate m / (sqrt(v) + epsilon): the moments' start at zero is not corrected."""
    m, v = _moments(rule, w, g, slots)
    w -= rate * m / (np.sqrt(v) + w.dtype.type(rule.epsilon))


def adam_epsilon_inside(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    """w -= alpha m / sqrt(v + epsilon)."""
    kind, (m, v) = w.dtype.type, _moments(rule, w, g, slots)
    alpha = rate * np.sqrt(1 - kind(rule.beta_2) ** kind(t)) / (1 - kind(rule.beta_1) ** kind(t))
    w -= alpha * m / np.sqrt(v + kind(rule.epsilon))


def adam_epsilon_inside_corrected(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    """w -= rate m_hat / sqrt(v_hat + epsilon), with both moments corrected."""
    kind, (m, v) = w.dtype.type, _moments(rule, w, g, slots)
    m_hat, v_hat = m / (1 - kind(rule.beta_1) ** kind(t)), v / (1 - kind(rule.beta_2) ** kind(t))
    w -= rate * m_hat / np.sqrt(v_hat + kind(rule.epsilon))


def _moments(rule: Any, w: Array, g: Array, slots: dict[str, Array]) -> tuple[Array, Array]:
    kind, m, v = w.dtype.type, slots["momentum"], slots["velocity"]
    m += (g - m) * kind(1 - rule.beta_1)
    v += (np.square(g) - v) * kind(1 - rule.beta_2)
    if rule.amsgrad:
        return m, np.maximum(slots["velocity_hat"], v, out=slots["velocity_hat"])
    return m, v


OPTIMIZER_CONVENTIONS: tuple[OptimizerConvention, ...] = (
    OptimizerConvention("learning rate outside the momentum", "PyTorch's SGD", rules.SGD, _rate_outside_momentum),
    OptimizerConvention(
        "Nesterov with the velocity updated first", "early printings of the book", rules.SGD, _nesterov_velocity_first
    ),
    OptimizerConvention("gradient times (1 - momentum)", "moving averages of gradients", rules.SGD, _damped_gradient),
    OptimizerConvention("momentum ignored", "plain gradient descent", rules.SGD, _momentum_ignored),
    OptimizerConvention("Nesterov flag ignored", "plain momentum", rules.SGD, nesterov_ignored),
    OptimizerConvention(
        "Adagrad epsilon outside the root", "PyTorch, the books", rules.Adagrad, adagrad_epsilon_outside
    ),
    OptimizerConvention(
        "Adagrad accumulator from 0, epsilon outside the root", "the books", rules.Adagrad, _adagrad_of_the_book
    ),
    OptimizerConvention("Adagrad accumulator from 0", "PyTorch, the books", rules.Adagrad, adagrad_from_zero),
    OptimizerConvention("RMSprop epsilon outside the root", "PyTorch", rules.RMSprop, rmsprop(outside=True)),
    OptimizerConvention(
        "Adam epsilon after the correction", "PyTorch, the paper", rules.Adam, adam_epsilon_of_the_paper
    ),
    OptimizerConvention("Adam without bias correction", "a frequent slip", rules.Adam, adam_uncorrected),
    OptimizerConvention("Adam epsilon inside the root", "some books", rules.Adam, adam_epsilon_inside),
    OptimizerConvention(
        "Adam epsilon inside the root of the corrected moment",
        "a frequent slip",
        rules.Adam,
        adam_epsilon_inside_corrected,
    ),
)


@dataclass(frozen=True)
class RecordedStep:
    """One step of one parameter: value before and after, gradient, slots before, learning rate and number from 1."""

    before: Array
    after: Array
    gradient: Array
    slots: dict[str, Array]
    rate: float
    number: int


def step_error(rule: rules.Optimizer, update: Update, steps: Sequence[RecordedStep]) -> float:
    """Largest distance between recorded and recomputed parameters, over the largest change of the step."""
    worst = 0.0
    for step in steps:
        w = step.before.copy()
        slots = {name: value.copy() for name, value in step.slots.items()}
        update(rule, w, step.gradient, slots, w.dtype.type(step.rate), step.number)
        change = float(np.abs(step.after - step.before).max(initial=0)) or 1.0
        worst = max(worst, float(np.abs(w - step.after).max(initial=0)) / change)
    return worst


def explain_steps(rule: rules.Optimizer, steps: Sequence[RecordedStep]) -> str | None:
    """Name the convention by which recorded float64 steps were taken, or None where none fits (or Keras' own does).

    A convention fits where it brings the error down to rounding: below 1e-9 of the step, and a thousand times below
    that of Keras' rule. Gradients and slots of the record are taken as they are.
    """
    own = step_error(rule, UPDATE_RULES[type(rule)].update, steps)
    fits: list[tuple[float, str]] = []
    for convention in OPTIMIZER_CONVENTIONS:
        if isinstance(rule, convention.rule):
            try:
                error = step_error(rule, convention.update, steps)
            except KeyError:
                continue  # the rule as configured keeps other slots
            if error < _ROUNDING and error < own / 1000:
                fits.append((error, convention.name))
    return min(fits)[1] if fits else None
