"""How a loss written elsewhere is called: its methods, the order of its arguments, the form of its targets."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from bridge.outside.calling import BACKWARD
from bridge.outside.raised import call_foreign
from core_numpy.contract import Array

VALUE = (
    "forward", "loss", "compute_loss", "calculate", "compute", "value", "cost", "get_loss", "fn", "call",
    "forward_pass", "error", "__call__",
)  # fmt: skip
"""What the method that computes the loss is looked for as."""

GRADIENT = (*BACKWARD, "prime", "loss_gradient", "gradient_loss", "dloss", "delta", "loss_prime", "input_grad")
"""What the method that computes its gradient is looked for as."""

GLUE = """class Adapter:
    def forward(self, outputs, targets):  # (n, ...), (n, ...)
        return ...  # the loss, one number

    def backward(self):
        return ...  # its gradient with respect to the outputs, (n, ...)"""
"""What a user may paste where no style fits."""

_TARGET_NAMES = ("target", "true", "label", "real", "gt", "truth", "expected", "actual", "desired")
_OUTPUT_NAMES = ("pred", "hat", "output", "logit", "prob", "score", "input", "x", "z", "a", "p")


class LossCalling:
    """Calls value and gradient of one loss.

    Attributes:
        overwritten: which of "outputs" and "targets" it has written into.
    """

    def __init__(self, loss: Any, call: Callable[..., Any] | None, columns: bool = False) -> None:
        self.loss, self.call, self.columns = loss, call, columns
        self._value: Any = None
        self._gradient: Any = None
        self._pair = False
        self.overwritten: set[str] = set()
        if call is not None:
            return
        if isinstance(loss, (tuple, list)) and len(loss) == 2 and all(callable(one) for one in loss):
            self._value, self._gradient = loss
            return
        plain = inspect.isfunction(loss) or inspect.isbuiltin(loss) or inspect.ismethod(loss)
        names = () if plain else VALUE
        self._value = loss if plain else next((m for n in names if callable(m := getattr(loss, n, None))), None)
        if self._value is None:
            raise ValueError(
                f"{type(loss).__name__} has none of the methods {', '.join(VALUE[:-1])} and is no function; "
                f"give a function of (outputs, targets), a pair (value, gradient), or wrap it:\n{GLUE}"
            )
        self._gradient = None if plain else next((m for n in GRADIENT if callable(m := getattr(loss, n, None))), None)

    def __call__(self, outputs: Array, targets: Array, turned: bool = False) -> tuple[Any, Any]:
        """(value, gradient or None) on one batch; ``overwritten`` says what it has written into.

        With ``turned``, outputs and targets change places.
        """
        if self.columns:
            # (n, outputs) -> (outputs, n)
            value, gradient = self._of(*(np.array(one.T, order="C") for one in (outputs, targets)))
            return value, gradient.T if isinstance(gradient, np.ndarray) and gradient.ndim == 2 else gradient
        return self._of(*((targets, outputs) if turned else (outputs, targets)))

    def _of(self, outputs: Array, targets: Array) -> tuple[Any, Any]:
        given = outputs.copy(), targets.copy()
        if self.call is not None:
            found = call_foreign(self.call, [self.loss, *given], {}, "call", "it gets (loss, outputs, targets)")
            found = found if isinstance(found, tuple) else (found, None)
        else:
            value = self._call(self._value, _ordered(self._value, *given), "outputs, targets")
            found = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
            if found[1] is None and self._gradient is not None:
                given_again = _ordered(self._gradient, outputs.copy(), targets.copy(), behind=True)
                shown = ("", "1.0", "outputs, targets")[len(given_again)]
                gradient = self._call(self._gradient, given_again, shown)
                # Some books leave it in an attribute
                found = value, getattr(self.loss, "dinputs", None) if gradient is None else gradient
        for name, array, kept in zip(("outputs", "targets"), given, (outputs, targets), strict=True):
            if not np.array_equal(array, kept, equal_nan=True):
                self.overwritten.add(name)
        return found

    def _call(self, function: Any, arguments: list[Any], shown: str) -> Any:
        way = f"{getattr(function, '__name__', 'loss')}({shown})"
        return call_foreign(function, arguments, {}, way, "call=function of (loss, outputs, targets)")

    @property
    def names_say(self) -> bool:
        """Whether the names of the arguments say which are the targets."""
        names = [name.lower() for name in _names(self._value)[:2]]
        return any(_says(name, _TARGET_NAMES) or name in ("y", "t", "d") for name in names) and len(names) == 2


def _ordered(method: Any, outputs: Array, targets: Array, behind: bool = False) -> list[Any]:
    """The arguments as the method names them; (outputs, targets) where its names say nothing."""
    try:
        parameters = [one for one in inspect.signature(method).parameters.values() if one.kind < 3]
    except (TypeError, ValueError):
        return [outputs, targets]
    needed = [one for one in parameters if one.default is one.empty and one.kind < 2]
    if behind and len(needed) == 0:
        return []
    if behind and len(needed) == 1:
        return [1.0]
    names = [one.name.lower() for one in (needed if len(needed) >= 2 else parameters)[:2]]
    first_is_target = len(names) == 2 and (
        _says(names[0], _TARGET_NAMES) or (names[0] in ("y", "t", "d") and _says(names[1], _OUTPUT_NAMES))
    )
    pair = [outputs, targets]
    return pair[::-1] if first_is_target else pair


def _names(method: Any) -> list[str]:
    try:
        return [name for name, one in inspect.signature(method).parameters.items() if one.kind < 2]
    except (TypeError, ValueError):
        return []


def _says(name: str, words: tuple[str, ...]) -> bool:
    return any(name == word or (len(word) > 1 and word in name) for word in words)
