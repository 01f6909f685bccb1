"""Slips in optimizers, and constants that are solved for: the course of a few float64 steps says which."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import numpy as np

from core_numpy.contract import Array
from core_numpy.schedules import learning_rate_at
from core_numpy.update_rules import UPDATE_RULES
from model_spec import optimizers as rules

_ROUNDING = 1e-9
_CONSTANTS = (
    "momentum",
    "rho",
    "beta_1",
    "beta_2",
    "initial_accumulator_value",
    "epsilon",
    "l2_in_gradient",
    "decay",
    "gradient_scale",
)
_DECAYS = ("momentum", "rho", "beta_1", "beta_2")
_WORDS = {
    "l2_in_gradient": "the gradient has {value} times the parameter added, an L2 penalty",
    "decay": "the parameter itself shrinks by rate times {value} of it (decoupled weight decay)",
    "gradient_scale": "the gradient is multiplied by {value}",
}
_START = {"l2_in_gradient": 0.0, "decay": 0.0, "gradient_scale": 1.0}

Update = Callable[[Any, Array, Array, dict[str, Array], Any, int], None]


def _adam(power: tuple[bool, bool], corrected: tuple[bool, bool]) -> Update:
    def update(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
        m, v = slots["momentum"], slots["velocity"]
        m += (g - m) * (1 - rule.beta_1)
        v += (np.square(g) - v) * (1 - rule.beta_2)
        first = 1 - rule.beta_1 ** (t if power[0] else 1) if corrected[0] else 1.0
        second = 1 - rule.beta_2 ** (t if power[1] else 1) if corrected[1] else 1.0
        w -= rate * np.sqrt(second) / first * m / (np.sqrt(v) + rule.epsilon)

    return update


def _adam_without_root(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    m, v = slots["momentum"], slots["velocity"]
    m += (g - m) * (1 - rule.beta_1)
    v += (np.square(g) - v) * (1 - rule.beta_2)
    w -= rate * m / (1 - rule.beta_1**t) / (v / (1 - rule.beta_2**t) + rule.epsilon)


def _adagrad_without_root(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    slots["accumulator"] += np.square(g)
    w -= rate * g / (slots["accumulator"] + rule.epsilon)


def _rmsprop(rest: bool, root: bool, outside: bool) -> Update:
    def update(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
        v = slots["velocity"]
        v[...] = rule.rho * v + (1 - rule.rho if rest else 1.0) * np.square(g)
        if not root:
            w -= rate * g / (v + rule.epsilon)
        else:
            w -= rate * g / (np.sqrt(v) + rule.epsilon if outside else np.sqrt(v + rule.epsilon))

    return update


def _velocity_added_twice(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    m = slots["momentum"]
    m[...] = rule.momentum * m - rate * g
    w += m - rate * g


def _old_velocity(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    m = slots["momentum"]
    w += m
    m[...] = rule.momentum * m - rate * g


_SLIPS: tuple[tuple[type[rules.Optimizer], str, Update], ...] = (
    (
        rules.Adam,
        "the bias correction lacks its power: 1 - beta in place of 1 - beta**t",
        _adam((False, False), (True, True)),
    ),
    (rules.Adam, "the bias correction of the first moment is missing", _adam((True, True), (False, True))),
    (rules.Adam, "the bias correction of the second moment is missing", _adam((True, True), (True, False))),
    (rules.Adam, "the root of the second moment is missing", _adam_without_root),
    (rules.Adagrad, "the root of the accumulator is missing", _adagrad_without_root),
    (rules.RMSprop, "the root of the mean square is missing", _rmsprop(True, False, False)),
    (rules.RMSprop, "the factor 1 - rho of the new square is missing", _rmsprop(False, True, False)),
    (
        rules.RMSprop,
        "the factor 1 - rho of the new square is missing, and the epsilon is outside the root",
        _rmsprop(False, True, True),
    ),
    (rules.SGD, "the gradient is added beside the velocity that has it already", _velocity_added_twice),
    (rules.SGD, "the parameter takes the velocity of the step before", _old_velocity),
)  # fmt: skip


class Course:
    """Steps that somebody took: parameters in front, gradients, and parameters after each step."""

    def __init__(
        self,
        rule: rules.Optimizer,
        start: Mapping[str, Array],
        gradients: Sequence[Mapping[str, Array]],
        course: Sequence[Mapping[str, Array]],
    ) -> None:
        self.rule, self.start, self.gradients = rule, start, gradients
        self.found = np.concatenate([step[name].ravel() for step in course for name in start])
        starts = np.concatenate([start[name].ravel() for name in start])
        moved = np.diff(np.concatenate([starts[None], self.found.reshape(len(course), -1)]), axis=0)
        self.scale = float(np.abs(moved).max()) or 1.0

    def run(self, update: Update, constants: SimpleNamespace, shift: int = 0, sign: float = 1.0) -> Array:
        """Parameters after each step by another rule, in one row."""
        values = {name: value.copy() for name, value in self.start.items()}
        kept = {name: self._slots(value, constants) for name, value in values.items()}
        rows = []
        for at, step in enumerate(self.gradients):
            rate = constants.learning_rate
            rate = rate if isinstance(rate, (int, float)) else learning_rate_at(rate, at)
            for name, w in values.items():
                g = sign * constants.gradient_scale * step[name] + constants.l2_in_gradient * w
                w -= rate * constants.decay * w
                update(constants, w, g, kept[name], np.float64(rate), at + 1 + shift)
            rows += [w.ravel().copy() for w in values.values()]
        return np.concatenate(rows)

    def _slots(self, w: Array, constants: SimpleNamespace) -> dict[str, Array]:
        first = getattr(constants, "initial_accumulator_value", 0.0)
        return {slot: np.full_like(w, first) for slot in UPDATE_RULES[type(self.rule)].slots(self.rule)}

    def constants(self) -> SimpleNamespace:
        """The rule's own, and those that it does not have at the value that does nothing."""
        own = {item.name: getattr(self.rule, item.name) for item in fields(self.rule)}
        return SimpleNamespace(**_START | own)

    def error(self, found: Array) -> float:
        """Largest distance from the course, over its largest step."""
        distance = float(np.abs(found - self.found).max()) / self.scale
        return np.inf if np.isnan(distance) else distance

    def solve(self, run: Callable[[SimpleNamespace], Array], names: tuple[str, ...]) -> SimpleNamespace | None:
        """The constants with values of their own under which the rule takes this course, or None."""
        last = names[-1]
        claimed = float(getattr(self.constants(), last))
        starts = [claimed, 0.5, 0.99, 0.999, 0.1] if last in _DECAYS else [claimed]
        return next((found for start in starts if (found := self._solved_from(run, names, start)) is not None), None)

    def _solved_from(
        self, run: Callable[[SimpleNamespace], Array], names: tuple[str, ...], start: float
    ) -> SimpleNamespace | None:
        """By Newton's method for least squares, from this value of the last constant."""
        constants = self.constants()
        values = np.array([*(float(getattr(constants, name)) for name in names[:-1]), start])
        for _ in range(25):
            # NumPy's numbers overflow to infinity where Python's raise
            for name, value in zip(names, values, strict=True):
                setattr(constants, name, np.float64(value))
            with np.errstate(all="ignore"):
                here = run(constants)
            if not np.isfinite(here).all():
                return None
            if self.error(here) < _ROUNDING / 100:
                return constants
            slopes = []
            for name, value in zip(names, values, strict=True):
                by = 1e-6 * max(abs(value), 1e-3 if name != "epsilon" else abs(value))
                setattr(constants, name, np.float64(value + by))
                with np.errstate(all="ignore"):
                    slopes.append((run(constants) - here) / by)
                setattr(constants, name, np.float64(value))
            if not np.isfinite(slopes).all():
                return None
            change = np.linalg.lstsq(np.stack(slopes, axis=1), self.found - here, rcond=None)[0]
            if not np.isfinite(change).all():
                return None
            values = values + change
        return constants if self.error(run(constants)) < _ROUNDING else None


def optimizer_slips(
    rule: rules.Optimizer,
    start: Mapping[str, Array],
    gradients: Sequence[Mapping[str, Array]],
    course: Sequence[Mapping[str, Array]],
    conventions: Sequence[tuple[str, Update]],
) -> str | None:
    """A sentence about what a course follows that no convention explains, or None.

    Args:
        rule: the claim.
        start: parameters in front of the first step.
        gradients: of each step.
        course: parameters after each step.
        conventions: (words, update) of the known conventions for this rule.
    """
    if rule.weight_decay or rule.clipnorm or rule.global_clipnorm or isinstance(rule, rules.Nadam):
        return None
    taken = Course(rule, start, gradients, course)
    own = UPDATE_RULES[type(rule)].update
    with np.errstate(all="ignore"):
        if not all(np.isfinite(value).all() for value in course[0].values()):
            from_zero = taken.run(own, taken.constants(), shift=-1)[: sum(value.size for value in start.values())]
            if not np.isfinite(from_zero).all():
                return "steps are counted from 0: the bias correction divides by 1 - beta**0, which is 0"
            return "the first step holds NaN or infinity: a division by zero, perhaps an epsilon that is left out"
        return next(_sentences(taken, own, conventions), None)


def _sentences(taken: Course, own: Update, conventions: Sequence[tuple[str, Update]]) -> Iterator[str]:
    bases = [("", own), *((words, update) for kind, words, update in _SLIPS if isinstance(taken.rule, kind))]
    bases += list(conventions)
    plain = taken.constants()
    for words, update in bases:
        for at, (shift, sign, more) in enumerate(_VARIANTS):
            try:
                found = taken.run(update, plain, shift, sign)
            except KeyError:
                continue  # the rule as configured keeps other slots
            if (words or at) and taken.error(found) < _ROUNDING:
                yield " and ".join(part for part in (words, more) if part)
    solvable = [name for name in _CONSTANTS if hasattr(plain, name)]
    rate = () if not isinstance(plain.learning_rate, (int, float)) else ("learning_rate",)
    sets = [*(((name,)) for name in (*rate, *solvable)), *((("learning_rate", name)) for name in solvable if rate)]
    for names in sets:
        for words, update in bases:
            for shift, sign, more in _VARIANTS[:2]:
                try:
                    constants = taken.solve(lambda each: taken.run(update, each, shift, sign), names)  # noqa: B023
                except (KeyError, ValueError, np.linalg.LinAlgError):
                    continue
                if constants is not None:
                    parts = [words, more, *(_solved(taken.rule, name, getattr(constants, name)) for name in names)]
                    yield " and ".join(part for part in parts if part)


_VARIANTS = (
    (0, 1.0, ""),
    (0, -1.0, "the sign of the gradient is the other way round: it goes uphill"),
    (1, 1.0, "steps are counted from 2"),
)


def _solved(rule: rules.Optimizer, name: str, value: float) -> str:
    if name in _WORDS:
        return _WORDS[name].format(value=f"{value:.6g}")
    claimed = float(getattr(rule, name))
    label = name.replace("_", " ")
    if abs(value - float(np.float32(claimed))) < 1e-12 and value != claimed:
        return f"{label} {claimed:g} is rounded to float32, {value:.12g}"
    if abs(value - (1 - claimed)) < 1e-7:
        return f"{label} is the other way round: {value:.6g} in place of {claimed:g}"
    digits = ".6g" if f"{value:.6g}" != f"{claimed:.6g}" else ".12g"
    return f"{label} {value:{digits}} in place of {claimed:g}"
