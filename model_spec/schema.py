"""The JSON schema of a network's file, from which editors complete and check what is written in TOML or JSON."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from model_spec import constraints, initializers, losses, optimizers, regularizers, schedules
from model_spec.experiment import OF_DATA, OF_TRAINING
from model_spec.layers import LAYERS
from model_spec.serialization import SCHEMA_VERSION
from model_spec.training import EarlyStopping

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TYPES = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}

_SHAPE = {"type": "array", "items": {"type": "integer", "minimum": 1}}


def json_schema() -> dict[str, Any]:
    """The schema: names of layers and options, their defaults, and simple types; values are checked when it is read.

    >>> schema = json_schema()
    >>> "Conv2D" in schema["$defs"]["layer"]["properties"]["type"]["enum"]
    True
    """
    return {
        "$schema": DIALECT,
        "title": "A network for Crosscheck, how it is trained and on what",
        "type": "object",
        "required": ["name", "input_shape", "layers"],
        "additionalProperties": False,
        "properties": {
            "$schema": {"type": "string"},
            "version": {"const": SCHEMA_VERSION},
            "name": {"type": "string", "description": "letters, digits and _.-"},
            "input_shape": {
                "anyOf": [_SHAPE, {"type": "object", "minProperties": 2, "additionalProperties": _SHAPE}],
                "description": "of one example, such as [28, 28, 1]; a table of names and shapes for several inputs",
            },
            "input_dtype": {"type": "string", "description": "what Keras casts inputs to, where it is not a float"},
            "layers": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/layer"}},
            "outputs": {
                "anyOf": [
                    {"type": "array", "minItems": 2, "items": {"type": "string"}},
                    {"type": "object", "minProperties": 2, "additionalProperties": {"type": "string"}},
                ],
                "description": "the layers whose outputs the network gives, where there are several",
            },
            "training": _training(),
            "data": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "path": {"type": "string", "description": "a file beside this one, or the name of a data set"},
                    "limit": {"type": "integer", "minimum": 1, "description": "use only the first training rows"},
                },
                "propertyNames": {"enum": list(OF_DATA)},
            },
        },
        "$defs": {
            "layer": _one_of(LAYERS.values()),
            "initializer": _named_or(initializers.INITIALIZERS),
            "regularizer": _named_or(regularizers.REGULARIZERS),
            "constraint": _named_or(constraints.CONSTRAINTS),
            "optimizer": _named_or({name.lower(): kind for name, kind in optimizers.OPTIMIZERS.items()}),
            "schedule": _one_of(schedules.SCHEDULES.values()),
            "loss": _named_or(losses.LOSSES | losses.KERAS_NAMES),
        },
    }


def _training() -> dict[str, Any]:
    options: dict[str, Any] = {name: {} for name in OF_TRAINING}
    whole = {"type": "integer", "minimum": 1}
    options |= {"epochs": whole, "steps": whole, "batch_size": whole, "seed": {"type": "integer"}}
    options["shuffle"] = {"type": "boolean"}
    options["validation_split"] = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
    options["optimizer"] = {"$ref": "#/$defs/optimizer"}
    options["loss"] = {"$ref": "#/$defs/loss"}
    options["learning_rate"] = {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/schedule"}]}
    options["early_stopping"] = {"anyOf": [{"const": False}, _of_class(EarlyStopping, with_type=False)]}
    return {"type": "object", "additionalProperties": False, "properties": options}


def _one_of(kinds: Iterable[type]) -> dict[str, Any]:
    """A table whose ``type`` names a class, with this class' options."""
    kinds = sorted(set(kinds), key=lambda kind: kind.__name__)
    return {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": [kind.__name__ for kind in kinds]}},
        "allOf": [
            {"if": {"properties": {"type": {"const": kind.__name__}}}, "then": _of_class(kind)} for kind in kinds
        ],
    }


def _named_or(table: Mapping[str, type]) -> dict[str, Any]:
    """A name, or a table with a ``type``."""
    return {"anyOf": [{"enum": list(table)}, _one_of(table.values())]}


def _of_class(kind: type, with_type: bool = True) -> dict[str, Any]:
    """The options of a dataclass."""
    fields = dataclasses.fields(kind)
    options: dict[str, Any] = {"type": {"const": kind.__name__}} if with_type else {}
    options |= {item.name: _option(item) for item in fields}
    required = [item.name for item in fields if _default(item) is dataclasses.MISSING]
    doc = inspect.getdoc(kind) or ""
    return {
        "type": "object",
        "description": doc.partition("\n\n")[0].replace("\n", " "),
        "properties": options,
        "required": required,
        "additionalProperties": False,
    }


def _option(item: dataclasses.Field[Any]) -> dict[str, Any]:
    """One option: its default, and its type where a JSON type is all there is to say."""
    found: dict[str, Any] = {}
    if isinstance(item.type, str) and item.type in _TYPES:
        found["type"] = _TYPES[item.type]
    for suffix in ("initializer", "regularizer", "constraint"):
        if item.name.endswith(f"_{suffix}"):
            found = {"anyOf": [{"$ref": f"#/$defs/{suffix}"}, {"type": "null"}]}
    default = _default(item)
    if isinstance(default, (bool, int, float, str)):
        found["default"] = default
    return found


def _default(item: dataclasses.Field[Any]) -> Any:
    if item.default_factory is not dataclasses.MISSING:
        return item.default_factory()
    return item.default
