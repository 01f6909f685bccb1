"""Coroutines and generators: calling one does none of its work, so its time says nothing."""

from __future__ import annotations

import inspect
from typing import Any

_KINDS = (
    ("a generator", "list(your_function())", inspect.isgeneratorfunction, inspect.isgenerator),
    ("an asynchronous generator", "asyncio.run(its_loop())", inspect.isasyncgenfunction, inspect.isasyncgen),
    ("something to await", "asyncio.run(your_function())", inspect.iscoroutinefunction, inspect.isawaitable),
)
"""(what it is, how to do its work, whether a function gives it, whether a value is one)"""


def need_work_done(name: str, value: Any, *, returned: bool) -> None:
    """Refuse a function that only hands out work to be done, or, where it was called, such work ``returned`` by it.

    Raises:
        ValueError: generators, coroutines and whatever else is awaited.
    """
    for what, run, gives_it, is_it in _KINDS:
        if (is_it if returned else gives_it)(value):
            if inspect.iscoroutine(value):
                value.close()  # Python warns of one that nobody has awaited
            raise ValueError(
                f"{name} must have finished its work when it returns, got {what}, whose work is still to be done; "
                f"give lambda: {run}"
            )
