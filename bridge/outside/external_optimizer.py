"""How an optimizer written elsewhere is called: the styles in which people write them, and which one this is."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from bridge.outside.raised import call_foreign
from core_numpy.contract import Array

Take = Callable[[dict[str, Array], dict[str, Array]], dict[str, Array]]
"""Takes one step: (parameters, gradients) -> parameters after it; those given may be changed in place."""

_CARRIED = ("config", "state", "cache", "opt_state", "slots")
"""What the third argument of a function that hands its slots on is called."""

METHODS = ("update", "step", "apply", "update_params")
"""What the method that takes a step is looked for as, in this order."""

GLUE = """class Adapter:
    def __init__(self, optimizer):
        self.optimizer = optimizer

    def update(self, parameters, gradients):  # {"w": array, "b": array} each; change the arrays in place
        for name in parameters:
            parameters[name][...] = ...  # what your optimizer makes of parameters[name] and gradients[name]"""
"""What a user may paste where no style fits."""


class ExternalOptimizerError(ValueError):
    """An optimizer cannot be called, or gave something that is no parameter."""


def step_of(
    optimizer: Any,
    call: Callable[[Any, dict[str, Array], dict[str, Array]], Any] | None = None,
    turned: bool = False,
) -> Take:
    """How to take one step with an optimizer.

    Args:
        optimizer: an object with one of :data:`METHODS`, whose arguments are dicts, lists or one parameter and its
            gradient; or a function of one parameter and its gradient. What it returns is taken for the new values;
            where it returns nothing, the arrays were changed in place.
        call: a function of (optimizer, parameters, gradients) for everything else.
        turned: gradients come where the names say parameters, and the other way round.

    Raises:
        ExternalOptimizerError: no style fits; the message has the few lines that help.
    """
    if call is not None:
        advice = "it gets (optimizer, parameters, gradients)"

        def called(parameters: dict[str, Array], gradients: dict[str, Array]) -> dict[str, Array]:
            return _new(call_foreign(call, [optimizer, parameters, gradients], {}, "call", advice), parameters)

        return called
    method = next((name for name in METHODS if callable(getattr(optimizer, name, None))), None)
    if method is None and not callable(optimizer):
        raise ExternalOptimizerError(
            f"{type(optimizer).__name__} has none of the methods {', '.join(METHODS)} and is no function; "
            f"give call=, or wrap it:\n{GLUE}"
        )
    take = optimizer if method is None else getattr(optimizer, method)
    parameters = inspect.signature(take).parameters
    names = [name for name, one in parameters.items() if one.default is one.empty]
    held: dict[str, Any] = {}
    carries = method is None and len(parameters) > 2 and list(parameters)[2].lower() in _CARRIED
    names = names[:2] if carries else names
    if len(names) != 2:
        raise ExternalOptimizerError(
            f"{_name(take)}({', '.join(names)}) takes {len(names)} arguments, parameters and gradients were expected; "
            f"give call=lambda optimizer, parameters, gradients: ..., or wrap it:\n{GLUE}"
        )
    gradients_first = turned != any(word in names[0].lower() for word in ("grad", "dw"))

    def taking(one: Any) -> Callable[[Any, Any], Any]:
        step = one if method is None else getattr(one, method)
        step = _carrying(step, held) if carries else step
        return (lambda first, second: step(second, first)) if gradients_first else step

    ways = [_as_dicts, _as_lists, _one_by_one]
    return _in_a_way_that_works(optimizer, taking, ways[::-1] if method is None else ways, held)


def _carrying(step: Callable[..., Any], held: dict[str, Any]) -> Callable[[Any, Any], Any]:
    """A step of (w, dw, config) that returns (new w, config): the config is handed on from step to step."""

    def carried(first: Any, second: Any) -> Any:
        result = step(first, second, held.get("config"))
        if isinstance(result, tuple) and len(result) == 2 and np.shape(result[0]) == np.shape(first):
            held["config"] = result[1]
            return result[0]
        return result

    return carried


def _in_a_way_that_works(
    optimizer: Any,
    taking: Callable[[Any], Callable[[Any, Any], Any]],
    ways: list[Callable[..., Any]],
    held: dict[str, Any],
) -> Take:
    """Hands several parameters over as dicts, as lists or one by one: whichever the optimizer takes.

    It is found out with a copy: a step that fails half-way may have counted already.
    """
    found: list[Callable[..., Any]] = []

    def step(parameters: dict[str, Array], gradients: dict[str, Array]) -> dict[str, Array]:
        if not found:
            found.append(_way(optimizer, taking, ways, parameters, gradients))
            held.clear()  # what the trial left
        result: dict[str, Array] = found[0](taking(optimizer), parameters, gradients)
        return result

    return step


def _way(
    optimizer: Any,
    taking: Callable[[Any], Callable[[Any, Any], Any]],
    ways: list[Callable[..., Any]],
    parameters: dict[str, Array],
    gradients: dict[str, Array],
) -> Callable[..., Any]:
    errors = []
    for way in ways:
        try:
            trial = copy.deepcopy(optimizer)
        except Exception:  # what cannot be copied is tried itself
            trial = optimizer
        try:
            way(taking(trial), copy.deepcopy(parameters), copy.deepcopy(gradients))
        except (TypeError, AttributeError, KeyError, IndexError, ValueError) as error:
            errors.append(error)
        else:
            return way
    raise errors[0]


def _as_dicts(take: Callable[[Any, Any], Any], parameters: dict[str, Array], gradients: dict[str, Array]) -> Any:
    return _new(take(parameters, gradients), parameters)


def _as_lists(take: Callable[[Any, Any], Any], parameters: dict[str, Array], gradients: dict[str, Array]) -> Any:
    names = list(parameters)
    values = [parameters[name] for name in names]
    found = take(values, [gradients[name] for name in names])
    if isinstance(found, (list, tuple)) and len(found) == len(names):
        return _new(dict(zip(names, found, strict=True)), parameters)
    return _new(dict(zip(names, values, strict=True)) if found is None else found, parameters)


def _one_by_one(take: Callable[[Any, Any], Any], parameters: dict[str, Array], gradients: dict[str, Array]) -> Any:
    if len(parameters) > 1:
        raise ExternalOptimizerError(
            "it takes one parameter at a time, and its slots would be shared between several; give one=True"
        )
    return {name: _new({name: take(value, gradients[name])}, parameters)[name] for name, value in parameters.items()}


def _new(found: Any, parameters: dict[str, Array]) -> dict[str, Array]:
    """What a step returned as new parameters; None stands for those that were changed in place."""
    if found is None:
        return parameters
    if not isinstance(found, dict):
        raise ExternalOptimizerError(
            f"a step returned {type(found).__name__}, a dict of parameters or nothing was expected"
        )
    result = {}
    for name, value in parameters.items():
        new = value if found.get(name) is None else np.asarray(found[name])
        if new.shape != value.shape:
            raise ExternalOptimizerError(f"a step made shape {new.shape} of {name!r}, which has {value.shape}")
        result[name] = new
    return result


def _name(take: Any) -> str:
    return str(getattr(take, "__qualname__", type(take).__name__))
