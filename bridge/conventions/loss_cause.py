"""What is wrong with a loss: its scale, an epsilon in the logarithm, a term left out, another gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bridge.conventions.loss_forms import (
    LossFeed,
    LossForm,
    claimed,
    of_all_pairs,
    other_forms,
    solved_forms,
    with_rounded_constants,
)
from bridge.conventions.outcome import close, distance
from bridge.conventions.relations import Surroundings, factor_in_words, is_one, relation
from core_numpy.contract import Array
from core_numpy.ops.softmax import one_hot
from model_spec import losses as rules

_EXACT = 1e-9
"""The tolerance of what is computed in float64."""

_LAST_PLACE, _FURTHER = 2.0**-52, 20
"""Rounding of a mean of a few terms in float64, and how much further off the claim is where an epsilon is named."""


def loss_causes(
    rule: rules.Loss, from_logits: bool, feeds: list[LossFeed], tolerance: float, reduction: str = "mean"
) -> list[str]:
    """Sentences about what a loss and its gradient are, where they are not as claimed.

    Args:
        rule: the claim.
        from_logits: what it was fed.
        feeds: batches of one size, with what was found.
        tolerance: share by which equal values may differ.
        reduction: "mean" or "sum" over the batch, as claimed.
    """
    n = len(feeds[0].outputs)
    scale = 1.0 if reduction == "sum" else 1 / n
    outputs = math.prod(feeds[0].outputs.shape[1:])
    around = Surroundings(
        n, {f"the {outputs} outputs of an example": outputs, f"the {n * outputs} outputs": n * outputs}
    )
    right = claimed(rule, from_logits)
    said = []
    rounded = with_rounded_constants(rule)
    with np.errstate(all="ignore"):
        if rounded is not None and all(feed.value is not None for feed in feeds):
            values = np.array([feed.value for feed in feeds])
            right = min(
                (right, replace(rounded, words="")), key=lambda form: distance(values, _values(form, feeds, scale))
            )
        forms = [right, *solved_forms(rule, from_logits, feeds, scale, tolerance), *other_forms(rule, from_logits)]
        if outputs == 1:
            forms.append(of_all_pairs(rule, from_logits, n))
        if all(feed.value is not None for feed in feeds):
            found = np.array([feed.value for feed in feeds])
            said += _of("the loss", found, forms, lambda form: _values(form, feeds, scale), around, tolerance)
            if said == [""]:
                said = _root(found, _values(right, feeds, scale), tolerance)
        gradients = [feed.gradient for feed in feeds]
        if all(gradient is not None and gradient.shape == feeds[0].outputs.shape for gradient in gradients):
            found = np.concatenate([np.asarray(gradient) for gradient in gradients])
            said += _of("the gradient", found, forms, lambda form: _gradients(form, feeds, scale), around, tolerance)
        elif gradients[0] is not None:
            words = relation("the gradient", gradients[0], _gradients(right, feeds[:1], scale), tolerance, around)
            said += [words or ""]
    return [words for words in said if words]


def is_of_all_pairs(rule: rules.Loss, from_logits: bool, feeds: list[LossFeed], reduction: str = "mean") -> bool:
    """True where a loss of one output an example sets every output against every target; see :func:`loss_causes`."""
    if not feeds or feeds[0].outputs[0].size != 1 or len(feeds[0].outputs) < 2:
        return False
    n = len(feeds[0].outputs)
    found = np.array([np.nan if feed.value is None else feed.value for feed in feeds])
    wanted = _values(of_all_pairs(rule, from_logits, n), feeds, 1.0 if reduction == "sum" else 1 / n)
    return any(close(found, factor * wanted, 1e-6) for factor in (1.0, n, n * n))


def _values(form: LossForm, feeds: list[LossFeed], scale: float) -> Array:
    return np.array([form.value(feed.outputs, feed.targets).sum() * scale for feed in feeds])


def _gradients(form: LossForm, feeds: list[LossFeed], scale: float) -> Array:
    return np.concatenate([form.gradient(feed.outputs, feed.targets) * scale for feed in feeds])


def _of(
    name: str,
    found: Array,
    forms: list[LossForm],
    compute: Callable[[LossForm], Array],
    around: Surroundings,
    tolerance: float,
) -> list[str]:
    """The simplest words: the form itself, a form as another one says it, or either times a constant."""
    if not np.isfinite(found).any():
        return [""]  # whatever gives no number fits it
    wanted = [compute(form) for form in forms]
    if close(found, wanted[0], tolerance):
        at = _nearest(found, wanted) if tolerance <= _EXACT else 0
        return [f"{name}: {forms[at].words}" if at else ""]
    factor = _constant(found, wanted[0], around, tolerance)
    for form, value in zip(forms, wanted, strict=True):
        # A form may come close by chance: a constant that comes closer is the simpler explanation
        if close(found, value, tolerance) and not (
            factor is not None and distance(found, factor * wanted[0]) <= distance(found, value)
        ):
            return [f"{name}: {form.words}"]
    for form, value in zip(forms, wanted, strict=True):
        factor = _constant(found, value, around, tolerance)
        if factor is not None:
            times = f"{name} is {factor_in_words(factor, around)}"
            return [times if not form.words else f"{times}; and {form.words}"]
    words = relation(name, found, wanted[0], tolerance, around)
    return [words or ""]


def _nearest(found: Array, wanted: list[Array]) -> int:
    """Which one it is where several are nearly equal: the first, unless another is nearer by more than rounding."""
    off = [max(distance(found, each), _LAST_PLACE) if close(found, each, 1.0) else np.inf for each in wanted]
    at = int(np.argmin(off))
    return at if off[at] * _FURTHER < off[0] else 0


def _constant(found: Array, value: Array, around: Surroundings, tolerance: float) -> float | None:
    """The factor between two arrays; between single numbers, one that is known."""
    square = float(np.vdot(value, value))
    if not np.isfinite(square) or not square or not np.isfinite(found).all():
        return None
    factor = float(np.vdot(value, found)) / square
    if not factor or is_one(factor) or not close(found, factor * value, tolerance):
        return None
    if found.size == 1:
        known = [around.batch, 2.0, *around.counts.values()]
        if not any(abs(abs(factor) - each) <= tolerance * each for k in known for each in (k, 1 / k)):
            return None
    return factor


def _root(found: Array, right: Array, tolerance: float) -> list[str]:
    return ["the loss is the root of the true value"] if close(found, np.sqrt(right), tolerance) else []


def as_rows(targets: Array, outputs: Array) -> Array:
    """Classes as one-hot rows; rows as they are."""
    return one_hot(targets, outputs.shape[-1], "float64") if targets.ndim < outputs.ndim else targets
