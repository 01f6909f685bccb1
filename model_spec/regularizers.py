"""Penalties on the size of a layer's variables; names, defaults and formulas are Keras' (keras/src/regularizers).

The course's ``0.5 * lambda * sum(W**2)`` is Keras' ``L2(lambda / 2)``: Keras adds ``l2 * sum(W**2)`` without the half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_spec.code import ShownAsCode
from model_spec.validation import real


@dataclass(frozen=True)
class Regularizer(ShownAsCode):
    """A penalty added to the loss."""


@dataclass(frozen=True)
class L1(Regularizer):
    """Adds ``l1 * sum(abs(w))``; its gradient is ``l1 * sign(w)``."""

    l1: float = 0.01

    def __post_init__(self) -> None:
        object.__setattr__(self, "l1", real("L1.l1", self.l1, minimum=0))


@dataclass(frozen=True)
class L2(Regularizer):
    """Adds ``l2 * sum(w**2)``; its gradient is ``2 * l2 * w``."""

    l2: float = 0.01

    def __post_init__(self) -> None:
        object.__setattr__(self, "l2", real("L2.l2", self.l2, minimum=0))


@dataclass(frozen=True)
class L1L2(Regularizer):
    """The sum of :class:`L1` and :class:`L2`."""

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "l1", real("L1L2.l1", self.l1, minimum=0))
        object.__setattr__(self, "l2", real("L1L2.l2", self.l2, minimum=0))


REGULARIZERS: dict[str, type[Regularizer]] = {"l1": L1, "l2": L2, "l1_l2": L1L2}


def get(identifier: Any) -> Regularizer | None:
    """Return the regularizer for None, a name such as ``"l2"`` or a :class:`Regularizer`."""
    if identifier is None or isinstance(identifier, Regularizer):
        return identifier
    if isinstance(identifier, str) and identifier in REGULARIZERS:
        return REGULARIZERS[identifier]()
    raise ValueError(f"unknown regularizer {identifier!r}; use None, {', '.join(REGULARIZERS)} or an object of them")
