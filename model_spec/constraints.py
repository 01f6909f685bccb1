"""Rules that training keeps a layer's variables to; names, defaults and formulas are Keras' (keras/src/constraints).

A constraint is applied to a variable after every step of the optimizer, not to its first values.
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

from model_spec.code import ShownAsCode
from model_spec.names import shown
from model_spec.validation import positive_real


@dataclass(frozen=True)
class Constraint(ShownAsCode):
    """What a variable is brought to after each training step."""

    def check(self, variable: str, shape: tuple[int, ...]) -> None:
        """ValueError where a variable of this shape does not have the axes the rule works along."""
        axis = getattr(self, "axis", ())
        axes = axis if isinstance(axis, tuple) else (axis,)
        rank = len(shape)
        if any(not -rank <= one < rank for one in axes) or len({one % rank for one in axes}) < len(axes):
            raise ValueError(
                f"{variable}_constraint={self} works along axis {axis}, and the {variable} has shape {shape}; "
                f"name different axes in {-rank}..{rank - 1}"
            )


@dataclass(frozen=True)
class MaxNorm(Constraint):
    """Lengths along ``axis`` are at most ``max_value``: ``w * min(norm, max_value) / (1e-7 + norm)``."""

    max_value: float = 2
    axis: Any = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_value", positive_real("MaxNorm.max_value", self.max_value))
        object.__setattr__(self, "axis", _axis("MaxNorm.axis", self.axis))


@dataclass(frozen=True)
class NonNeg(Constraint):
    """No value below zero: ``max(w, 0)``."""


@dataclass(frozen=True)
class UnitNorm(Constraint):
    """Lengths along ``axis`` are 1: ``w / (1e-7 + norm)``."""

    axis: Any = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "axis", _axis("UnitNorm.axis", self.axis))


CONSTRAINTS: dict[str, type[Constraint]] = {"max_norm": MaxNorm, "non_neg": NonNeg, "unit_norm": UnitNorm}

EPSILON = 1e-7
"""Keras' ``epsilon()``, added to a norm that is divided by."""


def _axis(name: str, value: Any) -> Any:
    """An axis of a variable, or a tuple of several."""
    axes = value if isinstance(value, (tuple, list)) else (value,)
    if not axes or any(isinstance(axis, bool) or not isinstance(axis, numbers.Integral) for axis in axes):
        raise ValueError(f"{name} must be an axis or a tuple of axes, got {shown(value)}")
    return tuple(int(axis) for axis in axes) if isinstance(value, (tuple, list)) else int(value)


def get(identifier: Any) -> Constraint | None:
    """Return the constraint for None, a name such as ``"max_norm"`` or a :class:`Constraint`."""
    if identifier is None or isinstance(identifier, Constraint):
        return identifier
    if isinstance(identifier, str) and identifier in CONSTRAINTS:
        return CONSTRAINTS[identifier]()
    raise ValueError(f"unknown constraint {identifier!r}; use None, {', '.join(CONSTRAINTS)} or an object of them")
