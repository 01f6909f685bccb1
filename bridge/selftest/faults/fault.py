"""Fault: one mistake people make, with the probe network, the check that must catch it, and whom it must blame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bridge.selftest.faults.change import Change
from core_numpy.contract import Array, Layer
from core_numpy.layers.activation import Activation
from model_spec import TrainingSpec
from model_spec.layers import BatchNormalization

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


def is_layer(*kinds: type[Layer]) -> Callable[[Layer], bool]:
    """True for layers of these kinds."""
    return lambda layer: isinstance(layer, kinds)


def is_activation(name: str) -> Callable[[Layer], bool]:
    """True for this activation."""
    return lambda layer: isinstance(layer, Activation) and layer.spec.activation == name


def has_bias(layer: Layer) -> bool:
    """True for a layer with a bias."""
    return bool(getattr(layer.spec, "use_bias", False))


def scales_and_shifts(layer: Layer) -> bool:
    """True for a batch normalization with gamma and beta."""
    spec = layer.spec
    return isinstance(spec, BatchNormalization) and spec.scale and spec.center


def forward_of(kind: Callable[[Any], Layer]) -> Callable[..., Any]:
    """The forward of another layer of the same specification."""
    return lambda inner, *rest: kind(inner.spec).forward(*rest)


def backward_of(kind: Callable[[Any], Layer]) -> Callable[..., Any]:
    """The backward of another layer of the same specification."""
    return lambda inner, *rest: kind(inner.spec).backward(*rest)
