"""What foreign code raised, in words: its own line, or how it was called where none of its lines was reached."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_OURS = tuple(f"{(Path(__file__).resolve().parents[2] / name).as_posix()}/" for name in ("bridge", "benchmarks"))
_NUMPYS = f"{Path(np.__file__).resolve().parent.as_posix()}/"


class CallError(TypeError):
    """Foreign code cannot be called with what the judge gives; the message says how it was called."""


def own_frame(error: BaseException) -> traceback.FrameSummary | None:
    """The innermost frame of foreign code: what NumPy raises belongs to the line that called it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [one for one in frames if not one.filename.replace("\\", "/").startswith((*_OURS, _NUMPYS, "<string>"))]
    return own[-1] if own else None


def raised_in_words(error: BaseException) -> str:
    """What was raised and where in the foreign code, without the path of its file."""
    if isinstance(error, CallError):
        return str(error)
    frame = own_frame(error)
    where = "" if frame is None else f" in {frame.name}, line {frame.lineno}"
    return f"raised {type(error).__name__}{where}: {error}"


def call_foreign(
    function: Callable[..., Any], arguments: list[Any], named: dict[str, Any], way: str, advice: str
) -> Any:
    """Call foreign code.

    Args:
        function: the foreign code.
        arguments: its positional arguments.
        named: its keyword arguments.
        way: how one would write the call, such as "backward(dy)".
        advice: what to give where it takes other arguments.

    Raises:
        CallError: it does not take these arguments. Whatever else it raises is raised.
    """
    try:
        return function(*arguments, **named)
    except TypeError as error:
        if isinstance(error, CallError) or own_frame(error) is not None:
            raise
        name = way.partition("(")[0]
        reason = re.sub(rf"^\S*\b{re.escape(name)}\(\) ", "", str(error))
        raise CallError(f"{way} could not be called: {reason}; {advice}") from error
