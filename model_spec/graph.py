"""Which values each layer of a network reads: names resolved to positions, in the order the layers are written."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from model_spec.layers.base import LayerSpec, snake_case
from model_spec.layers.ends import InputPart

INPUT, ALWAYS_INPUT = "input", "_input"
"""What a layer calls the network's input; the second name is for networks with a layer that is called "input"."""

Sources = tuple[tuple[int, ...], ...]
"""Of every layer, the positions of the values it reads: 0 is the network's input, k + 1 the output of layer k."""


class Graph(NamedTuple):
    """The layers, each with ``inputs`` in the shortest form, and what they read.

    Attributes:
        layers: those that read the layer before them have ``inputs=None``.
        sources: what each of them reads.
    """

    layers: tuple[LayerSpec, ...]
    sources: Sources


def resolve(model: str, layers: Sequence[LayerSpec]) -> Graph:
    """Find what every layer reads.

    Args:
        model: the model's name, for errors.
        layers: with unique names, in computing order.

    Raises:
        ValueError: a layer that names none or a later one, a number of inputs that a layer cannot take, a layer whose
            output nobody reads.
    """
    positions = dict.fromkeys({ALWAYS_INPUT, input_name(layers)}, 0)
    clean: list[LayerSpec] = []
    sources: list[tuple[int, ...]] = []
    parts = [str(layer.name) for layer in layers if isinstance(layer, InputPart)]
    for at, layer in enumerate(layers):
        if isinstance(layer, InputPart):
            clean.append(dataclasses.replace(layer, inputs=None))
            sources.append((0,))
            positions[str(layer.name)] = at + 1
            continue
        read = (at,) if layer.inputs is None else tuple(_position(model, layer, n, positions, at) for n in layer.inputs)
        if layer.merges and len(read) < 2:
            raise ValueError(
                f"model {model!r}, layer {at} {layer.name!r}: {type(layer).__name__} merges two inputs or more, got "
                f"{len(read)}; name them, such as inputs=({INPUT!r}, 'conv2d')"
            )
        if not layer.merges and len(read) != 1:
            raise ValueError(
                f"model {model!r}, layer {at} {layer.name!r}: {type(layer).__name__} takes one input, got "
                f"{len(read)}: {layer.inputs}; merge them first, by Add or Concatenate"
            )
        if parts and 0 in read:
            raise ValueError(
                f"model {model!r}, layer {at} {layer.name!r} reads {INPUT!r}, and the network has several inputs; "
                f"name one of {', '.join(parts)}"
            )
        clean.append(dataclasses.replace(layer, inputs=None) if read == (at,) and layer.inputs is not None else layer)
        sources.append(read)
        positions[str(layer.name)] = at + 1
    used = {position for read in sources for position in read}
    idle = [str(layer.name) for at, layer in enumerate(layers[:-1]) if at + 1 not in used]
    if idle:
        raise ValueError(
            f"model {model!r}: nobody reads the output of {', '.join(map(repr, idle))}; "
            f"name it in the inputs of a later layer, or leave it out"
        )
    return Graph(tuple(clean), tuple(sources))


def _position(model: str, layer: LayerSpec, name: str, positions: dict[str, int], at: int) -> int:
    if name in positions:
        return positions[name]
    earlier = ", ".join(known for known in positions if known != ALWAYS_INPUT)
    raise ValueError(
        f"model {model!r}, layer {at} {layer.name!r} reads {name!r}, which is no earlier layer; it may read {earlier}"
    )


def input_name(layers: Sequence[LayerSpec]) -> str:
    """What these layers call the network's input."""
    return ALWAYS_INPUT if any(layer.name == INPUT for layer in layers) else INPUT


def connected_to(layers: Sequence[LayerSpec], sources: Sources) -> list[str]:
    """What each layer reads, by name: "conv2d, add"."""
    names = [input_name(layers), *(str(layer.name) for layer in layers)]
    return [", ".join(names[position] for position in read) for read in sources]


def with_inputs_named(layers: Sequence[LayerSpec], sources: Sources) -> list[LayerSpec]:
    """The layers, each with a name and all its inputs named, so that layers can be taken out or put in between."""
    layers = with_unique_names(layers)
    names = [input_name(layers), *(str(layer.name) for layer in layers)]
    return [
        dataclasses.replace(layer, inputs=tuple(names[position] for position in read))
        for layer, read in zip(layers, sources, strict=True)
    ]


def without(layers: Sequence[LayerSpec], name: str) -> list[LayerSpec]:
    """Layers with all their inputs named, without one that has a single input: its readers read that in its place."""
    gone = next(layer for layer in layers if layer.name == name)
    before: str = list(gone.inputs or ())[0]
    return [
        dataclasses.replace(layer, inputs=tuple(before if read == name else read for read in layer.inputs or ()))
        for layer in layers
        if layer is not gone
    ]


def with_unique_names(layers: Sequence[LayerSpec]) -> tuple[LayerSpec, ...]:
    """Give every unnamed layer a Keras-style name; refuse a name that is given twice."""
    taken = Counter(layer.name for layer in layers if layer.name is not None)
    for name, count in taken.items():
        if count > 1:
            raise ValueError(f"layer name {name!r} is used {count} times; give every layer its own name")
    numbers: Counter[str] = Counter()
    named = []
    for layer in layers:
        if layer.name is None:
            base = snake_case(type(layer).__name__)
            name = f"{base}_{numbers[base]}" if numbers[base] else base
            while name in taken:
                numbers[base] += 1
                name = f"{base}_{numbers[base]}"
            taken[name] += 1
            layer = dataclasses.replace(layer, name=name)
        named.append(layer)
    return tuple(named)
