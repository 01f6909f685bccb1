"""Slips in optimizers, and constants that are solved for: the course of a few float64 steps says which."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import SimpleNamespace

import numpy as np

from bridge.conventions.optimizer_forms import FORMS, Update
from bridge.conventions.outcome import close
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


@dataclass(frozen=True)
class _How:
    """How steps are taken: the sign of the gradient, and what number a step has."""

    words: str = ""
    sign: float = 1.0
    shift: int = 0
    for_each: bool = False
    more: int = 0

    def count(self, at: int, number: int, of: int) -> int:
        """The number of a step, from 1: where it is counted for each parameter, all parameters share it."""
        if self.for_each:
            return at * (of + self.more) + number + 1 + self.more
        return at + 1 + self.shift


_EACH = "steps are counted for each parameter, so that all of them count one step several times"
_HOW = (
    _How(),
    _How("the sign of the gradient is the other way round: it goes uphill", sign=-1.0),
    _How("steps are counted from 2", shift=1),
    _How(_EACH, for_each=True),
    _How(f"{_EACH}, and once more for itself", for_each=True, more=1),
)
"""The first two are also tried together with constants that are solved for."""

_STALLED, _LATELY = 0.5, 5
"""A search that has not halved its error in so many steps has no aim."""


class Course:
    """Steps that somebody took: parameters in front, gradients, and parameters after each step."""

    def __init__(
        self,
        rule: rules.Optimizer,
        start: Mapping[str, Array],
        gradients: Sequence[Mapping[str, Array]],
        course: Sequence[Mapping[str, Array]],
    ) -> None:
        self.rule = rule
        # One row for all parameters: the rules work value by value
        self.start = np.concatenate([value.ravel() for value in start.values()])
        self.gradients = [np.concatenate([step[name].ravel() for name in start]) for step in gradients]
        self.found = np.concatenate([step[name].ravel() for step in course for name in start])
        ends = np.cumsum([value.size for value in start.values()])
        self.parts = [slice(end - value.size, end) for end, value in zip(ends, start.values(), strict=True)]
        moved = np.diff(np.concatenate([self.start[None], self.found.reshape(len(course), -1)]), axis=0)
        self.scale = float(np.abs(moved).max()) or 1.0

    def run(self, update: Update, constants: SimpleNamespace, how: _How | None = None) -> Array:
        """Parameters after each step by another rule, in one row."""
        how = how or _How()
        values, rows = self.start.copy(), []
        parts = self.parts if how.for_each else [slice(None)]
        kept = [self._slots(values[part], constants) for part in parts]
        for at, gradient in enumerate(self.gradients):
            rate = constants.learning_rate
            rate = rate if isinstance(rate, (int, float)) else learning_rate_at(rate, at)
            g = how.sign * constants.gradient_scale * gradient + constants.l2_in_gradient * values
            values -= rate * constants.decay * values
            for number, (part, slots) in enumerate(zip(parts, kept, strict=True)):
                update(constants, values[part], g[part], slots, np.float64(rate), how.count(at, number, len(parts)))
            rows.append(values.copy())
        return np.concatenate(rows)

    def _slots(self, w: Array, constants: SimpleNamespace) -> dict[str, Array]:
        first = getattr(constants, "initial_accumulator_value", 0.0)
        return {slot: np.full_like(w, first) for slot in UPDATE_RULES[type(self.rule)].slots(self.rule)}

    def constants(self) -> SimpleNamespace:
        """The rule's own, and those that it does not have at the value that does nothing."""
        own = {item.name: getattr(self.rule, item.name) for item in fields(self.rule)}
        return SimpleNamespace(**_START | own | {"decay": self.rule.weight_decay or 0.0})

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
        errors: list[float] = []
        for _ in range(25):
            # NumPy's numbers overflow to infinity where Python's raise
            for name, value in zip(names, values, strict=True):
                setattr(constants, name, np.float64(value))
            with np.errstate(all="ignore"):
                here = run(constants)
            if not np.isfinite(here).all():
                return None
            errors.append(self.error(here))
            if errors[-1] < _ROUNDING / 100:
                return constants
            if len(errors) > _LATELY and errors[-1] > max(_STALLED * errors[-1 - _LATELY], _ROUNDING):
                return None
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
    if rule.clipnorm or rule.global_clipnorm or isinstance(rule, rules.Nadam):
        return None
    taken = Course(rule, start, gradients, course)
    own = UPDATE_RULES[type(rule)].update
    with np.errstate(all="ignore"):
        if not all(np.isfinite(value).all() for value in course[0].values()):
            return _not_finite(taken, own)
        return next(_sentences(taken, own, conventions), None)


def plain_forms(
    rule: rules.Optimizer,
    start: Mapping[str, Array],
    gradients: Sequence[Mapping[str, Array]],
    course: Sequence[Mapping[str, Array]],
) -> list[str]:
    """Sentences of all forms with a slip that take this course with the claim's own constants."""
    if rule.clipnorm or rule.global_clipnorm or isinstance(rule, rules.Nadam):
        return []
    taken, found = Course(rule, start, gradients, course), []
    for kind, words, update in FORMS:
        if isinstance(rule, kind):
            try:
                with np.errstate(all="ignore"):
                    fits = taken.error(taken.run(update, taken.constants())) < _ROUNDING
            except KeyError:
                continue  # the rule as configured keeps other slots
            found += [words] * fits
    return found


def _not_finite(taken: Course, own: Update) -> str:
    """Why the first step holds no number."""
    size = taken.start.size
    first = taken.found[:size]
    from_zero = taken.run(own, taken.constants(), _How(shift=-1))[:size]
    if not np.isfinite(from_zero).any() and not np.isfinite(first).any():
        return "steps are counted from 0: the bias correction divides by 1 - beta**0, which is 0"
    for kind, words, update in FORMS:
        if not isinstance(taken.rule, kind):
            continue
        try:
            gives = taken.run(update, taken.constants())[:size]
        except KeyError:
            continue
        if close(first, gives, 1e-9):
            return f"{words}: the first step holds NaN or infinity"
    return "the first step holds NaN or infinity: a division by zero, perhaps an epsilon that is left out"


def _sentences(taken: Course, own: Update, conventions: Sequence[tuple[str, Update]]) -> Iterator[str]:
    bases = [
        ("", own),
        *conventions,
        *((words, update) for kind, words, update in FORMS if isinstance(taken.rule, kind)),
    ]
    plain = taken.constants()
    if plain.decay:
        penalty = taken.constants()
        penalty.l2_in_gradient, penalty.decay = plain.decay, 0.0
        if taken.error(taken.run(own, penalty)) < _ROUNDING:
            yield f"the weight decay of {plain.decay:g} is added to the gradient, an L2 penalty, where it is decoupled"
    for words, update in bases:
        for how in _HOW:
            try:
                found = taken.run(update, plain, how)
            except KeyError:
                continue  # the rule as configured keeps other slots
            if (words or how.words) and taken.error(found) < _ROUNDING:
                yield " and ".join(part for part in (words, how.words) if part)
    solvable = [name for name in _CONSTANTS if hasattr(plain, name)]
    rate = () if not isinstance(plain.learning_rate, (int, float)) else ("learning_rate",)
    own_base, others = bases[:1], [base for base in bases[1:] if " and " not in base[0]]
    pairs = [("learning_rate", name) for name in solvable if rate]
    singles = [(name,) for name in (*rate, *solvable)]
    # The fewer slips, the likelier: a constant, a slip beside a constant, two constants, a convention beside two
    known = others[: len(conventions)]
    for chosen, with_bases in ((singles, own_base), (singles, others), (pairs, own_base), (pairs, known)):
        for names, (words, update), how in itertools.product(chosen, with_bases, _HOW[:2]):
            try:
                constants = taken.solve(lambda each: taken.run(update, each, how), names)  # noqa: B023
            except (KeyError, ValueError, np.linalg.LinAlgError):
                continue
            if constants is not None:
                parts = [words, how.words, *(_solved(taken.rule, name, getattr(constants, name)) for name in names)]
                yield " and ".join(part for part in parts if part)


def _solved(rule: rules.Optimizer, name: str, value: float) -> str:
    if name == "decay" and rule.weight_decay:
        return f"weight decay {value:.6g} in place of {rule.weight_decay:g}"
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
