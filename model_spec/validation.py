"""The checks every specification shares: each returns the clean value or says what came and what was expected."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection
from typing import Any

from model_spec.names import nearest, shown

_LARGEST = 2**63 - 1
"""What an axis, a number of rows or a counter can be on any machine."""


def positive_integer(name: str, value: Any) -> int:
    """Return ``value`` as an int of at least 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {shown(value)}")
    if int(value) > _LARGEST:
        raise ValueError(f"{name} must be an integer that a machine can count to, below 2**63, got {shown(value)}")
    return int(value)


def non_negative_integer(name: str, value: Any) -> int:
    """Return ``value`` as an int of at least 0."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 0:
        raise ValueError(f"{name} must be an integer of at least 0, got {shown(value)}")
    return int(value)


def integer_pair(name: str, value: Any) -> tuple[int, int]:
    """Return ``(height, width)`` from one integer or a pair of integers, each at least 1."""
    if isinstance(value, numbers.Integral):
        value = (value, value)
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(f"{name} must be one integer or a pair (height, width), got {shown(value)}")
    return positive_integer(f"{name}[0]", value[0]), positive_integer(f"{name}[1]", value[1])


def integer_sides(name: str, value: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return ``((top, bottom), (left, right))`` from one integer, (height, width) or four, each at least 0."""
    if isinstance(value, numbers.Integral):
        value = (value, value)
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(
            f"{name} must be an integer, (height, width) or ((top, bottom), (left, right)), got {shown(value)}"
        )
    sides = []
    for axis, side in enumerate(value):
        both = (side, side) if isinstance(side, numbers.Integral) else side
        if not isinstance(both, (tuple, list)) or len(both) != 2:
            raise ValueError(f"{name}[{axis}] must be an integer or a pair (before, after), got {shown(side)}")
        before, after = (non_negative_integer(f"{name}[{axis}]", cells) for cells in both)
        sides.append((before, after))
    return sides[0], sides[1]


def padding_of_windows(value: Any) -> Any:
    """Return "valid", "same" or the four sides of a border for the ``padding`` of a layer with windows."""
    if isinstance(value, str):
        return one_of("padding", value, ("valid", "same"))
    try:
        return integer_sides("padding", value)
    except ValueError as error:
        raise ValueError(f'{error}; "valid" and "same" are taken too') from None


def real(name: str, value: Any, *, minimum: float | None = None, below: float | None = None) -> float:
    """Return ``value`` as a finite float with ``minimum <= value < below``."""
    bounds = []
    if minimum is not None:
        bounds.append(f"at least {minimum:g}")
    if below is not None:
        bounds.append(f"below {below:g}")
    expected = " and ".join(["a finite number", *bounds])
    number = _finite(value)
    if number is None:
        raise ValueError(f"{name} must be {expected}, got {shown(value)}")
    if (minimum is not None and number < minimum) or (below is not None and number >= below):
        raise ValueError(f"{name} must be {expected}, got {shown(value)}")
    return number


def real_or_several(name: str, value: Any) -> float | tuple[float, ...]:
    """Return a finite float, or a tuple of them from a list, a tuple or a NumPy array of one axis."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if not isinstance(value, (tuple, list)):
        return real(name, value)
    if not value:
        raise ValueError(f"{name} must be a finite number or a list of them, got {shown(value)}")
    found = tuple(real(f"{name}[{at}]", one) for at, one in enumerate(value))
    return found[0] if len(found) == 1 else found


def positive_real(name: str, value: Any) -> float:
    """Return ``value`` as a finite float above 0."""
    number = _finite(value)
    if number is None or number <= 0:
        raise ValueError(f"{name} must be a finite number above 0, got {shown(value)}")
    return number


def _finite(value: Any) -> float | None:
    """The number as a float; None where it is no number, not finite, or beyond a float's range."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def boolean(name: str, value: Any) -> bool:
    """Return ``value`` if it is True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {shown(value)}")
    return value


def one_of(name: str, value: Any, allowed: Collection[str]) -> str:
    """Return ``value`` if it is one of the ``allowed`` words."""
    if not isinstance(value, str) or value not in allowed:
        near = nearest(value, allowed) if isinstance(value, str) else ""
        raise ValueError(f"{name} must be one of {', '.join(sorted(allowed))}, got {shown(value)}{near}")
    return str(value)


def shape(name: str, value: Any) -> tuple[int, ...]:
    """Return a shape without its batch axis, as a tuple of integers of at least 1."""
    if isinstance(value, numbers.Integral):
        value = (value,)
    if not isinstance(value, (tuple, list)) or not value:
        raise ValueError(f"{name} must be a tuple such as (28, 28, 1), without the batch axis, got {shown(value)}")
    return tuple(positive_integer(f"{name}[{axis}]", size) for axis, size in enumerate(value))
