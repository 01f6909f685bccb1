"""Slips in optimizers, and constants that are solved for: the course of a few float64 steps says which."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace

import numpy as np

from bridge.conventions.optimizer_course import DECAYS, Course, How
from bridge.conventions.optimizer_forms import Update, forms
from bridge.conventions.outcome import close
from core_numpy.contract import Array
from model_spec import optimizers as rules

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
_WORDS = {
    "l2_in_gradient": "the gradient has {value} times the parameter added, an L2 penalty",
    "decay": "the parameter itself shrinks by rate times {value} of it (decoupled weight decay)",
    "gradient_scale": "the gradient is multiplied by {value}",
}
_EPSILON = ("epsilon",)

_LARGEST_EPSILON, _LEAST_SHARE = 0.1, 1e-9
_LEAST_EPSILON = 1e-11
"""Smaller ones the gradients of a check do not tell apart."""

_EACH = "steps are counted for each parameter, so that all of them count one step several times"
_HOW = (
    How(),
    How("the sign of the gradient is the other way round: it goes uphill", sign=-1.0),
    How("steps are counted from 2", shift=1),
    How(_EACH, for_each=True),
    How(f"{_EACH}, and once more for itself", for_each=True, more=1),
)
"""The first two are also tried together with constants that are solved for."""


def optimizer_slips(taken: Course, conventions: Sequence[tuple[str, Update]]) -> str | None:
    """A sentence about what a course follows that no convention explains, or None.

    Args:
        taken: the course beside its claim.
        conventions: (words, update) of the known conventions for its rule.
    """
    if isinstance(taken.rule, rules.Nadam):
        return None  # its parameters share a slot
    with np.errstate(all="ignore"):
        if not np.isfinite(taken.found[: taken.start.size]).all():
            return _not_finite(taken)
        return next(_sentences(taken, conventions), None)


def _not_finite(taken: Course) -> str:
    """Why the first step holds no number."""
    size = taken.start.size
    first = taken.found[:size]
    from_zero = taken.run(taken.own, taken.constants(), How(shift=-1))[:size]
    if not np.isfinite(from_zero).any() and not np.isfinite(first).any():
        return "steps are counted from 0: the bias correction divides by 1 - beta**0, which is 0"
    for words, update in forms(taken.rule):
        try:
            gives = taken.run(update, taken.constants())[:size]
        except KeyError:
            continue  # the rule as configured keeps other slots
        if close(first, gives, 1e-9):
            return f"{words}: the first step holds NaN or infinity"
    return "the first step holds NaN or infinity: a division by zero, perhaps an epsilon that is left out"


def _decays(taken: Course, bases: Sequence[tuple[str, Update]]) -> Iterator[str]:
    """A weight decay that is claimed as decoupled and times the learning rate, and is otherwise."""
    plain = taken.constants()
    if not plain.decay:
        return
    coupled = f"the weight decay of {plain.decay:g} is added to the gradient, an L2 penalty, where it is decoupled"
    found = [(coupled, {"l2_in_gradient": plain.decay, "decay": 0.0})]
    if isinstance(plain.learning_rate, (int, float)):
        alone = plain.decay / plain.learning_rate
        words = f"weight decay {other_number(alone, plain.decay)}, or it is not multiplied by the learning rate"
        found.append((words, {"decay": alone}))
    for (base, update), (words, changed) in itertools.product(bases, found):
        if taken.is_by(update, SimpleNamespace(**vars(plain) | changed)):
            yield f"{base} and {words}" if base else words
    for (base, update), (words, changed) in itertools.product(bases, found):
        solved = _solved_for(taken, lambda each: taken.run(update, SimpleNamespace(**vars(each) | changed)), _EPSILON)  # noqa: B023
        if solved:
            yield " and ".join(part for part in (base, words, solved) if part)


def _solved_for(taken: Course, run: Callable[[SimpleNamespace], Array], names: tuple[str, ...]) -> str | None:
    """Words for constants with which a step gives the course, or None."""
    if not all(hasattr(taken.rule, name) or name in _WORDS for name in names):
        return None
    try:
        constants = taken.solve(run, names)
    except (KeyError, ValueError, np.linalg.LinAlgError):
        return None
    if constants is None or not all(_is_likely(name, getattr(constants, name), len(names)) for name in names):
        return None
    return " and ".join(_solved(taken.rule, name, getattr(constants, name)) for name in names)


def _sentences(taken: Course, conventions: Sequence[tuple[str, Update]]) -> Iterator[str]:
    own_base, others = [("", taken.own)], [*conventions, *forms(taken.rule)]
    yield from _decays(taken, [*own_base, *conventions])
    plain = taken.constants()
    for (words, update), how in itertools.product([*own_base, *others], _HOW):
        if (words or how.words) and taken.is_by(update, plain, how):
            yield " and ".join(part for part in (words, how.words) if part)
    rate = () if not isinstance(plain.learning_rate, (int, float)) else ("learning_rate",)
    others = [base for base in others if " and " not in base[0]]
    pairs = [("learning_rate", name) for name in _CONSTANTS if rate]
    with_epsilon = [("epsilon", name) for name in ("rho", "beta_1", "beta_2")]
    singles = [(name,) for name in (*rate, *_CONSTANTS)]
    # The fewer slips, the likelier: a constant, a slip beside a constant, two constants, a convention beside two
    known = others[: len(conventions)]
    for chosen, with_bases in (
        (singles, own_base),
        (singles, others),
        (pairs, own_base),
        (with_epsilon, [*own_base, *known]),
        (pairs, known),
    ):
        for names, (words, update), how in itertools.product(chosen, with_bases, _HOW[:2]):
            solved = _solved_for(taken, lambda each: taken.run(update, each, how), names)  # noqa: B023
            # Two signs that cancel are none
            if solved and not (how.sign < 0 and "gradient is multiplied by -" in solved):
                yield " and ".join(part for part in (words, how.words, solved) if part)


def _is_likely(name: str, value: float, of: int) -> bool:
    """False where a rule is bent to that of another optimizer: nothing is forgotten, or an epsilon is all there is."""
    if name in DECAYS:
        return value < 1 - _LEAST_SHARE
    return name != "epsilon" or of == 1 or value < _LARGEST_EPSILON


def _solved(rule: rules.Optimizer, name: str, value: float) -> str:
    if name == "decay" and rule.weight_decay:
        if abs(value) < _LEAST_SHARE * rule.weight_decay:
            return f"the weight decay of {rule.weight_decay:g} is ignored"
        return f"weight decay {other_number(value, rule.weight_decay)}"
    if name in _WORDS:
        return _WORDS[name].format(value=f"{value:.6g}")
    claimed = float(getattr(rule, name))
    epsilon = getattr(rule, "epsilon", 0.0)
    if name == "initial_accumulator_value" and abs(claimed - value - epsilon) < 1e-3 * epsilon:
        return "epsilon is left out"
    if name == "epsilon" and value < _LEAST_EPSILON < claimed:
        return f"epsilon below {_LEAST_EPSILON:g} in place of {claimed:g}"
    label = name.replace("_", " ")
    if abs(value - float(np.float32(claimed))) < 1e-12 * claimed and value != claimed:
        return f"{label} {claimed:g} is rounded to float32, {value:.12g}"
    if name in DECAYS and abs(value - (1 - claimed)) < 1e-7:
        return f"{label} is the other way round: {value:.6g} in place of {claimed:g}"
    return f"{label} {other_number(value, claimed)}"


def other_number(value: float, claimed: float) -> str:
    """A constant beside the one that is claimed, with as many digits as tell them apart.

    >>> other_number(0.8, 0.9), other_number(0.1000000001, 0.1)
    ('0.8 in place of 0.9', '0.1000000001 in place of 0.1')
    """
    digits = next((one for one in (6, 12) if f"{value:.{one}g}" != f"{claimed:.{one}g}"), 17)
    return f"{value:.{digits}g} in place of {claimed:g}"
