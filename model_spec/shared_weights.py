"""Layers that compute with the weights of an earlier one: which may, and what they have to have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from model_spec.layers.base import LayerSpec
from model_spec.shapes import Shape


def with_shared_weights(model: str, layers: Sequence[LayerSpec]) -> tuple[LayerSpec, ...]:
    """The layers, those with the weights of another one as trainable as that.

    Raises:
        ValueError: weights of a layer that is not earlier, of another kind or with other options.
    """
    owners: dict[str, LayerSpec] = {}
    result = []
    for at, layer in enumerate(layers):
        if layer.weights_of is None:
            owners[str(layer.name)] = layer
        else:
            owner = owners.get(layer.weights_of)
            where = f"model {model!r}, layer {at} {layer.name!r}: weights_of={layer.weights_of!r}"
            if owner is None:
                raise ValueError(f"{where} is no earlier layer with weights of its own")
            own = {"name": owner.name, "inputs": owner.inputs, "weights_of": None, "trainable": owner.trainable}
            if type(owner) is not type(layer) or dataclasses.replace(layer, **own) != owner:
                raise ValueError(
                    f"{where} is {owner.describe()}, this layer {layer.describe()}; layers that share weights are of "
                    f"one kind with the same options"
                )
            layer = dataclasses.replace(layer, trainable=owner.trainable)
        result.append(layer)
    return tuple(result)


def check_shapes_of_shared_weights(model: str, layers: Sequence[LayerSpec], input_shapes: Sequence[Shape]) -> None:
    """See that whoever computes with the weights of another layer needs weights of the same shapes.

    Raises:
        ValueError: other shapes, no weights at all, or statistics that every use would move.
    """
    shapes = {}
    for position, (layer, before) in enumerate(zip(layers, input_shapes, strict=True)):
        moves = layer.trainable and any(name.startswith("moving_") for name in layer.state_shapes(before))
        if layer.weights_of is not None and moves:
            raise ValueError(
                f"model {model!r}, layer {position} {layer.name!r}: the statistics of a {type(layer).__name__} "
                f"that is used twice move once for each use, in an order of Keras' own; freeze "
                f"{layer.weights_of!r} with trainable=False, or give every place one of its own"
            )
        own = layer.parameter_shapes(before) | layer.state_shapes(before)
        shapes[layer.name] = own
        if layer.weights_of is not None and (not own or own != shapes[layer.weights_of]):
            raise ValueError(
                f"model {model!r}, layer {position} {layer.name!r} needs variables {own or 'of no kind'}, "
                f"{layer.weights_of!r} has {shapes[layer.weights_of]}; layers share weights of the same shapes"
            )
