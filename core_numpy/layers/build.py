"""From a specification to from-scratch layers: the steps of a network, linear parts and activations apart."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from core_numpy.contract import Layer
from core_numpy.layers import LAYERS
from core_numpy.layers.activation import Activation
from model_spec import ModelSpec
from model_spec import layers as specs


@dataclass(frozen=True)
class Step:
    """One from-scratch layer in its place.

    Attributes:
        layer: the layer.
        name: name of the specification's layer it belongs to.
        index: position of that layer in the specification.
        is_activation: True for the activation split off from a Dense or Conv2D layer: its input is the
            "preactivation", and it has no variables.
        ends_layer: True where the output of this step is the output of the specification's layer.
    """

    layer: Layer
    name: str
    index: int
    is_activation: bool = False
    ends_layer: bool = True


def lower(spec: ModelSpec) -> tuple[Step, ...]:
    """Return the from-scratch layers of a network; Dense and Conv2D with an activation become two steps.

    Raises:
        ValueError: for a layer this backend does not know, with the list of those it knows.
    """
    steps: list[Step] = []
    for index, layer in enumerate(spec.layers):
        if type(layer) not in LAYERS:
            raise ValueError(
                f"layer {index} {layer.name!r}: core_numpy has no {type(layer).__name__}; "
                f"it has {', '.join(kind.__name__ for kind in LAYERS)}"
            )
        name = str(layer.name)
        activation = getattr(layer, "activation", "linear")
        if isinstance(layer, specs.Activation) or activation == "linear":
            steps.append(Step(LAYERS[type(layer)](layer), name, index))
            continue
        linear = dataclasses.replace(layer, activation="linear")  # type: ignore[call-arg]
        steps.append(Step(LAYERS[type(layer)](linear), name, index, ends_layer=False))
        steps.append(Step(Activation(specs.Activation(activation)), name, index, is_activation=True))
    return tuple(steps)
