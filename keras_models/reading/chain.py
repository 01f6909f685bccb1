"""The layers of a Keras model in the order in which data runs through them, nested models taken apart."""

from __future__ import annotations

from typing import Any

from keras_models.runtime import keras

Functional = keras.src.models.Functional


def chain(model: Any) -> list[Any]:
    """The layers of a built ``keras.Sequential`` or linear functional model, without its input layers.

    Raises:
        ValueError: another kind of model, one that has not been built, branches, several inputs or outputs, a layer
            that is used twice.
    """
    layers = _chain(model)
    seen: set[int] = set()
    for layer in layers:
        if id(layer) in seen:
            raise ValueError(
                f"layer {layer.name!r} is used more than once, and a specification has no shared weights; "
                f"make a layer of its own for every place"
            )
        seen.add(id(layer))
    return layers


def _chain(model: Any) -> list[Any]:
    if type(model) is keras.Sequential:
        if not model.built:
            raise ValueError(f"model {model.name!r} has not been built; call it once, or begin it with keras.Input")
        members = model.layers
    elif type(model) is Functional:
        members = _from_output_to_input(model)
    else:
        raise ValueError(
            f"{type(model).__name__} {getattr(model, 'name', '')!r} can compute anything in its call; "
            f"supported are keras.Sequential and functional models (keras.Model(inputs, outputs))"
        )
    layers = []
    for member in members:
        if isinstance(member, keras.layers.InputLayer):
            continue
        if not isinstance(member, keras.layers.Layer):
            raise ValueError(
                f"operation {member.name!r} ({type(member).__name__}) is no layer; supported are layers, "
                f"so write keras.layers.Activation('relu') in place of keras.ops.relu"
            )
        layers += _chain(member) if isinstance(member, keras.Model) else [member]
    return layers


def _from_output_to_input(model: Any) -> list[Any]:
    """The operations of a functional model, followed back from its only output."""
    for kind, tensors in (("input", model.inputs), ("output", model.outputs)):
        if len(tensors) != 1:
            raise ValueError(f"model {model.name!r} has {len(tensors)} {kind}s; supported are models with one")
    found: list[Any] = []
    tensor = model.outputs[0]
    while tensor is not model.inputs[0]:
        operation, node_index, _ = tensor._keras_history
        sources = operation._inbound_nodes[node_index].input_tensors
        if len(sources) != 1:
            raise ValueError(
                f"layer {operation.name!r} ({type(operation).__name__}) takes {len(sources)} inputs; "
                f"supported are models whose layers stand in a line"
            )
        found.append(operation)
        tensor = sources[0]
    return found[::-1]
