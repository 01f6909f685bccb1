"""Bare operations of a configuration: class, options and arguments held against what is read, and written anew."""

from __future__ import annotations

import numbers
import sys
from typing import Any, NamedTuple

from keras_models.reading.layer_entries import OF_A_LAYER, Place
from keras_models.reading.operations import CONSTANTS, MODULES, TENSOR, described
from keras_models.reading.plain_objects import (
    LONGEST_LIST,
    Entry,
    as_table,
    as_text,
    check_identity,
    class_name_of,
    flat_name,
    kind_of,
    only_keys,
    plain_value,
    refuse,
)
from keras_models.runtime import keras
from model_spec.names import printable, shown

TENSOR_ENTRY = "__keras_tensor__"


class OperationEntry(NamedTuple):
    """One operation of a configuration.

    Attributes:
        clean: the new configuration, without its call.
        place: with the layer that stands for the operation.
        histories: where the tensors of its call come from, as the file says it.
        arguments: of its call, TENSOR standing for each tensor.
        keywords: of its call.
    """

    clean: Entry
    place: Place
    histories: list[Any]
    arguments: list[Any]
    keywords: Entry

    def call(self, histories: list[list[Any]]) -> Entry:
        """The new configuration of the call, on tensors with these histories."""
        waiting = iter(histories)

        def filled(value: Any) -> Any:
            if isinstance(value, list):
                return [filled(part) for part in value]
            if value is not TENSOR:
                return value
            # Keras puts the tensor of this history in its place
            config = {"shape": [None], "dtype": "float32", "keras_history": next(waiting)}
            return {"class_name": TENSOR_ENTRY, "config": config}

        return {"args": filled(self.arguments), "kwargs": self.keywords}


def is_operation(entry: Any) -> bool:
    """True of a member that is an operation, no layer.

    In HDF5 files no member has its module; options that every layer has tell them apart.
    """
    if not isinstance(entry, dict):
        return False
    if "module" in entry:
        return entry["module"] in MODULES
    config, kind = entry.get("config"), entry.get("class_name")
    is_layer = not isinstance(config, dict) or {"dtype", "trainable", "layers"} & set(config)
    return not is_layer and isinstance(kind, str) and _module_of(kind) is not None


def _module_of(kind: str) -> str | None:
    """The module of Keras that has an operation of this name."""
    for module in MODULES:
        found = getattr(sys.modules[module], kind, None)
        if isinstance(found, type) and issubclass(found, keras.Operation) and not issubclass(found, keras.layers.Layer):
            return module
    return None


def operation_entry(where: str, entry: Entry) -> OperationEntry:
    """Look at an operation.

    Raises:
        ValueError: an operation, option or argument that is not read; names it.
    """
    class_name = class_name_of(where, entry)
    entry = {"module": _module_of(class_name), **entry}
    config = dict(as_table(f"the config of a {shown(class_name)}", entry.get("config")))
    name = as_text(f"the name of a {shown(class_name)}", config.pop("name", entry.get("name")))
    operation = f"operation {shown(name)} ({printable(class_name[:100])})"
    if not name.isprintable():
        refuse(f"{operation}: its name holds control characters; rename it")
    check_identity(operation, entry, OF_A_LAYER, set(MODULES))
    options = {as_text(operation, key): plain_value(operation, value) for key, value in config.items()}
    nodes = entry.get("inbound_nodes")
    if not isinstance(nodes, list) or len(nodes) != 1:
        refuse(f"{operation} is called {len(nodes) if isinstance(nodes, list) else 0} times; supported is one call")
    node = as_table(operation, nodes[0])
    only_keys(operation, node, {"args", "kwargs"})
    keywords = {
        as_text(operation, key): plain_value(operation, value)
        for key, value in as_table(operation, node.get("kwargs") or {}).items()
    }
    histories: list[Any] = []
    arguments = _arguments(operation, node.get("args"), histories)
    try:
        kind, found = described(class_name, options | keywords, arguments)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        refuse(f"{operation}: {error}")
    identity = {"module": entry["module"], "class_name": class_name, "registered_name": class_name}
    clean = {**identity, "config": {**options, "name": flat_name(name)}}
    place = Place(name, kind, {**found, "name": flat_name(name)})
    return OperationEntry(clean, place, histories, arguments, keywords)


def _arguments(operation: str, value: Any, histories: list[Any], depth: int = 2) -> Any:
    """The arguments of a call with TENSOR for each tensor, whose history is added to ``histories``."""
    if isinstance(value, list) and depth and len(value) <= LONGEST_LIST:
        return [_arguments(operation, part, histories, depth - 1) for part in value]
    if isinstance(value, dict) and value.get("class_name") == TENSOR_ENTRY:
        histories.append(as_table(operation, value.get("config")).get("keras_history"))
        return TENSOR
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or depth == 2:
        refuse(f"{operation} is called on {kind_of(value)}; {CONSTANTS}")
    return value
