"""The ends of a network with several inputs or outputs: what cuts its row of inputs, and what makes a row of outputs.

All inputs of such a network lie side by side in one row, (examples, sum of sizes), and so do its outputs: everything
between the ends computes one value from one value, as in any other network. ``ModelSpec`` puts these layers in place
from the inputs and outputs that it is given by name, ``model_spec.several`` makes the rows and takes them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from model_spec.layers.base import LayerSpec
from model_spec.names import shown
from model_spec.shapes import Shape, element_count
from model_spec.validation import non_negative_integer
from model_spec.validation import shape as checked_shape


@dataclass(frozen=True)
class InputPart(LayerSpec):
    """One of several inputs of a network: the values from ``start`` on, in its own ``shape``."""

    shape: Shape
    start: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(shape=checked_shape("shape", self.shape), start=non_negative_integer("start", self.start))

    @property
    def size(self) -> int:
        """How many values of a row it takes."""
        return element_count(self.shape)

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1 or self.start + self.size > input_shape[0]:
            raise ValueError(f"values {self.start} to {self.start + self.size} are not all there; give all inputs")
        return self.shape


@dataclass(frozen=True)
class Outputs(LayerSpec):
    """All outputs of a network side by side in one row.

    ``keys`` are what the outputs are called where they are given as a dict, in the order of ``inputs``; None where
    they are given as a list.
    """

    merges: ClassVar[bool] = True

    keys: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.keys is not None:
            self._set(keys=tuple(str(key) for key in self.keys))

    def output_shape(self, input_shape: tuple[Shape, ...]) -> Shape:  # type: ignore[override]
        return (sum(element_count(shape) for shape in input_shape),)


ENDS: dict[str, type[LayerSpec]] = {"InputPart": InputPart, "Outputs": Outputs}
"""Layers that nobody writes: no table of layers has them."""


def input_parts(name: str, shapes: Mapping[str, Any]) -> tuple[InputPart, ...]:
    """The layers that cut each named input out of the row of all of them.

    Raises:
        ValueError: fewer than two, or a shape that is none.
    """
    if len(shapes) < 2:
        raise ValueError(
            f"model {name!r}: input_shape names {len(shapes)} inputs; name two or more, or give the shape of one input"
        )
    parts, start = [], 0
    for key, value in shapes.items():
        parts.append(InputPart(checked_shape(f"input_shape[{key!r}]", value), start, name=key))
        start += parts[-1].size
    return tuple(parts)


def outputs_layer(name: str, outputs: Any) -> Outputs:
    """The layer that makes a row of the outputs, by the names of their layers, or of {key: name of a layer}.

    Raises:
        ValueError: fewer than two, or no names.
    """
    if isinstance(outputs, Mapping):
        # Keras puts the keys of a dict in this order
        keys: Any = tuple(sorted(outputs))
        names = tuple(outputs[key] for key in keys)
    else:
        keys = None
        names = tuple(outputs) if isinstance(outputs, (tuple, list)) else (outputs,)
    twice = sorted({str(one) for one in names if names.count(one) > 1})
    if twice and keys is None:
        raise ValueError(
            f"model {name!r}: outputs name {', '.join(map(repr, twice))} twice; name it once, or give outputs as a "
            f"table with a key for each"
        )
    if len(names) < 2 or not all(isinstance(one, str) for one in names):
        raise ValueError(
            f"model {name!r}: outputs must be the names of two layers or more, or a table of such names, got "
            f"{shown(outputs)}; the only output is the last layer, and needs no name"
        )
    return Outputs(keys, inputs=names)


def is_end(layer: LayerSpec) -> bool:
    """True of the layers that a network with several inputs or outputs has at its ends."""
    return isinstance(layer, (InputPart, Outputs))
