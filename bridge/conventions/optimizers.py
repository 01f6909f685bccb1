"""Optimizers as other frameworks and books define them, and the search for the one that explains a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bridge.conventions.optimizer_slips import optimizer_slips, plain_forms
from core_numpy.contract import Array
from core_numpy.schedules import learning_rate_at
from core_numpy.update_rules import UPDATE_RULES
from model_spec import optimizers as rules

_ROUNDING = 1e-9
"""Of a float64 step: what no known convention differs by, and rounding does not reach in a few steps."""

Update = Callable[[Any, Array, Array, dict[str, Array], Any, int], None]


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
    """m = mu m - (1 - mu) rate g; w += m."""
    mu = w.dtype.type(rule.momentum)
    m = slots["momentum"]
    m *= mu
    m -= (1 - mu) * rate * g
    w += m


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
    OptimizerConvention("RMSprop epsilon outside the root", "PyTorch", rules.RMSprop, rmsprop_epsilon_outside),
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


def explain_course(
    rule: rules.Optimizer,
    start: Mapping[str, Array],
    gradients: Sequence[Mapping[str, Array]],
    course: Sequence[Mapping[str, Array]],
) -> str | None:
    """Name the conventions by which a whole course of float64 steps may have been taken; None where none fits.

    Args:
        rule: what the steps claim to follow.
        start: parameters in front of the first step.
        gradients: of each step.
        course: parameters after each step.
    """

    def fits(rule: rules.Optimizer, update: Update) -> bool:
        return all(_course_error(rule, update, start, gradients, course, name) < _ROUNDING for name in start)

    if all(np.array_equal(after[name], start[name]) for after in course for name in start):
        return (
            "no parameter is changed by a step: a name bound anew (w = w - rate * dw) leaves the array as it was; "
            "write into it (w -= rate * dw), put it back (params[name] = ...) or return it"
        )
    own = UPDATE_RULES[type(rule)].update
    found = [
        f"{convention.name} ({convention.who})"
        for convention in OPTIMIZER_CONVENTIONS
        if isinstance(rule, convention.rule) and fits(rule, convention.update)
    ]
    other = _learning_rate(rule, own, start, gradients[0], course[0])
    if other is not None and fits(replace(rule, learning_rate=other), own):
        found.append(f"learning rate {other:.6g} in place of {rule.learning_rate:g}")
    if not found or "learning rate" in found[-1]:
        # A factor may be a slip of the formula as well as another rate
        found = list(dict.fromkeys([*found[:-1], *plain_forms(rule, start, gradients, course), *found[-1:]]))
    if found:
        return ", or ".join(found)
    known = [(f"{one.name} ({one.who})", one.update) for one in OPTIMIZER_CONVENTIONS if isinstance(rule, one.rule)]
    return optimizer_slips(rule, start, gradients, course, known)


def _learning_rate(
    rule: rules.Optimizer,
    update: Update,
    start: Mapping[str, Array],
    gradients: Mapping[str, Array],
    after: Mapping[str, Array],
) -> float | None:
    """The constant rate that would have made the first step as long as it was, or None."""
    if not isinstance(rule.learning_rate, (int, float)) or isinstance(rule, rules.Nadam):
        return None  # a schedule, or slots that all parameters share
    name = next(iter(start))
    w, slots = start[name].copy(), _fresh_slots(rule, start[name])
    update(rule, w, gradients[name], slots, w.dtype.type(rule.learning_rate), 1)
    expected, taken = w - start[name], after[name] - start[name]
    rate = float(rule.learning_rate * np.vdot(expected, taken) / np.vdot(expected, expected))
    return rate if rate > 0 else None


def _fresh_slots(rule: rules.Optimizer, w: Array) -> dict[str, Array]:
    first = getattr(rule, "initial_accumulator_value", 0.0)
    return {slot: np.full_like(w, first) for slot in UPDATE_RULES[type(rule)].slots(rule)}


def _course_error(
    rule: rules.Optimizer,
    update: Update,
    start: Mapping[str, Array],
    gradients: Sequence[Mapping[str, Array]],
    course: Sequence[Mapping[str, Array]],
    name: str,
) -> float:
    """Largest distance of one parameter from the convention's course, over its largest change in a step."""
    w, kind = start[name].copy(), start[name].dtype.type
    slots = _fresh_slots(rule, w)
    worst = 0.0
    for at, (step, after) in enumerate(zip(gradients, course, strict=True)):
        before = w.copy()
        try:
            with np.errstate(all="ignore"):
                update(rule, w, step[name], slots, kind(learning_rate_at(rule.learning_rate, at)), at + 1)
        except KeyError:
            return np.inf  # the rule as configured keeps other slots
        moved = float(np.abs(w - before).max(initial=0)) or 1.0
        distance = float(np.abs(w - after[name]).max(initial=0)) / moved
        worst = np.inf if np.isnan(distance) else max(worst, distance)
    return worst
