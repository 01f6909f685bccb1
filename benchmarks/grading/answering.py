"""A submission's own process: it runs the submission and answers the judge's questions about its objects."""

from __future__ import annotations

import copy
import importlib.util
import inspect
import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.grading.confinement import confine
from benchmarks.grading.messages import receive, send

Array = np.ndarray


def names_of(submission: Path) -> dict[str, Any]:
    """Run a submission's file; return its names.

    Raises:
        ValueError: there is no such file.
    """
    if not submission.is_file():
        raise ValueError(f"no file {submission}")
    spec = importlib.util.spec_from_file_location("submission", submission)
    if spec is None or spec.loader is None:
        raise ValueError(f"{submission} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Its own folder first, as Python does for a script
    sys.path.insert(0, str(submission.parent.resolve()))
    sys.modules["submission"] = module
    spec.loader.exec_module(module)
    return vars(module)


class Answers:
    """The objects of a submission under numbers, and what is asked about them."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self._objects: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}
        self._given: list[tuple[Array, Array]] = []

    def refer(self, value: Any) -> dict[str, Any]:
        """What stands for an object: its number, and what the other side has to know without asking."""
        number = self._numbers.setdefault(id(value), len(self._numbers) + 1)
        self._objects.setdefault(number, value)
        if isinstance(value, (np.ndarray, dict, list)):
            return {"number": number}
        plain = inspect.isroutine(value)
        return {
            "number": number,
            "type": type(value).__name__,
            "function": plain,
            "name": str(getattr(value, "__qualname__", "")) if plain else "",
            "calls": _signature(value) if callable(value) else None,
            "has": [
                name for name in ("__array__", "__float__", "__len__", "__getattr__") if hasattr(type(value), name)
            ],
        }

    def find(self, entry: dict[str, Any], value: Any) -> Any:
        """The object with a number; an array of the judge's under a negative one, with its values as they are now."""
        number = entry["ref"]
        if number < 0:
            known = self._objects.get(number)
            if known is None or known.shape != value.shape or known.dtype != value.dtype:
                self._objects[number] = known = value
                self._numbers[id(known)] = number
            else:
                known.flags.writeable = True
                known[...] = value
            known.flags.writeable = entry["writeable"]
        known = self._objects[number]
        if isinstance(known, np.ndarray):
            self._given.append((known, known.copy()))
        return known

    def answer(self, question: list[Any]) -> tuple[Any, ...]:
        """("value", it, arrays among the arguments that were changed), or ("raised", what)."""
        kind, *arguments = question
        given, self._given = self._given, []
        try:
            value = getattr(self, f"_{kind}")(*arguments)
            changed = [(self._numbers[id(one)], one.copy()) for one, kept in given if not _same(one, kept)]
            return "value", value, tuple(changed)
        except BaseException as error:  # whatever it raises belongs to the submission
            return "raised", _described(error)

    def _run(self, submission: str) -> None:
        self.names = names_of(Path(submission))

    def _make(self, expression: str) -> Any:
        made = eval(expression, {"np": np, **self.names})  # the teacher's expression
        if "torch" in sys.modules:
            from bridge.outside.tensors import as_layer

            made = as_layer(made)
        return made

    def _get(self, holder: Any, name: str) -> Any:
        return getattr(holder, name)

    def _set(self, holder: Any, name: str, value: Any) -> None:
        setattr(holder, name, value)

    def _put(self, holder: Any, key: Any, value: Any) -> None:
        holder[key] = value

    def _assign(self, holder: Array, value: Array) -> None:
        holder[...] = value

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return function(*arguments, **named)

    def _copy(self, value: Any) -> Any:
        return copy.deepcopy(value)

    def _vars(self, value: Any) -> dict[str, Any]:
        return dict(vars(value))

    def _dir(self, value: Any) -> list[str]:
        return list(dir(value))

    def _shares(self, first: Array, second: Array) -> bool:
        return bool(np.shares_memory(first, second))

    def _array(self, value: Any) -> Array:
        return np.asarray(value)

    def _float(self, value: Any) -> float:
        return float(value)

    def _length(self, value: Any) -> int:
        return len(value)


def _same(first: Array, second: Array) -> bool:
    return first.shape == second.shape and first.tobytes() == second.tobytes()


def _signature(value: Any) -> list[list[Any]] | None:
    """[name, kind, whether it may be left out] of each parameter, or None where Python does not know."""
    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    return [[one.name, int(one.kind), one.default is not one.empty] for one in found]


def _described(error: BaseException) -> tuple[Any, ...]:
    """(type, its bases, text, exit code, line, function, (line, message) of wrong syntax or None)."""
    frames = traceback.extract_tb(error.__traceback__)
    of_submission = getattr(sys.modules.get("submission"), "__file__", None)
    # What NumPy raises belongs to the line that called it
    own = [frame for frame in frames if frame.filename == of_submission]
    own = own or [frame for frame in frames if frame.filename not in (__file__, "<string>")]
    bases = tuple(one.__name__ for one in type(error).__mro__)
    code = repr(getattr(error, "code", None))[:200]
    syntax = (error.lineno, str(error.msg)[:500]) if isinstance(error, SyntaxError) else None
    return (
        bases[0],
        bases,
        str(error)[:2000],
        code,
        own[-1].lineno if own else None,
        own[-1].name if own else "",
        syntax,
    )


def limit(memory: int, seconds: float) -> None:
    """Let this process take no more memory (MiB) and computing time than this."""
    try:
        import resource

        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + (memory << 20),) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        pass  # a system without limits: the time is watched from outside


def main(descriptor: int) -> None:
    """Answer questions until the judge ends the connection."""
    connection = socket.socket(fileno=descriptor)
    connection.set_inheritable(False)
    answers = Answers()
    memory, seconds = receive(connection, answers.find)
    limit(memory, seconds)
    confine(os.getcwd())
    try:
        while True:
            send(connection, answers.answer(receive(connection, answers.find)), answers.refer)
    except (EOFError, OSError):
        os._exit(0)  # threads of the submission may go on otherwise
