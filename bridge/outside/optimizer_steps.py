"""The steps that an optimizer is tried on, by itself and by its claim, and how far apart they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from bridge.judge.bounds import UNIT_ROUNDOFF
from bridge.lockstep.training import deviation
from core_numpy.contract import Array
from core_numpy.optimizers import OptimizerState
from core_numpy.update_rules import NADAM_PRODUCT_DECAY, NADAM_STEP_DECAY, nadam
from model_spec import optimizers as rules
from model_spec.verdict import largest

Parameters = dict[str, Array]

_WRITES = (
    "it writes into the gradients it is given, so the caller's arrays are changed: write g = rate * g, not g *= rate"
)
_KEEPS = (
    "it keeps the gradients it is given and writes into them in a later step: keep a copy, v[name] = grads[name].copy()"
)


def drawn_steps(
    shapes: dict[str, tuple[int, ...]], steps: int, seed: int, claim: rules.Optimizer
) -> tuple[Parameters, list[Parameters]]:
    """Random parameters, and the gradients of each step."""
    random = np.random.default_rng(seed)
    start = {name: random.standard_normal(shape) for name, shape in shapes.items()}
    gradients = [{name: random.standard_normal(shape) for name, shape in shapes.items()} for _ in range(steps)]
    for step in gradients:
        # An entry whose gradient is always zero: 0 / sqrt(0) is no number without an epsilon
        next(iter(step.values())).flat[0] = 0.0
    limit = claim.clipnorm or claim.global_clipnorm or claim.clipvalue
    if limit:
        # One step that every clip shortens, and one that none does
        for at, size in ((1, 4.0), (2, 1 / 16)):
            gradients[at] = {name: g * (size * limit / np.abs(g).max()) for name, g in gradients[at].items()}
    return start, gradients


def taken(
    take: Callable[[Parameters, Parameters], Parameters],
    start: Parameters,
    gradients: list[Parameters],
    notes: list[str] | None = None,
) -> list[Parameters]:
    """Copies of the parameters after each step; ``notes`` gets what became of the gradients."""
    parameters = {name: value.copy() for name, value in start.items()}
    course, held = [], []
    for step in gradients:
        given = {name: value.copy() for name, value in step.items()}
        parameters = take(parameters, given)
        course.append({name: np.array(value, np.float64) for name, value in parameters.items()})
        held.append((step, given, {name: value.copy() for name, value in given.items()}))
    if notes is not None:
        notes += [_WRITES] * any(not _same(step, behind) for step, _, behind in held)
        notes += [_KEEPS] * any(not _same(behind, given) for _, given, behind in held)
    return course


def _same(first: Parameters, second: Parameters) -> bool:
    return all(np.array_equal(first[name], second[name], equal_nan=True) for name in first)


def distances(
    rule: rules.Optimizer,
    start: Parameters,
    gradients: list[Parameters],
    found: list[Parameters],
    dtype: str = "float64",
    update: Callable[..., None] | None = None,
) -> dict[str, Any]:
    """How far the found course is from a rule's in float64, and the rule's own in a precision from that.

    ``update`` is a step in place of the rule's own.
    """
    right, own = _by_rule(rule, start, gradients, update), _cast(start, dtype)
    fed = [_cast(step, dtype) for step in gradients]
    moved = [_by_rule(rule, own, [_nudged(step) for step in fed], update)]
    if dtype != "float64":
        moved.append(_by_rule(rule, own, fed, update))
    rate = OptimizerState.start(rule, {}).current_learning_rate()
    return {
        "distances": {
            name: [deviation(mine[name], theirs[name], rate) for mine, theirs in zip(found, right, strict=True)]
            for name in start
        },
        "control": [
            largest(deviation(course[at][name], theirs[name], rate) for course in moved for name in start)
            for at, theirs in enumerate(right)
        ],
    }


_CONSTANTS = ("momentum", "rho", "beta_1", "beta_2", "epsilon", "learning_rate")


def rounded(claim: rules.Optimizer) -> Iterator[tuple[str, rules.Optimizer, Callable[..., None] | None]]:
    """The claim with constants rounded to float32, as Keras keeps some, or exact where Keras rounds them.

    Words, a rule, and a step in place of its own: all constants, then each alone.
    """
    if isinstance(claim, rules.Nadam):
        words = f"{NADAM_PRODUCT_DECAY} is exact throughout; Keras rounds it to float32 in the step's own momentum"
        yield f"{words}, {NADAM_STEP_DECAY:.12g}", claim, partial(nadam, decay=NADAM_PRODUCT_DECAY)
    held = {name: getattr(claim, name, None) for name in _CONSTANTS}
    single = {name: float(np.float32(value)) for name, value in held.items() if isinstance(value, float)}
    single = {name: value for name, value in single.items() if value != held[name]}
    for chosen in dict.fromkeys([tuple(single), *((name,) for name in single)]):
        if chosen:
            said = ", ".join(f"{name.replace('_', ' ')} {held[name]:g} to {single[name]:.12g}" for name in chosen)
            yield f"it rounds to float32, as Keras may: {said}", replace(claim, **{n: single[n] for n in chosen}), None


_TOLD, _PROOF = 100, 10
"""By how much a float32 number's last place must exceed float64's rounding to be seen, and in how many entries."""


def computes_in_float32(start: Parameters, found: list[Parameters]) -> str | None:
    """A note where the parameters, or the steps taken from them, are float32 numbers, as no float64 course's are."""
    values = np.concatenate([value.ravel() for step in found for value in step.values()])
    before = np.concatenate([value.ravel() for step in (start, *found[:-1]) for value in step.values()])
    if not np.isfinite(values).all():
        return None
    if _are_float32(values, 0 * values):
        return "fed float64, the optimizer answers in float32"
    if _are_float32(before - values, 4 * UNIT_ROUNDOFF["float64"] * np.maximum(np.abs(before), np.abs(values))):
        return "fed float64, the optimizer computes its steps in float32"
    return None


def keeps_float32(optimizer: Any, start: Parameters) -> str | None:
    """A note where it keeps float32 arrays of a parameter's size, as its moments, or None."""
    sizes, waiting, seen = {value.size for value in start.values()}, [optimizer], set()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, np.ndarray):
            if each.dtype == np.float32 and each.size in sizes:
                return "fed float64, the optimizer keeps arrays of its own in float32"
        elif isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, (list, tuple)):
            waiting += each
        elif not isinstance(each, (type, ModuleType)):
            waiting += [cell.cell_contents for cell in getattr(each, "__closure__", None) or () if _is_filled(cell)]
            waiting += [getattr(each, "__self__", None), getattr(each, "__dict__", None)]
    return None


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # a name that is not bound yet
        return False


def _are_float32(values: Array, rounding: Array) -> bool:
    single = values.astype(np.float32)
    told = np.spacing(np.abs(single)) > _TOLD * rounding
    told &= single != 0
    return bool(told.sum() >= _PROOF and (np.abs(values - single) <= rounding)[told].all())


def _by_rule(
    claim: rules.Optimizer,
    start: Parameters,
    gradients: list[Parameters],
    update: Callable[..., None] | None = None,
) -> list[Parameters]:
    optimizer = OptimizerState.start(claim, start)
    optimizer.update = update

    def take(parameters: Parameters, step: Parameters) -> Parameters:
        optimizer.step(parameters, step)
        return parameters

    return taken(take, start, gradients)


def _cast(parameters: Parameters, dtype: str) -> Parameters:
    return {name: value.astype(dtype) for name, value in parameters.items()}


def _nudged(gradients: Parameters) -> Parameters:
    return {name: np.nextafter(value, np.inf) for name, value in gradients.items()}
