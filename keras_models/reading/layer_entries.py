"""Layers of a configuration: their class and every option held against what the readers know, and written anew."""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_models.layers import activation, readable, supported, training_only
from keras_models.layers.merging import PRODUCT_OF_VECTORS
from keras_models.reading.options import (
    CONSTRAINT_CLASSES,
    FUNCTION_NAMES,
    INITIALIZER_CLASSES,
    REGULARIZER_CLASSES,
)
from keras_models.reading.plain_objects import (
    Entry,
    as_shape,
    as_table,
    as_text,
    batch_of,
    check_identity,
    class_name_of,
    flat_name,
    kind_of,
    only_keys,
    plain_value,
    refuse,
)
from keras_models.runtime import keras
from model_spec.layers import LAYERS
from model_spec.names import printable, shown

_LAYERS = {kind.__name__: kind for kind in readable()}
INPUT = keras.layers.InputLayer.__name__

_OF_AN_OBJECT = {"module", "class_name", "config", "registered_name", "shared_object_id"}
OF_A_LAYER = _OF_AN_OBJECT | {"build_config", "name", "inbound_nodes"}

_OPTIONS = {item.name for layer in LAYERS.values() for item in dataclasses.fields(layer)} | {
    *("dtype", "data_format", "axis", "groups", "seed", "noise_shape", "keepdims"),
    *("max_value", "negative_slope", "threshold", "alpha", "synchronized", "renorm", "renorm_momentum"),
    *("interpolation", "rms_scaling", "mean", "variance", "invert"),
    *("init_values", "projection_dim"),
}
"""Options of Keras' layers that the readers know: those that a specification has, and those held against one value."""

_PRECISIONS = ("float32", "float64")
_INPUT_DTYPES = (
    "bool",
    "bfloat16",
    *(f"float{bits}" for bits in (16, 32, 64)),
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
)


@dataclass
class Place:
    """One layer of the file.

    Attributes:
        name: as the file has it.
        kind: its class.
        config: its options, looked at.
        claims: shapes (without the batch axis) that the file says its input has, None for sizes left open.
        same_as: the place of the first call, where its layer is called again.
        sources: the places it reads; None is the input of the model it stands in, a number one of several inputs.
    """

    name: str
    kind: Any
    config: Entry
    claims: list[list[int | None]] = field(default_factory=list)
    same_as: Place | None = field(default=None, repr=False)
    sources: list[Place | int | None] = field(default_factory=lambda: [None], repr=False)


def copies_of(places: list[Place], firsts: list[Place] | None = None) -> list[Place]:
    """Places of a member again: of one more call where ``firsts`` has those of the first, else of the same call."""
    new = {id(place): dataclasses.replace(place, claims=list(place.claims)) for place in places}
    for copied, first in zip(new.values(), firsts or (), strict=firsts is not None):
        copied.same_as = first.same_as or first
    for place in new.values():
        place.sources = [new.get(id(source), source) for source in place.sources]
    return list(new.values())


def layer_entry(where: str, entry: Entry, claims: list[list[int | None]]) -> tuple[Entry, list[Place]]:
    """A layer: the new configuration, and its place; none of an input layer.

    ``claims`` about its input go to its place; what an input layer claims is added to them.
    """
    class_name = class_name_of(where, entry)
    config = dict(as_table(f"the config of a {shown(class_name)}", entry.get("config")))
    name = as_text(f"the name of a {shown(class_name)}", config.get("name", entry.get("name", class_name.lower())))
    layer = f"layer {shown(name)} ({printable(class_name[:100])})"
    if class_name != INPUT and class_name not in _LAYERS:
        instead = PRODUCT_OF_VECTORS if class_name == keras.layers.Dot.__name__ else supported()
        refuse(f"{layer}: this layer is not supported; {instead}")
    if not name.isprintable():
        refuse(f"{layer}: its name holds control characters; rename it")
    module = "keras.layers" if class_name == INPUT else _module(_LAYERS[class_name])
    check_identity(layer, entry, OF_A_LAYER, {module})
    plain_value(layer, list(as_table(layer, entry.get("build_config") or {}).values()))
    written = [config.pop(option, None) for option in ("batch_shape", "batch_input_shape")]
    shape = next((one for one in written if one), None)
    if shape is not None:
        claims.append(as_shape(layer, shape))
    config["name"] = flat_name(name)
    identity = {"module": module, "class_name": class_name, "registered_name": None}
    if class_name == INPUT:
        if shape is None or any(config.get(option) for option in ("sparse", "ragged", "optional")):
            refuse(f"{layer} has no shape, or is sparse, ragged or optional; supported are plain inputs")
        known = {"batch_shape": [batch_of(shape), *claims[-1]], "name": config["name"]}
        dtype = as_text(layer, config.get("dtype") or "float32")
        if dtype not in _INPUT_DTYPES:
            refuse(f"{layer} takes {shown(dtype)}; supported are numbers")
        return {**identity, "config": known | {"dtype": dtype}}, []
    clean = _options(layer, _LAYERS[class_name], config)
    place = Place(name, _LAYERS[class_name], clean, list(claims))
    claims.clear()
    return {**identity, "config": clean}, [place]


def _module(kind: Any) -> str:
    """Where a file says that a layer is: a few are Keras' own without being public."""
    return "keras.layers" if getattr(keras.layers, kind.__name__, None) is kind else str(kind.__module__)


def _options(layer: str, kind: Any, config: Entry) -> Entry:
    """The options of a layer; what is an object has to be of the one kind that the option takes."""
    clean: Entry = {}
    known = _OPTIONS | (set(inspect.signature(kind.__init__).parameters) if kind in training_only.KINDS else set())
    for option, value in config.items():
        where = f"{layer}: {printable(option[:100])}"
        if option == "dtype":
            clean[option] = _policy(where, value)
        elif option == "activation":
            clean[option] = _activation(where, value)
        elif option.endswith("_initializer"):
            clean[option] = _object(where, value, "keras.initializers", INITIALIZER_CLASSES)
        elif option.endswith("_regularizer"):
            clean[option] = _object(where, value, "keras.regularizers", REGULARIZER_CLASSES)
        elif option.endswith("_constraint"):
            clean[option] = _object(where, value, "keras.constraints", CONSTRAINT_CLASSES)
        elif kind is keras.layers.Rescaling and isinstance(value, dict) and value.get("class_name") == "__numpy__":
            clean[option] = _array(where, value)
        elif option not in known and value is not None:
            refuse(f"{where}={kind_of(value)} is not supported; supported is None")
        else:
            clean[option] = plain_value(where, value)
    # As Keras 2 wrote them
    if isinstance(clean.get("axis"), list) and len(clean["axis"]) == 1:
        clean["axis"] = clean["axis"][0]
    if "alpha" in clean and "negative_slope" not in clean and kind is keras.layers.LeakyReLU:
        clean["negative_slope"] = clean.pop("alpha")
    return clean


def _array(where: str, value: Any) -> Any:
    """A NumPy array of numbers, as Keras writes one."""
    only_keys(where, value, {"class_name", "config"})
    config = as_table(where, value.get("config"))
    only_keys(where, config, {"value", "dtype"})
    numbers, dtype = plain_value(where, config.get("value")), config.get("dtype")
    try:
        if dtype not in _INPUT_DTYPES[1:]:
            refuse(f"{where}: an array of {shown(dtype)} is not supported; supported are numbers")
        np.array(numbers, dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{where}: {printable(str(error))}") from None
    return {"class_name": "__numpy__", "config": {"value": numbers, "dtype": dtype}}


def _policy(where: str, value: Any) -> Any:
    """The name of a precision, plain or as an object."""
    if isinstance(value, dict):
        check_identity(where, value, _OF_AN_OBJECT, {"keras", "keras.mixed_precision"}, {"DTypePolicy", "Policy"})
        config = as_table(where, value.get("config"))
        only_keys(where, config, {"name"})
        value = config.get("name")
    if value not in _PRECISIONS:
        refuse(f"{where}={kind_of(value)} is not supported; supported are {' and '.join(_PRECISIONS)} throughout")
    return value


def _activation(where: str, value: Any) -> Any:
    if value is None or (isinstance(value, str) and value in FUNCTION_NAMES):
        return value
    if isinstance(value, dict) and value in FUNCTION_NAMES.values():
        return value
    if isinstance(value, dict) and _LAYERS.get(class_name_of(where, value)) in activation.KINDS:
        clean, places = layer_entry(where, value, [])
        if places[0].claims:
            refuse(f"{where} has an input shape of its own")
        return clean
    refuse(f"{where} {kind_of(value)} is not supported; supported are {', '.join(FUNCTION_NAMES)}")


def _object(where: str, value: Any, module: str, known: frozenset[str]) -> Any:
    """An initializer or regularizer: one of Keras' own with plain numbers, or its name."""
    if value is None or (isinstance(value, str) and value in known):
        return value
    if not isinstance(value, dict) or class_name_of(where, value) not in known:
        refuse(f"{where} {kind_of(value)} is not supported; supported are those of {module}")
    check_identity(where, value, _OF_AN_OBJECT, {module})
    config = {key: plain_value(where, part) for key, part in as_table(where, value.get("config") or {}).items()}
    return {"module": module, "class_name": value["class_name"], "config": config, "registered_name": None}
