"""Calls of a configuration: what each call of a layer reads, and which call of a layer an entry means."""

from __future__ import annotations

from typing import Any, NamedTuple

from keras_models.computing_order import check_call
from keras_models.layers.merging import MERGES
from keras_models.reading.operation_entries import TENSOR_ENTRY
from keras_models.reading.plain_objects import LONGEST_LIST, Entry, as_table, as_text, kind_of, only_keys, refuse
from keras_models.runtime import keras
from model_spec.names import shown

CallKey = tuple[str, int]
"""(name of a layer, number of its call, from 0)."""

MERGE_NAMES = frozenset(kind.__name__ for kind in MERGES)

_SEQUENTIAL, _FUNCTIONAL = keras.Sequential.__name__, keras.src.models.Functional.__name__


class Sources(NamedTuple):
    """One call.

    Attributes:
        parts: what it reads, [(name, number of the call as the file has it), ...].
        options: of the call itself.
        of_keras_2: whether it is written as Keras 2 writes calls.
    """

    parts: list[tuple[str, int]]
    options: Entry
    of_keras_2: bool = False


class CanonicalSources(NamedTuple):
    """One call, and the calls that it reads."""

    parts: list[CallKey]
    options: Entry


class CallNumbers:
    """Which call an entry of a functional model means.

    Keras counts the calls of a layer from 0; where a model is called inside, the outputs of the whole model count its
    calls from 1 (``keras/src/models/functional.py``). Keras 2 did so everywhere.

    Args:
        where: the model, for errors.
        kinds: {name: class} of all members.
        called: {name: its calls} of all members that have any.
    """

    def __init__(self, where: str, kinds: dict[str, str], called: dict[str, list[Sources]]) -> None:
        self.where, self.kinds, self.called = where, kinds, called

    def sources(self) -> dict[CallKey, CanonicalSources]:
        """What every call reads."""
        return {
            (name, number): CanonicalSources([self._source(part, call.of_keras_2) for part in call.parts], call.options)
            for name, calls in self.called.items()
            for number, call in enumerate(calls)
        }

    def calls_of(self, name: str) -> set[CallKey]:
        """All calls of a member; of an input layer the one that it is itself."""
        return {(name, number) for number in range(max(1, len(self.called.get(name, ()))))}

    def _source(self, part: tuple[str, int], of_keras_2: bool) -> CallKey:
        name, number = part
        if of_keras_2 and self._count(name) > 1 and self.kinds[name] in (_SEQUENTIAL, _FUNCTIONAL):
            refuse(
                f"{self.where}: model {shown(name)} is called more than once, in a file of Keras 2; "
                f"load it with Keras 3 and save it again"
            )
        return self._checked(name, number, number)

    def at_output(self, name: str, number: int) -> CallKey:
        """The call that gives an output of the model."""
        return self._checked(name, number, number - (self._count(name) > 1 and self.kinds[name] == _FUNCTIONAL))

    def _checked(self, name: str, written: int, number: int) -> CallKey:
        count = self._count(name)
        if count == 1 and written in (0, 1):
            # Keras 2 counted a call more for models inside
            return name, 0
        if not 0 <= number < count:
            refuse(f"{self.where}: there is no call {written} of layer {shown(name)}, it is called {count} times")
        return name, number

    def written(self, call: CallKey) -> int:
        """The number for an output of the new configuration."""
        name, number = call
        return number + (self.kinds[name] == _FUNCTIONAL)

    def _count(self, name: str) -> int:
        if name not in self.kinds:
            refuse(f"{self.where}: there is no layer {shown(name)}")
        return max(1, len(self.called.get(name, ())))


def sources_of(layer: str, nodes: Any, several: bool, augments: bool) -> list[Sources]:
    """What each call of a layer reads, and its options.

    Args:
        layer: for errors.
        nodes: its calls, as the file has them.
        several: whether it takes several inputs.
        augments: whether it is a layer of random augmentation.
    """
    if not isinstance(nodes, list) or not 0 < len(nodes) <= LONGEST_LIST:
        refuse(
            f"{layer} is called {len(nodes) if isinstance(nodes, list) else 0} times; supported are 1 to {LONGEST_LIST}"
        )
    return [_sources(layer, node, several, augments) for node in nodes]


def _sources(layer: str, node: Any, several: bool, augments: bool) -> Sources:
    of_keras_2 = isinstance(node, list)
    options: Any = {}
    if isinstance(node, dict):
        only_keys(layer, node, {"args", "kwargs"})
        options, node = node.get("kwargs") or {}, node.get("args")
        if isinstance(node, list) and len(node) == 1 and _is_list_of_many(node[0]):
            node = node[0]
    if not isinstance(node, list) or not node or len(node) > LONGEST_LIST or (len(node) > 1 and not several):
        count = len(node) if isinstance(node, list) else 0
        refuse(f"{layer} takes {shown(count)} inputs; supported with several are {', '.join(sorted(MERGE_NAMES))}")
    options, parts = dict(as_table(layer, options)), []
    for tensor in node:
        if isinstance(tensor, dict):
            only_keys(layer, tensor, {"class_name", "config"})
            if tensor.get("class_name") != TENSOR_ENTRY:
                refuse(f"{layer} is called on {kind_of(tensor)}; only on outputs of layers it may be")
            tensor = as_table(layer, tensor.get("config")).get("keras_history")
        name, index, more = source_of(layer, tensor)
        options |= more
        parts.append((name, index))
    check_call(layer, options, augments)
    return Sources(parts, {"training": False} if options.get("training") is False else {}, of_keras_2)


def source_of(layer: str, tensor: Any) -> tuple[str, int, Entry]:
    """(name of a layer in front, number of its call, options of this layer's own call)."""
    if not isinstance(tensor, list) or len(tensor) not in (3, 4):
        refuse(f"{layer} is called on {shown(tensor)}; only on outputs of layers it may be")
    name, index, of_outputs, *more = tensor
    if type(index) is not int or not 0 <= index <= LONGEST_LIST or of_outputs != 0 or type(of_outputs) is not int:
        refuse(f"{layer} is called on output {shown([index, of_outputs])} of {shown(name)}; supported is the first")
    return as_text(layer, name), index, as_table(layer, more[0]) if more else {}


def _is_list_of_many(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(part, (list, dict)) and "class_name" in part for part in value)
