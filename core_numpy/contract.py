"""The contract every layer keeps: hyper-parameters in the object, everything else in arguments and results.

A layer is a frozen dataclass around its specification. Parameters, state, cache and gradients travel through the
signatures, so nothing depends on which call came last, and two threads can work on two shards of one batch.

    params    {"kernel": array, ...}    what training changes; never written by a layer
    state     {"moving_mean": array}    carried along without a gradient; never written by a layer
    cache     plain data, documented    what forward leaves for backward: one value, or a NamedTuple of the layer's file
    dy        shape of y                the cotangent: gradient of the loss with respect to the layer's output
    context   Context                   training flag and source of dropout masks
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from model_spec.layers import LayerSpec
from model_spec.shapes import Shape

Array = np.ndarray
Variables = Mapping[str, Array]
Seeds = Callable[[str], int]
"""Gives the seed of one layer for the first values of a variable, by its name."""


class MaskSource(Protocol):
    """Where one call of one Dropout layer gets its mask."""

    def keep_mask(self, shape: tuple[int, ...], rate: float, dtype: np.dtype, start: int = 0) -> Array:
        """A boolean array, True where a value is kept; False with probability ``rate``.

        ``start`` is the first example: a part of a batch gets its part of the batch's mask.
        """


MaskSources = Callable[[int], MaskSource]
"""Gives the mask source of the layer at a position of the specification."""


class Context(NamedTuple):
    """What a forward pass needs besides numbers: whether it is training, and the source of this layer's mask."""

    training: bool = False
    masks: MaskSource | None = None


@dataclass(frozen=True)
class Layer:
    """The base of all layers; the defaults suit a layer without variables."""

    spec: LayerSpec

    @property
    def couples_examples(self) -> bool:
        """True where, in training, one example's output depends on the others."""
        return False

    def build(self, input_shape: Shape, seeds: Seeds, dtype: np.dtype) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return first values (params, state) for this input shape (without the batch axis), as the spec says."""
        shapes = self.spec.parameter_shapes(input_shape), self.spec.state_shapes(input_shape)
        if not any(shapes):
            return {}, {}
        from core_numpy.initializers import initialize  # a layer that is loaded draws nothing

        rules = self.spec.initializers()
        params, state = (
            {name: initialize(rules[name], shape, seeds(name), dtype) for name, shape in own.items()} for own in shapes
        )
        return params, state

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        """Return (y, cache) for a batch x of shape (examples, *input_shape). Writes nothing it was given."""
        raise TypeError(f"{type(self).__name__} has no forward; a layer must define it")

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        """Return (dx, grads), grads with the keys of params; dx is None where it is not needed. Writes nothing."""
        raise TypeError(f"{type(self).__name__} has no backward; a layer must define it")

    def next_state(self, state: Variables, cache: Any) -> Variables:
        """Return the state after this training batch."""
        return state
