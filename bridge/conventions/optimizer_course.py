"""A course of steps that somebody took, and the search for a rule and constants that take it too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import SimpleNamespace

import numpy as np

from bridge.conventions.optimizer_forms import Update
from core_numpy.contract import Array
from core_numpy.optimizers import OptimizerState, clipped
from core_numpy.schedules import learning_rate_at
from core_numpy.update_rules import UPDATE_RULES
from model_spec import optimizers as rules

_ROUNDING = 1e-11
"""Of the largest step: what rounding may add up to in a few steps, and less than what two places of an epsilon, or an
epsilon that is solved for in another place, differ by."""

DECAYS = ("momentum", "rho", "beta_1", "beta_2")
"""Constants that are shares of the past."""

_START = {"l2_in_gradient": 0.0, "decay": 0.0, "gradient_scale": 1.0}

_STALLED, _LATELY = 0.5, 5
"""A search that has not halved its error in so many steps has no aim."""


@dataclass(frozen=True)
class How:
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


class Course:
    """Steps that somebody took, beside the rule that they should follow; its clips are applied to the gradients.

    Attributes:
        rule: the claim.
        start: parameters in front of the first step, in one row.
        gradients: of each step, clipped as the rule asks, in one row each.
        found: parameters after each step, in one row.
        own: the rule's own step.
        dtype: what the steps were computed in.
    """

    def __init__(
        self,
        rule: rules.Optimizer,
        start: Mapping[str, Array],
        gradients: Sequence[Mapping[str, Array]],
        course: Sequence[Mapping[str, Array]],
        dtype: str = "float64",
    ) -> None:
        self.rule, self.own = rule, UPDATE_RULES[type(rule)].update
        self._given, self.dtype = (start, gradients, course), dtype
        # One row for all parameters: the rules work value by value
        self.start = np.concatenate([value.ravel() for value in start.values()])
        kept = [clipped(rule, dict(step)) for step in gradients]
        self.gradients = [np.concatenate([step[name].ravel() for name in start]) for step in kept]
        self.found = np.concatenate([step[name].ravel() for step in course for name in start])
        ends = np.cumsum([value.size for value in start.values()])
        self.parts = [slice(end - value.size, end) for end, value in zip(ends, start.values(), strict=True)]
        moved = np.diff(np.concatenate([self.start[None], self.found.reshape(len(course), -1)]), axis=0)
        self.scale = float(np.abs(moved).max()) or 1.0
        rounding = _ROUNDING
        if dtype != "float64":
            # It is a parameter's last place that may be lost, not a step's
            rounding = 2.0**-20 * float(np.abs(self.found).max()) / self.scale
        self._tolerance = min(rounding, self.error(self.of(rule)) / 1000)

    def beside(self, rule: rules.Optimizer) -> Course:
        """The same steps beside another rule."""
        return Course(rule, *self._given, self.dtype)

    def of(self, rule: rules.Optimizer) -> Array:
        """Parameters after each step by a rule as it is, with all its options, in one row."""
        start, gradients, _ = self._given
        state, values = OptimizerState.start(rule, dict(start)), {name: w.copy() for name, w in start.items()}
        rows = []
        for step in gradients:
            with np.errstate(all="ignore"):
                state.step(values, dict(step))
            rows += [values[name].ravel().copy() for name in start]
        return np.concatenate(rows)

    def run(self, update: Update, constants: SimpleNamespace, how: How | None = None) -> Array:
        """Parameters after each step by another step, in one row."""
        how = how or How()
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

    def is_by(self, update: Update, constants: SimpleNamespace | None = None, how: How | None = None) -> bool:
        """True where this step gives the course, and the claim does not."""
        try:
            with np.errstate(all="ignore"):
                return self.fits(self.run(update, constants or self.constants(), how))
        except KeyError:
            return False  # the rule as configured keeps other slots

    def fits(self, found: Array) -> bool:
        """True where the course is this one up to rounding, and a thousand times nearer to it than to the claim's."""
        return self.error(found) < self._tolerance

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
        starts = [claimed, 0.5, 0.99, 0.999, 0.1] if last in DECAYS else [claimed]
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
            if errors[-1] < self._tolerance / 100:
                break
            if len(errors) > _LATELY and errors[-1] > _STALLED * errors[-1 - _LATELY]:
                break
            slopes = []
            for name, value in zip(names, values, strict=True):
                # A millionth of an epsilon is lost in the rounding of a parameter
                by = 1e-2 * self.rule.epsilon if name == "epsilon" else 1e-6 * max(abs(value), 1e-3)  # type: ignore[attr-defined]
                setattr(constants, name, np.float64(value + by))
                with np.errstate(all="ignore"):
                    slopes.append((run(constants) - here) / by)
                setattr(constants, name, np.float64(value))
            if not np.isfinite(slopes).all():
                return None
            change = np.linalg.lstsq(np.stack(slopes, axis=1), self.found - here, rcond=None)[0]
            if not np.isfinite(change).all():
                return None
            # A step beyond 0 is too long for an epsilon: behind it the root holds no number
            beyond = np.array([name == "epsilon" for name in names]) & (values + change <= 0)
            values = np.where(beyond, values / 10, values + change)
        return self._rounded(run, names, constants) if self.fits(run(constants)) else None

    def _rounded(
        self, run: Callable[[SimpleNamespace], Array], names: tuple[str, ...], constants: SimpleNamespace
    ) -> SimpleNamespace:
        """Each constant with the fewest digits that fit as well: the others are the search's, not the optimizer's."""
        for name in names:
            exact = getattr(constants, name)
            for digits in range(1, 13):
                setattr(constants, name, np.float64(f"{exact:.{digits}g}"))
                if self.fits(run(constants)):
                    break
            else:
                setattr(constants, name, exact)
        return constants
