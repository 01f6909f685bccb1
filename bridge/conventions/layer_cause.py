"""The search for what is wrong with one layer: a convention or slip that explains all it gave, or two of them."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np

from bridge.conventions import (
    activation_slips,
    layer_normalization_slips,
    normalization_slips,
    precision_slips,
    reshaping_slips,
    variables_and_inputs,
    window_slips,
)
from bridge.conventions.outcome import Change, Given, Outcome, close, distance
from bridge.conventions.relations import Surroundings, relation
from core_numpy.contract import Array

_SINGLE = 3e-5
"""Share of its largest value by which a tensor computed in float32 may differ from another."""

_FAR_BETTER, _AT_MOST = 100.0, 1e-2
"""How many times as near another explanation has to be for this one to be a chance, and what is near anyhow."""

_SINGLES = 10.0
"""How many times that long the slips one by one may take: what is left untried then are the least frequent."""

_ANOTHER = "it computes "
"""How sentences about another function begin: of two of them the second is the whole truth."""

_SECONDS = 1.0
"""What the search for two slips at once may take."""


def causes(
    given: Given,
    found: Outcome,
    tolerance: float,
    before: Given | None = None,
    seconds: float = _SECONDS,
    right_on: Given | None = None,
) -> list[str]:
    """Sentences that explain all that is wrong in ``found``; those for a part of it where nothing explains all.

    Args:
        given: the layer as claimed, with what it was fed.
        found: what a foreign layer gave, by the names of an Outcome; tensors it does not give are left out.
        tolerance: share of a tensor's largest value by which equal ones may differ.
        before: the feed of an earlier call to the same object, or None.
        seconds: what the search for two slips at once may take.
        right_on: another feed, on which the same layer was right: what would be wrong there is not said.

    Returns:
        One sentence where a single slip explains everything, else one for each tensor or slip.
    """
    found = {name: np.asarray(value, np.float64) for name, value in found.items()}
    with np.errstate(all="ignore"):
        truth, exact = given.outcome(), False
        if "y" in found and np.isfinite(found["y"]).all() and (found["y"] == found["y"].astype(np.float32)).all():
            exact, tolerance = tolerance < _SINGLE, max(tolerance, _SINGLE)  # it answers in float32, whatever it is fed
        wrong = _wrong(found, truth, tolerance)
        if not wrong:
            return _single(found, truth) if exact else []
        changes = [
            window_slips.symmetric,
            *variables_and_inputs.conventions(),
            *activation_slips.SLIPS,
            *window_slips.SLIPS,
            *normalization_slips.SLIPS,
            *layer_normalization_slips.SLIPS,
            *reshaping_slips.SLIPS,
            *variables_and_inputs.parameters(),
            *variables_and_inputs.order(),
            *precision_slips.precision(),
        ]
        refuted = set() if right_on is None else _refuted(changes, right_on, tolerance)
        if before is not None:
            # What was right on a first call says nothing of them
            changes += variables_and_inputs.previous(before)
        tried = [
            one
            for one in _outcomes(changes, given, found, time.monotonic() + _SINGLES * seconds)
            if one[0] not in refuted and not _is_the_same(one[2], truth)
        ]
        whole = _nearest(found, tried, tolerance)
        # A factor, a term or an order would have been wrong on the other feed as well; a shape need not
        by_shape = right_on is not None and before is None
        related = _related(given, found, truth, wrong, tolerance, by_shape)
        if not whole and all(words is not None for words in related.values()):
            return _said(related)
        whole = whole or _in_one_direction(found, wrong, tried, tolerance)
        if whole:
            # Two that cannot be told apart on what was fed are both said
            whole = whole[:1] if precision_slips.BOTH in whole[0] else whole
            first, *others = list(dict.fromkeys(whole))[:2]
            return [", or ".join([first, *(other.removeprefix(variables_and_inputs.OTHERS) for other in others)])]
        pair = _pair(changes, tried, refuted, found, wrong, tolerance, seconds, by_shape)
        # Words for what comes later say little while what comes first has none
        said = _said(related) if related[wrong[0]] is not None else []
        return pair or said or _not_finite(found, truth)


def _refuted(changes: list[Change], right_on: Given, tolerance: float) -> set[str]:
    """The sentences of which no change would have been right on the other feed."""
    truth = right_on.outcome()
    tried = [(words, bool(_wrong(gives, truth, tolerance))) for words, _, gives in _outcomes(changes, right_on, truth)]
    return {words for words, wrong in tried if wrong} - {words for words, wrong in tried if not wrong}


def _is_the_same(gives: Outcome, before: Outcome) -> bool:
    """Whether a change changes nothing: it explains nothing."""
    return gives.keys() == before.keys() and not _wrong(gives, before, 1e-13)


def _nearest(found: Outcome, tried: list[tuple[str, Given, Outcome]], tolerance: float) -> list[str]:
    """Changes that explain everything, without those that another one explains far better."""
    fits = [
        (max(distance(value, gives[name]) for name, value in found.items()), words)
        for words, _, gives in tried
        if not _wrong(found, gives, tolerance)
    ]
    nearest = min((far for far, _ in fits), default=0.0)
    return [words for far, words in fits if far <= max(_FAR_BETTER * nearest, _AT_MOST * tolerance)]


def _in_one_direction(
    found: Outcome, wrong: list[str], tried: list[tuple[str, Given, Outcome]], tolerance: float
) -> list[str]:
    """Changes that explain all that is wrong and would change what is right too: one direction alone has them."""
    only = {name: found[name] for name in wrong}
    forward = all(not name.startswith("gradient") for name in wrong)
    backward = all(name.startswith("gradient") for name in wrong)
    where = " (in forward alone)" if forward else " (in backward alone)" if backward else ""
    return [
        words if not forward and words.startswith("backward") else f"{words}{where}"
        for words, _, gives in tried
        if where and not _wrong(only, gives, tolerance)
    ]


def _single(found: Outcome, truth: Outcome) -> list[str]:
    """The tensors that are right to float32, and hold nothing finer, where the truth does."""

    def is_single(value: Array) -> bool:
        return bool((value == value.astype(np.float32)).all())

    names = [name for name, value in found.items() if is_single(value) and not is_single(np.asarray(truth[name]))]
    return [f"{', '.join(names)}: computed in float32, though it is fed float64"] if names else []


def _said(related: dict[str, str | None]) -> list[str]:
    return list(dict.fromkeys(words for words in related.values() if words is not None))


def _not_finite(found: Outcome, truth: Outcome) -> list[str]:
    """The first tensor that holds NaN or infinity where the truth does not."""
    for name, value in found.items():
        bad = ~np.isfinite(value)
        if bad.any() and np.isfinite(truth.get(name, np.full(1, np.nan))).all():
            what = "NaN" if np.isnan(value).any() else "infinity"
            return [
                f"{name} holds {what} in {int(bad.sum())} of {value.size} places where the truth is finite: "
                f"an overflow, a division by zero, or the logarithm of zero"
            ]
    return []


def _wrong(found: Outcome, wanted: Outcome, tolerance: float) -> list[str]:
    """Names of the tensors that are not as wanted."""
    return [name for name, value in found.items() if name not in wanted or not close(value, wanted[name], tolerance)]


def _outcomes(
    changes: Iterable[Change], given: Given, found: Outcome, deadline: float = np.inf
) -> list[tuple[str, Given, Outcome]]:
    tried = []
    for change in changes:
        if time.monotonic() > deadline:
            break
        try:
            changed = change(given, found)
            if changed is not None:
                words, other = changed
                tried.append((words, other, other.outcome()))
        except (ValueError, IndexError, KeyError, TypeError, AttributeError, ArithmeticError, np.linalg.LinAlgError):
            continue  # a slip that this layer, or this feed, cannot have
    return tried


def _related(
    given: Given, found: Outcome, wanted: Outcome, wrong: list[str], tolerance: float, by_shape: bool
) -> dict[str, str | None]:
    """For each wrong tensor, its relation to the right one; ``by_shape`` leaves out those of one shape."""
    return {
        name: relation(name, found[name], wanted[name], tolerance, _surroundings(given, wanted, name))
        if name in wanted and not (by_shape and found[name].shape == wanted[name].shape)
        else None
        for name in wrong
    }


def _surroundings(given: Given, wanted: Outcome, name: str) -> Surroundings:
    terms: dict[str, Array] = {"a constant": np.ones(())}
    vectors: dict[str, Array] = {}
    own = name.removeprefix("gradient of ")
    value = given.params.get(own)
    if name.startswith("gradient of ") and value is not None:
        terms = {
            f"the {own} (an L2 penalty)": value,
            f"the signs of the {own} (an L1 penalty)": np.sign(value),
            **terms,
        }
    if name in ("y", "gradient of x"):
        terms |= {f"the {key}": value for key, value in given.params.items() if value.ndim == 1}
        terms |= {"x": given.x, "the gradient of the output": given.dy, "y": wanted["y"]}
        terms.pop(name, None)
    for key, each in {**given.params, **given.state}.items():
        if each.ndim == 1:
            vectors[f"{key}"] = each
    if "moving_variance" in given.state:
        epsilon = getattr(given.layer.spec, "epsilon", 0.0)
        vectors["the root of the moving variance"] = np.sqrt(given.state["moving_variance"] + epsilon)
    rows = given.x.reshape(-1, given.x.shape[-1])
    vectors["the standard deviation of the batch"] = rows.std(axis=0)
    others = {key: each for key, each in wanted.items() if key != name and each.shape == wanted[name].shape}
    counts, is_sum = variables_and_inputs.cells(given), name not in ("y", "gradient of x")
    return Surroundings(len(given.x), counts, terms, vectors, others, is_sum)


def _pair(
    changes: list[Change],
    tried: list[tuple[str, Given, Outcome]],
    refuted: set[str],
    found: Outcome,
    wrong: list[str],
    tolerance: float,
    seconds: float,
    by_shape: bool,
) -> list[str]:
    """Two slips that together explain everything, or [] where none of the pairs tried in time does."""
    deadline = time.monotonic() + seconds
    # The more a slip leaves right, the likelier it is one of the two
    ranked = sorted(tried, key=lambda each: len(_wrong(found, each[2], tolerance)))
    for words, other, gives in ranked:
        left = _wrong(found, gives, tolerance)
        if len(left) >= len(wrong):
            break
        related = _related(other, found, gives, left, tolerance, by_shape)
        if all(each is not None for each in related.values()):
            return [words, *_said(related)]
    for words, other, first in ranked:
        for change in changes:
            if time.monotonic() > deadline:
                return []
            for second, _, gives in _outcomes([change], other, found):
                if (
                    second != words
                    and second not in refuted
                    and not _is_the_same(gives, first)
                    and not (words.startswith(_ANOTHER) and second.startswith(_ANOTHER))
                    and not _wrong(found, gives, tolerance)
                ):
                    return [words, second]
    return []
