"""What a backend knows: the layers and activations that networks for it are drawn of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bridge.judge.layers import LAYERS
from bridge.judge.layers.form import DIFFERENTIABLE, Some
from model_spec import LayerSpec
from model_spec.names import nearest, shown
from model_spec.shapes import Shape

_PLAIN: dict[str, Any] = {"kernel_regularizer": None, "bias_regularizer": None, "trainable": True}
"""Penalties and frozen layers concern training alone."""


@dataclass(frozen=True)
class KnownLayers:
    """The layers and activations that a backend knows; networks for it have no others, no penalties, nothing frozen.

    Attributes:
        layers: classes of ``model_spec``.
        activations: names; all that have a gradient by default.
    """

    layers: frozenset[type[LayerSpec]]
    activations: tuple[str, ...] = DIFFERENTIABLE

    @classmethod
    def of(cls, layers: Iterable[Any] | None, activations: Iterable[str] | None) -> KnownLayers:
        """From what a user gives; None is all that can be drawn.

        Raises:
            ValueError: a layer or an activation that is not drawn.
        """
        names = {kind.__name__: kind for kind in LAYERS}
        if isinstance(layers, (str, type)):
            layers = (layers,)
        if isinstance(activations, str):
            activations = (activations,)
        kinds: list[Any] = [
            names.get(one, one) if isinstance(one, str) else one for one in (LAYERS if layers is None else layers)
        ]
        for kind in kinds:
            if not isinstance(kind, type) or kind not in LAYERS:
                near = nearest(kind, names) if isinstance(kind, str) else ""
                raise ValueError(
                    f"layers must be classes of model_spec, such as (Dense, Flatten), got {shown(kind)}{near}"
                )
        known = DIFFERENTIABLE if activations is None else tuple(activations)
        for name in known:
            if name not in DIFFERENTIABLE:
                raise ValueError(
                    f"unknown activation {shown(name)}{nearest(name, DIFFERENTIABLE)}; networks are drawn with "
                    f"{', '.join(DIFFERENTIABLE)}"
                )
        if not kinds or not known:
            raise ValueError("layers and activations need one entry at least; leave them out for all there are")
        if all(kind.merges for kind in kinds):
            raise ValueError("layers has nothing but merges, which need something to merge; add a Dense or a Conv2D")
        return cls(frozenset(kinds), known)

    def fitted(self, some: Some, layer: LayerSpec, shape: Shape) -> LayerSpec:
        """The layer as drawn for this input shape, with a known activation and nothing that concerns training alone."""
        fields = {item.name for item in dataclasses.fields(layer)}
        layer = dataclasses.replace(layer, **{name: value for name, value in _PLAIN.items() if name in fields})
        activation = getattr(layer, "activation", "linear")
        if isinstance(activation, str) and activation in self.activations or "activation" not in fields:
            return layer
        size = layer.output_shape(shape)[-1]
        # A softmax of a single value is constant
        names = [name for name in self.activations if "softmax" not in name or size > 1]
        chosen: dict[str, Any] = {"activation": some.of(names or self.activations)}
        return dataclasses.replace(layer, **chosen)
