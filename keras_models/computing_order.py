"""The layers of a Keras model in computing order, each with the values it reads, nested models taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, count
from typing import Any, NamedTuple

from keras_models.ends import InputPart, Outputs, keys_of_outputs, named_inputs
from keras_models.layers.training_only import AUGMENTATION
from keras_models.reading.plain_objects import kind_of
from keras_models.runtime import keras
from model_spec.names import printable

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
        number: which call of this layer it is in the model it stands in, in the order in which the model was built.
    """

    layer: Any
    sources: tuple[int, ...]
    number: int = 0


def computing_order(model: Any, input_shapes: Mapping[str, tuple[int, ...]] | None = None) -> list[Call]:
    """The calls of a built ``keras.Sequential`` or functional model.

    What stands on no way to the output is left out. A branch is followed to its end before the next one begins, in
    the order in which a merge names them. Of a model with several inputs, value 0 is the row they make side by side,
    and the first calls take it apart; of one with several outputs, the last call makes a row of them. A size of one of
    several inputs that the model leaves open is that of ``input_shapes``, by names; 1 without them.

    Raises:
        ValueError: another kind of model, one that has not been built, inputs or outputs that are nested, a layer that
            is called with ``training=True``.
    """
    calls: list[Call] = []
    entries = [0]
    if type(model) is Functional and len(model.inputs) > 1:
        entries, start = [], 0
        for name, tensor in named_inputs(model).items():
            shape = input_shapes[name] if input_shapes else tuple(size or 1 for size in tensor.shape[1:])
            part = InputPart(shape, start, name)
            calls.append(Call(part, (0,)))
            entries.append(len(calls))
            start += part.size
    ends = _unfold(model, entries, calls)
    if calls and not set(ends).isdisjoint({0, *entries}):
        place = next(at for at, end in enumerate(ends) if end in {0, *entries})
        raise ValueError(
            f"model {model.name!r}: its output {model.outputs[place]._keras_history.operation.name!r} is one of its "
            f"inputs; supported are outputs of layers"
        )
    if len(ends) > 1 and len(set(ends)) < len(ends) and keys_of_outputs(model) is None:
        place = next(at for at, end in enumerate(ends) if end in ends[:at])
        raise ValueError(
            f"model {model.name!r} gives the output of {calls[ends[place] - 1].layer.name!r} twice; give it once, or "
            f"outputs as a dict with a key for each"
        )
    if len(ends) > 1:
        taken = {call.layer.name for call in calls}
        name = next(name for name in chain(["outputs"], (f"outputs_{at}" for at in count(1))) if name not in taken)
        calls.append(Call(Outputs(keys_of_outputs(model), name), tuple(ends)))
    return calls


def _unfold(model: Any, entries: list[int], calls: list[Call]) -> list[int]:
    """Add a model's calls, its inputs being the values at ``entries``; return where its outputs stand."""
    if type(model) is keras.Sequential:
        if not model.built:
            raise ValueError(f"model {model.name!r} has not been built; call it once, or begin it with keras.Input")
        for layer in model.layers:
            entries = _add(layer, entries, calls)
        return entries
    if type(model) is not Functional:
        raise ValueError(
            f"{type(model).__name__} {getattr(model, 'name', '')!r} can compute anything in its call; "
            f"supported are keras.Sequential and functional models (keras.Model(inputs, outputs))"
        )
    found = {id(tensor): entry for tensor, entry in zip(model.inputs, entries, strict=True)}
    waiting = list(reversed(model.outputs))
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
        if len(node.output_tensors) > 1 and not isinstance(called, keras.Model):
            raise ValueError(
                f"{'layer' if isinstance(operation, keras.layers.Layer) else 'operation'} {operation.name!r} "
                f"({type(operation).__name__}) gives {len(node.output_tensors)} tensors; supported is one"
            )
        if isinstance(operation, keras.layers.Layer):
            check_call(
                f"layer {operation.name!r} ({type(operation).__name__})",
                _told(node.arguments),
                isinstance(operation, AUGMENTATION),
            )
        ends = _add(called, [found[id(source)] for source in sources], calls, node_index)
        found |= {id(output): end for output, end in zip(node.output_tensors, ends, strict=True)}
        waiting.pop()
    return [found[id(output)] for output in model.outputs]


def check_call(layer: str, options: Mapping[str, Any], augments: bool) -> None:
    """Refuse a call of a layer that is told more than its input: it would predict otherwise than the layer alone.

    Args:
        layer: for errors.
        options: of the call, without its inputs.
        augments: whether it is a layer of random augmentation.

    Raises:
        ValueError: names the layer and the option.
    """
    for option, value in options.items():
        # Keras writes the default of augmentation's call down, training=True, and predicts without it all the same
        if not (value is None or (option == "training" and (value is False or augments))):
            raise ValueError(
                f"{layer} is called with {printable(option[:100])}={kind_of(value)}; "
                f"supported are calls on the input alone"
            )


def _told(arguments: Any) -> dict[str, Any]:
    """What a call is told beside tensors and None, by names; by places where it has none."""
    given = {f"argument {at}": value for at, value in enumerate(arguments.args, start=1)} | arguments.kwargs
    leaves = {name: keras.tree.flatten(value) for name, value in given.items()}
    return {
        name: given[name]
        for name, parts in leaves.items()
        if any(part is not None for part in parts) and not any(isinstance(part, keras.KerasTensor) for part in parts)
    }


def _add(layer: Any, sources: list[int], calls: list[Call], number: int = 0) -> list[int]:
    if isinstance(layer, keras.layers.InputLayer):
        return sources
    if isinstance(layer, keras.Model):
        return _unfold(layer, sources, calls)
    calls.append(Call(layer, tuple(sources), number))
    return [len(calls)]
