"""Options of an optimizer that an implementation leaves out, or uses though nobody claimed them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from model_spec import optimizers as rules

_CLIPS = {
    "clipnorm": "clipping each gradient to a norm of",
    "global_clipnorm": "clipping all gradients together to a norm of",
    "clipvalue": "clipping by value to",
}
_LIMITS = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Limits that people clip to, and that the gradients of a check exceed."""

_MOMENTA = (0.9, 0.5, 0.8, 0.95, 0.99)


def other_options(rule: rules.Optimizer) -> Iterator[tuple[str, rules.Optimizer]]:
    """(sentence, rule) with one option left out or turned, as a claim may be misread.

    Example:
        >>> [words for words, _ in other_options(rules.SGD(0.1, clipvalue=0.5))]
        ['clipping by value to 0.5 is ignored']
    """
    if rule.weight_decay is not None:
        yield f"the weight decay of {rule.weight_decay:g} is ignored", replace(rule, weight_decay=None)
    for name, words in _CLIPS.items():
        if (limit := getattr(rule, name)) is not None:
            without: dict[str, Any] = {name: None}
            yield f"{words} {limit:g} is ignored", replace(rule, **without)
    for name in ("amsgrad", "centered"):
        if hasattr(rule, name):
            words = f"{name} is ignored" if getattr(rule, name) else f"it uses {name}, which is not claimed"
            yield words, replace(rule, **{name: not getattr(rule, name)})
    if isinstance(rule, rules.SGD) and rule.momentum:
        words = (
            "Nesterov flag ignored (plain momentum)"
            if rule.nesterov
            else "it looks ahead (Nesterov), plain momentum is claimed"
        )
        yield words, replace(rule, nesterov=not rule.nesterov)


def unclaimed_options(rule: rules.Optimizer) -> Iterator[tuple[str, rules.Optimizer]]:
    """(sentence, rule) with an option of a usual value that is not claimed, or claimed as another one."""
    given = {name: limit for name in _CLIPS if (limit := getattr(rule, name)) is not None}
    none: dict[str, Any] = dict.fromkeys(given)
    for name, words in _CLIPS.items():
        if name not in given:
            for limit in given.values() or _LIMITS:
                claimed = "".join(f"{_CLIPS[one]} {limit:g}" for one in given) or "none"
                yield f"{words} {limit:g} where {claimed} is claimed", replace(rule, **{**none, name: limit})
    if isinstance(rule, (rules.SGD, rules.RMSprop)) and not rule.momentum:
        for momentum in _MOMENTA:
            yield f"it has a momentum of {momentum:g}, none is claimed", replace(rule, momentum=momentum)
            if isinstance(rule, rules.SGD):
                yield (
                    f"it has Nesterov's momentum of {momentum:g}, none is claimed",
                    replace(rule, momentum=momentum, nesterov=True),
                )
