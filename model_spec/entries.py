"""Options that hold entries under names, functions or two names: what is unknown is refused, never left unused."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from model_spec.names import nearest, shown


def known_entries(option: str, value: Any, known: Collection[str], owner: str = "") -> dict[str, Any]:
    """Return the entries of a dict whose keys are all known; None stands for no entries.

    Args:
        option: what the argument is called.
        value: a dict or None.
        known: keys it may have.
        owner: whose keys these are, such as "Dense(5)", for the message.

    Raises:
        ValueError: it is no dict, or a key is unknown; says which one may be meant.

    Examples:
        >>> known_entries("call", {"fwd": print}, ("forward", "backward"))
        Traceback (most recent call last):
            ...
        ValueError: call has an unknown entry 'fwd' (did you mean 'forward'?); it may have 'forward', 'backward'
    """
    if value is None:
        return {}
    listed = ", ".join(map(repr, known)) or "none"
    if not isinstance(value, Mapping):
        raise ValueError(f"{option} must be a dict, got {shown(value)}; its keys may be {listed}")
    for key in value:
        if key not in known:
            whose = f" of {owner}" if owner else ""
            raise ValueError(
                f"{option}{whose} has an unknown entry {shown(key)}{nearest(key, known)}; it may have {listed}"
            )
    return dict(value)


def function_or_none(option: str, value: Any, arguments: str) -> Callable[..., Any] | None:
    """Return a function, or None; ``arguments`` are those it is called with, such as "(layer, dy)"."""
    if value is not None and not callable(value):
        raise ValueError(f"{option} must be a function of {arguments}, got {shown(value)}")
    found: Callable[..., Any] | None = value
    return found


def two_names(option: str, value: Any, example: tuple[str, str]) -> tuple[str, str]:
    """Return two names."""
    is_pair = (
        isinstance(value, (tuple, list)) and len(value) == 2 and all(isinstance(one, str) and one for one in value)
    )
    if not is_pair:
        raise ValueError(f"{option} must be two names, such as {option}={example}, got {shown(value)}")
    return value[0], value[1]
