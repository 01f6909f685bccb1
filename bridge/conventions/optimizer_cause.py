"""What a course of float64 steps follows in place of its claim: a convention, an option left out, or a slip."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bridge.conventions.optimizer_course import Course
from bridge.conventions.optimizer_forms import Update, forms
from bridge.conventions.optimizer_options import other_options, unclaimed_options
from bridge.conventions.optimizer_slips import optimizer_slips, other_number
from bridge.conventions.optimizers import OPTIMIZER_CONVENTIONS
from core_numpy.contract import Array
from model_spec import optimizers as rules


def explain_course(
    rule: rules.Optimizer,
    start: Mapping[str, Array],
    gradients: Sequence[Mapping[str, Array]],
    course: Sequence[Mapping[str, Array]],
    dtype: str = "float64",
) -> str | None:
    """Name the causes by which a whole course of steps may differ from its claim; None where none fits.

    Args:
        rule: what the steps claim to follow.
        start: parameters in front of the first step.
        gradients: of each step.
        course: parameters after each step.
        dtype: what they were computed in; constants are solved for in float64 alone.
    """
    if all(np.array_equal(after[name], start[name]) for after in course for name in start):
        return (
            "no parameter is changed by a step: a name bound anew (w = w - rate * dw) leaves the array as it was; "
            "write into it (w -= rate * dw), put it back (params[name] = ...) or return it"
        )
    taken = Course(rule, start, gradients, course, dtype)
    # The fewer slips, the likelier
    options = [words for words, other in other_options(rule) if taken.fits(taken.of(other))]
    if found := list(dict.fromkeys([*_one_slip(taken), *options])):
        return ", or ".join(found)
    if found := [words for words, other in unclaimed_options(rule) if taken.fits(taken.of(other))]:
        return ", or ".join(found)
    for (words, one), (more, _) in itertools.combinations(other_options(rule), 2):
        if taken.fits(taken.of(next(both for said, both in other_options(one) if said == more))):
            return f"{words}, and {more}"
    beside = [(words, taken.beside(other)) for words, other in other_options(rule)]
    for words, other in beside:
        if found := _one_slip(other):
            return f"{words}; and {', or '.join(found)}"
    if dtype != "float64":
        return None
    for words, other in (("", taken), *beside):
        if said := optimizer_slips(other, _conventions(other.rule)):
            return f"{words}; and {said}" if words else said
    return None


def _conventions(rule: rules.Optimizer) -> list[tuple[str, Update]]:
    return [(f"{one.name} ({one.who})", one.update) for one in OPTIMIZER_CONVENTIONS if isinstance(rule, one.rule)]


def _one_slip(taken: Course) -> list[str]:
    """Sentences of the conventions, or else slips, that give the course, and of another learning rate that does."""
    found = [words for words, update in _conventions(taken.rule) if taken.is_by(update)]
    rate = _learning_rate(taken)
    if rate or not found:
        # A factor may be a slip of the formula as well as another rate
        found += [words for words, update in forms(taken.rule) if taken.is_by(update)]
    return [*found, rate] if rate else found


def _learning_rate(taken: Course) -> str | None:
    """A sentence about the constant rate that would have made the steps as long as they were, or None."""
    claimed = taken.rule.learning_rate
    if not isinstance(claimed, (int, float)):
        return None  # a schedule
    size = taken.start.size
    expected, first = (row[:size] - taken.start for row in (taken.of(taken.rule), taken.found))
    square = float(np.vdot(expected, expected))
    exact = claimed * float(np.vdot(expected, first)) / square if square else 0.0
    if not exact > 0 or not np.isfinite(exact):
        return None
    for rate in [*(float(f"{exact:.{digits}g}") for digits in (1, 2, 3, 6, 12)), exact]:
        if taken.fits(taken.of(replace(taken.rule, learning_rate=rate))):
            return f"learning rate {other_number(rate, claimed)}"
    return None
