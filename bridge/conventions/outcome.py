"""What one layer gives on one feed, in float64: output, gradients, and the statistics it carries on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from core_numpy.contract import Array, Context, Layer, MaskSources, Variables
from core_numpy.network import Network

Outcome = dict[str, Array]
"""{"y": ..., "gradient of kernel": ..., "gradient of x": ..., "moving_mean": ...}"""


@dataclass(frozen=True)
class Given:
    """A layer and what it is fed.

    Attributes:
        network: the layer as a network: its linear part and, where it has one, its activation.
        params: the layer's parameters by Keras' names.
        state: its moving statistics.
        x: inputs (examples, *input shape).
        dy: cotangent of the output.
        training: the mode.
        masks: the mask that a Dropout drops by.
        x_behind: what backward takes for x; None for x itself.
    """

    network: Network
    params: Variables
    state: Variables
    x: Array
    dy: Array
    training: bool = False
    masks: MaskSources | None = None
    x_behind: Array | None = field(default=None)

    @property
    def layer(self) -> Layer:
        """The first step: a linear part, or the layer itself."""
        return self.network.steps[0].layer

    @property
    def last(self) -> Layer:
        """The last step: the activation where the layer has one."""
        return self.network.steps[-1].layer

    def with_layer(self, layer: Layer, at: int = 0) -> Given:
        """The same with another layer at one step."""
        return replace(self, network=self.network.replace_layer(at, layer))

    def with_last(self, layer: Layer) -> Given:
        """The same with another last step."""
        return self.with_layer(layer, len(self.network.steps) - 1)

    @property
    def into_last(self) -> Array:
        """What the last step gets, (examples, ...)."""
        return self._run(self.x)[0][-2]

    @property
    def last_output(self) -> Array:
        """The output alone."""
        return self._run(self.x)[0][-1]

    def _run(self, x: Array) -> tuple[list[Array], list[object]]:
        values, caches = [x], []
        for at, step in enumerate(self.network.steps):
            own, state = (self.params, self.state) if at == 0 else ({}, {})
            context = Context(self.training, self.masks(step.index) if self.masks else None)
            y, cache = step.layer.forward(own, state, values[-1], context)
            values.append(y)
            caches.append(cache)
        return values, caches

    def outcome(self) -> Outcome:
        """Everything the layer gives; no gradients where it has none."""
        values, caches = self._run(self.x)
        found: Outcome = {"y": values[-1]}
        if self.training:
            found |= dict(self.layer.next_state(self.state, caches[0])) if self.state else {}
        if self.x_behind is not None:
            _, caches = self._run(self.x_behind)
        dy: Array | None = self.dy
        try:
            for at in range(len(caches) - 1, -1, -1):
                own = self.params if at == 0 else {}
                dy, grads = self.network.steps[at].layer.backward(own, caches[at], np.asarray(dy))
        except ValueError:
            return found  # a step has no derivative
        found |= {f"gradient of {name}": value for name, value in grads.items()}
        return found | {"gradient of x": np.asarray(dy)}


def close(found: Array, wanted: Array, tolerance: float) -> bool:
    """True where two arrays are equal up to this share of the larger of them, NaN and infinity in the same places."""
    if found.shape != wanted.shape:
        return False
    finite = np.isfinite(wanted)
    if not np.array_equal(finite, np.isfinite(found)):
        return False
    if not np.array_equal(found[~finite], wanted[~finite], equal_nan=True):
        return False
    scale = float(np.abs(wanted[finite]).max(initial=0))
    return bool((np.abs(found[finite] - wanted[finite]) <= tolerance * scale).all())


def distance(found: Array, wanted: Array) -> float:
    """How far two arrays of one shape are apart, as a share of the largest value; what is not finite is left out."""
    finite = np.isfinite(wanted) & np.isfinite(found)
    scale = float(np.abs(wanted[finite]).max(initial=0)) or 1.0
    return float(np.abs(found[finite] - wanted[finite]).max(initial=0)) / scale


Change = Callable[[Given, Outcome], "tuple[str, Given] | None"]
"""One way to be wrong: the feed under it and its sentence, from a feed and what was found; None where it is none."""
