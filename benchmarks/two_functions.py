"""Two functions of somebody's own as arms of a comparison of speed: what cannot be timed is refused."""

from __future__ import annotations

import inspect
from typing import Any

from benchmarks.timing import Arm
from benchmarks.unfinished_work import need_work_done
from model_spec.entries import two_names
from model_spec.names import shown


def two_arms(first: Any, second: Any, names: Any) -> dict[str, Arm]:
    """{name: function} of two functions without arguments.

    Raises:
        ValueError: no such function, a coroutine or generator function, or names that are not two different ones.
    """
    for option, function in (("first", first), ("second", second)):
        _need_function_without_arguments(option, function)
    one, other = two_names("names", names, ("old", "new"))
    if one == other:
        raise ValueError(f"the functions need different names, got {one!r} twice; give names=('old', 'new')")
    return {one: first, other: second}


def _need_function_without_arguments(option: str, function: Any) -> None:
    if not callable(function):
        raise ValueError(
            f"{option} must be a function without arguments, got {shown(function)}; give lambda: your_function(x)"
        )
    need_work_done(option, function, returned=False)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # Python does not know what a built-in takes
    try:
        signature.bind()
    except TypeError as error:
        raise ValueError(
            f"{option} must be a function without arguments, got one that takes {signature} ({error}); "
            f"give lambda: your_function(x)"
        ) from None
