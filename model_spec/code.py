"""Specifications as the code that makes them, without what is at its default: their repr."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any


class ShownAsCode:
    """Gives dataclasses the repr of :func:`code_of`, in place of one that names every field.

    >>> from model_spec import SGD, Dense
    >>> Dense(10, activation="relu"), SGD(momentum=0.9)
    (Dense(10, activation='relu'), SGD(momentum=0.9))
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__repr__" not in vars(cls):
            # In the class itself: the decorator of a dataclass leaves a method that the class has
            cls.__repr__ = ShownAsCode.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return code_of(self)


def code_of(value: Any, without: Collection[str] = ()) -> str:
    """The call that makes this dataclass again, but for the fields in ``without``; those by keyword alone come last."""
    items = sorted(
        (item for item in dataclasses.fields(value) if item.name not in without), key=lambda item: bool(item.kw_only)
    )
    required = {
        item.name: getattr(value, item.name)
        for item in items
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    }
    # Defaults as the class stores them: an object where its argument is a name, strides of the pool size
    given, plain = dict(required), _made(type(value), required)
    for item in items:
        one = getattr(value, item.name)
        if item.name not in required and one != getattr(plain, item.name, item.default):
            given[item.name] = one
            plain = _made(type(value), given) or plain
    shown = [repr(one) if name in required else f"{name}={one!r}" for name, one in given.items()]
    return f"{type(value).__name__}({', '.join(shown)})"


def _made(kind: Any, given: dict[str, Any]) -> Any:
    """The object with these fields; None where it needs further ones."""
    try:
        return kind(**given)
    except ValueError:
        return None
