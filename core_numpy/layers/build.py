"""From a specification to from-scratch layers: the steps of a network, linear parts and activations apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core_numpy.contract import Layer
from core_numpy.layers import build_layer
from model_spec import ModelSpec
from model_spec import layers as specs


@dataclass(frozen=True)
class Step:
    """One from-scratch layer in its place.

    Attributes:
        layer: the layer.
        name: name of the specification's layer it belongs to.
        index: position of that layer in the specification.
        sources: positions of the values it reads: 0 is the network's input, k + 1 the output of step k.
        is_activation: True for the activation split off from a Dense or Conv2D layer: its input is the
            "preactivation", and it has no variables.
        ends_layer: True where the output of this step is the output of the specification's layer.
        variables_of: name of the layer whose variables it computes with: its own, or the one it shares them with.
    """

    layer: Layer
    name: str
    index: int
    sources: tuple[int, ...]
    is_activation: bool = False
    ends_layer: bool = True
    variables_of: str = ""

    def __post_init__(self) -> None:
        if not self.variables_of:
            object.__setattr__(self, "variables_of", self.name)

    @property
    def owns_variables(self) -> bool:
        """True where its variables, if it has any, are its own."""
        return not self.is_activation and self.variables_of == self.name

    @property
    def merges(self) -> bool:
        """True where the layer takes a tuple of values, one for each source, and gives a tuple of gradients."""
        return self.layer.spec.merges

    def read(self, values: Sequence[Any]) -> Any:
        """What the layer reads of x and the outputs of all steps: one value, or for a merge a tuple."""
        return tuple(values[at] for at in self.sources) if self.merges else values[self.sources[0]]

    def parts(self, dx: Any) -> tuple[Any, ...]:
        """What the layer gives for each of its sources, going backward."""
        return tuple(dx) if self.merges else (dx,)


def lower(spec: ModelSpec) -> tuple[Step, ...]:
    """Return the from-scratch layers of a network; Dense and Conv2D with an activation become two steps.

    Raises:
        ValueError: for a layer this backend does not know, with the list of those it knows.
    """
    steps: list[Step] = []
    # Where the output of each layer of the specification stands among the values of the steps
    ends = [0]
    for index, layer in enumerate(spec.layers):
        name, sources = str(layer.name), tuple(ends[at] for at in spec.sources[index])
        activation = getattr(layer, "activation", "linear")
        if layer.is_function or activation == "linear":
            steps.append(Step(build_layer(layer), name, index, sources, variables_of=layer.weights_of or name))
        else:
            linear = dataclasses.replace(layer, activation="linear")  # type: ignore[call-arg]
            owner = layer.weights_of or name
            steps.append(Step(build_layer(linear), name, index, sources, ends_layer=False, variables_of=owner))
            split_off = build_layer(specs.Activation(activation) if isinstance(activation, str) else activation)
            steps.append(Step(split_off, name, index, (len(steps),), is_activation=True))
        ends.append(len(steps))
    return tuple(steps)
