"""Objects of another process as objects of this one: attributes, calls and copies are asked for there."""

from __future__ import annotations

import builtins
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Array = np.ndarray


class Asks(Protocol):
    """Asks the process in which the objects are.

    Attributes:
        changes: how often something was asked that may change objects.
    """

    changes: int

    def ask(self, *question: Any) -> Any:
        """The answer to a question."""


class StandIn:
    """An object that is in another process; the class of each has the name of that object's."""

    __slots__ = ("_asks", "_known")
    _asks: Asks
    _known: tuple[int, frozenset[str] | None]

    def __init__(self, asks: Asks, makes_names: bool) -> None:
        object.__setattr__(self, "_asks", asks)
        object.__setattr__(self, "_known", (-1 if not makes_names else sys.maxsize, None))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        if self._known[0] < self._asks.changes:
            # Most names that are looked for are not there: one question for all of them
            object.__setattr__(self, "_known", (self._asks.changes, frozenset(map(str, self.__dir__()))))
        if self._known[1] is not None and name not in self._known[1]:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self._asks.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._asks.ask("set", self, name, value)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        try:
            found: dict[str, Any] = self._asks.ask("vars", self)
        except TypeError as error:
            raise AttributeError(str(error)) from None  # it has slots alone
        return found

    def __dir__(self) -> list[str]:
        found: list[str] = self._asks.ask("dir", self)
        return found

    def __deepcopy__(self, memo: Any) -> Any:
        return self._asks.ask("copy", self)


class HeldArray(np.ndarray):
    """An array that an object of another process holds: what is written into it is written there too."""

    _asks: Asks | None = None

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        if self._asks is not None:
            self._asks.ask("assign", self, np.array(self))

    def __array_function__(self, function: Any, types: Any, arguments: Any, named: Any) -> Any:
        if function is np.shares_memory and all(getattr(one, "_asks", None) for one in arguments):
            return self._asks.ask("shares", *arguments)  # type: ignore[union-attr]
        return super().__array_function__(function, types, arguments, named)


class HeldDict(dict[Any, Any]):
    """A dict that is in another process: what is put into it is put there too."""

    asks: Asks | None = None

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        if self.asks is not None:
            self.asks.ask("put", self, key, value)


class HeldList(list[Any]):
    """A list that is in another process: what is put into it is put there too."""

    asks: Asks | None = None

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        if self.asks is not None:
            self.asks.ask("put", self, key, value)


def stand_in(asks: Asks, about: dict[str, Any]) -> Any:
    """What stands for an object, by what its own process says of it."""
    if about["function"]:
        return _function(asks, about)
    members: dict[str, Any] = {"__slots__": ()}
    if about["calls"] is not None:

        def call(self: Any, *arguments: Any, **named: Any) -> Any:
            return asks.ask("call", self, arguments, named)

        call.__signature__ = _signature([["self", 0, False], *about["calls"]])  # type: ignore[attr-defined]
        members["__call__"] = call
    if "__array__" in about["has"]:

        def array(self: Any, dtype: Any = None, copy: Any = None) -> Array:
            return np.asarray(asks.ask("array", self), dtype)

        members["__array__"] = array
    if "__float__" in about["has"]:
        members["__float__"] = lambda self: float(asks.ask("float", self))
    if "__len__" in about["has"]:
        members["__len__"] = lambda self: int(asks.ask("length", self))
    return type(_word(about["type"]), (StandIn,), members)(asks, "__getattr__" in about["has"])


def _function(asks: Asks, about: dict[str, Any]) -> Callable[..., Any]:
    def function(*arguments: Any, **named: Any) -> Any:
        return asks.ask("call", function, arguments, named)

    function.__qualname__ = str(about["name"])[:200]
    function.__name__ = _word(about["name"].rpartition(".")[2])
    if about["calls"] is not None:
        function.__signature__ = _signature(about["calls"])  # type: ignore[attr-defined]
    return function


def _signature(parameters: list[list[Any]]) -> inspect.Signature:
    kinds = list(inspect._ParameterKind)
    return inspect.Signature(
        [
            inspect.Parameter(name, kinds[kind], default=None if optional else inspect.Parameter.empty)
            for name, kind, optional in parameters
        ],
        __validate_parameters__=False,
    )


def _word(text: Any) -> str:
    """A name as Python has them, and no longer than one."""
    return re.sub(r"\W", "_", str(text))[:100] or "unnamed"


@dataclass(frozen=True)
class Raised:
    """What another process says it raised; none of it is to be trusted."""

    type: str
    bases: tuple[str, ...]
    text: str
    code: str
    line: int | None
    function: str
    syntax: tuple[int | None, str] | None

    @classmethod
    def of(cls, about: tuple[Any, ...]) -> Raised:
        """Checked, and no longer than it may be."""
        kind, bases, text, code, line, function, syntax = about
        line = None if line is None else min(max(int(line), 1), 10**6)
        at = None if syntax is None else (None if syntax[0] is None else int(syntax[0]), str(syntax[1])[:500])
        return cls(
            _word(kind), tuple(map(str, bases)), str(text)[:2000], str(code)[:200], line, str(function)[:100], at
        )

    def error(self) -> Exception:
        """An exception of the same kind and name, with the line it was raised in."""
        text, base = self.text, Exception
        for kind in self.bases:
            known = getattr(builtins, kind, None)
            if isinstance(known, type) and issubclass(known, Exception) and not issubclass(known, UnicodeError):
                base = known
                break
        error = type(self.type, (base,), {"__str__": lambda self: text})()
        if isinstance(error, SyntaxError) and self.syntax is not None:
            error.lineno, error.msg = self.syntax
            return error
        if self.line is None:
            return error
        # A frame of that function and line, for whoever looks at where it was raised
        code = compile("\n" * (self.line - 1) + "raise error", "submission", "exec")
        try:
            exec(code.replace(co_name=self.function), {"error": error})
        except Exception as found:
            return found
        return error
