"""Fault: one mistake people make, with the probe network, the check that must catch it, and whom it must blame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bridge.selftest.faults.change import Change
from core_numpy.contract import Array, Layer
from model_spec import TrainingSpec

COMPARE, TRAINING, COPY = "compare", "training", "copy"
"""The checks: one batch, a few training steps, or weights carried across."""


@dataclass(frozen=True)
class Planted(Change):
    """A change with the small network and data it is tried on.

    Attributes:
        probe: name of that network (see ``bridge.selftest.faults.probes``).
        at: the step of it that is changed; None is the first layer that fits.
        training: a run, where the change is one of training.
        steps: and how many steps of it.
    """

    probe: str = "dense"
    at: int | None = None
    training: TrainingSpec | None = None
    steps: int = 1


@dataclass(frozen=True)
class Fault(Planted):
    """A change that must be caught.

    Attributes:
        copying: for a fault in carrying weights across: what it makes of them on their way.
    """

    copying: Callable[[dict[str, Array]], dict[str, Array]] | None = None

    @property
    def check(self) -> str:
        """Which check must catch it."""
        return COPY if self.copying is not None else TRAINING if self.training is not None else COMPARE


Kind = TypeVar("Kind", bound=Planted)
Function = TypeVar("Function", bound=Callable[..., Any])


class Declarations(Generic[Kind]):
    """Decorators that make a fault, or a right variant, of the function that computes differently.

    Attributes:
        kind: ``Fault`` or ``Variant``.
        entries: what was declared so far, in that order.

    >>> faults = Declarations(Fault)
    >>> loss = faults.of("loss", shows="loss")
    >>> @loss("integer-logits", "logits are cut to integers")
    ... def integer_logits(right):
    ...     return lambda rule, from_logits: lambda z, y: right(rule, from_logits)(z.astype(int).astype(z.dtype), y)
    >>> faults.entries[0].name
    'integer-logits'
    """

    def __init__(self, kind: type[Kind]) -> None:
        self.kind = kind
        self.entries: list[Kind] = []

    def of(
        self, part: str, adapt: Callable[[Any], Any] = lambda function: function, **shared: Any
    ) -> Callable[..., Callable[[Function], Function]]:
        """Return a decorator for changes of one part of a model.

        Args:
            part: the field of :class:`Change` that takes the function: "forward", "backward", "optimizer", ...
            adapt: makes what this field holds of the decorated function.
            shared: values of other fields, for all changes that give no others.

        Returns:
            a function of (name, description, applies, other fields) that gives the decorator of one change.
        """

        def declare(
            name: str, description: str, applies: Callable[[Layer], bool] | None = None, **fields: Any
        ) -> Callable[[Function], Function]:
            given = shared | fields | ({} if applies is None else {"applies": applies})

            def decorate(function: Function) -> Function:
                self.entries.append(self.kind(name, description, **given, **{part: adapt(function)}))
                return function

            return decorate

        return declare
