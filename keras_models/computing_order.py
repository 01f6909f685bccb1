"""The layers of a Keras model in computing order, each with the values it reads, nested models taken apart."""

from __future__ import annotations

from typing import Any, NamedTuple

from keras_models.runtime import keras

Functional = keras.src.models.Functional


class OperationCall(NamedTuple):
    """One call of an operation that is no layer, such as ``x + y``.

    Attributes:
        operation: the ``keras.Operation``.
        node: the call, with its arguments.
    """

    operation: Any
    node: Any

    @property
    def name(self) -> str:
        """The operation's name in the model."""
        return str(self.operation.name)


class Call(NamedTuple):
    """One call of a layer.

    Attributes:
        layer: the layer, or an :class:`OperationCall` in a functional model.
        sources: positions of the values it is called on: 0 is the model's input, k + 1 the output of call k.
    """

    layer: Any
    sources: tuple[int, ...]


def computing_order(model: Any) -> list[Call]:
    """The calls of a built ``keras.Sequential`` or functional model with one input and one output.

    What stands on no way to the output is left out. A branch is followed to its end before the next one begins, in
    the order in which a merge names them.

    Raises:
        ValueError: another kind of model, one that has not been built, several inputs or outputs.
    """
    calls: list[Call] = []
    _unfold(model, 0, calls)
    return calls


def _unfold(model: Any, entry: int, calls: list[Call]) -> int:
    """Add a model's calls, its input being the value at ``entry``; return where its output stands."""
    if type(model) is keras.Sequential:
        if not model.built:
            raise ValueError(f"model {model.name!r} has not been built; call it once, or begin it with keras.Input")
        for layer in model.layers:
            entry = _add(layer, (entry,), calls)
        return entry
    if type(model) is not Functional:
        raise ValueError(
            f"{type(model).__name__} {getattr(model, 'name', '')!r} can compute anything in its call; "
            f"supported are keras.Sequential and functional models (keras.Model(inputs, outputs))"
        )
    for kind, tensors in (("input", model.inputs), ("output", model.outputs)):
        if len(tensors) != 1:
            way = "; take one at a time: keras.Model(model.input, model.outputs[0])" if kind == "output" else ""
            raise ValueError(f"model {model.name!r} has {len(tensors)} {kind}s; supported are models with one{way}")
    found = {id(model.inputs[0]): entry}
    waiting = [model.outputs[0]]
    while waiting:
        tensor = waiting[-1]
        if id(tensor) in found:
            waiting.pop()
            continue
        operation, node_index, _ = tensor._keras_history
        node = operation._inbound_nodes[node_index]
        sources = node.input_tensors
        missing = [source for source in sources if id(source) not in found]
        if missing:
            waiting += reversed(missing)
            continue
        called = operation if isinstance(operation, keras.layers.Layer) else OperationCall(operation, node)
        found[id(tensor)] = _add(called, tuple(found[id(source)] for source in sources), calls)
        waiting.pop()
    return found[id(model.outputs[0])]


def _add(layer: Any, sources: tuple[int, ...], calls: list[Call]) -> int:
    if isinstance(layer, keras.layers.InputLayer):
        return sources[0]
    if isinstance(layer, keras.Model) and len(sources) == 1:
        return _unfold(layer, sources[0], calls)
    calls.append(Call(layer, sources))
    return len(calls)
