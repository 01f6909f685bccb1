"""The configuration in a file of a Keras model, held against what is supported and written anew, before Keras sees it.

Keras builds whatever object a configuration names, and its safe mode forbids little more than code in the file itself:
a layer may call any function of Keras with arguments of the file's choice. Here every class, module and option has to
be one that a supported layer needs; anything else is refused by name. Keras is then given the new configuration, which
holds nothing that has not been looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from keras_models.computing_order import Functional
from keras_models.layers.training_only import AUGMENTATION
from keras_models.reading.call_entries import (
    MERGE_NAMES,
    CallKey,
    CallNumbers,
    CanonicalSources,
    Sources,
    source_of,
    sources_of,
)
from keras_models.reading.layer_entries import INPUT, OF_A_LAYER, Place, copies_of, layer_entry
from keras_models.reading.operation_entries import OperationEntry, is_operation, operation_entry
from keras_models.reading.plain_objects import (
    LONGEST_LIST,
    Entry,
    as_shape,
    as_table,
    as_text,
    check_identity,
    class_name_of,
    flat_name,
    only_keys,
    plain_value,
    refuse,
)
from keras_models.runtime import keras
from model_spec.names import shown

_MODELS = {"Sequential": keras.Sequential, "Functional": Functional, "Model": Functional}

_MODULES_OF_MODELS = {
    "keras",
    "keras.models",
    *(f"keras.{package}.{kind}" for kind in ("functional", "sequential") for package in ("src.models", "src.engine")),
    *(f"{package}.engine.{kind}" for kind in ("functional", "sequential") for package in ("keras", "tf_keras.src")),
}
"""Where Keras 2 and 3 have their two kinds of models."""

MOST_PLACES = 10_000
"""Layers of a model at most, those of models inside it counted for each call."""

_AUGMENTATION = frozenset(kind.__name__ for kind in AUGMENTATION)

_OF_A_MODEL = OF_A_LAYER | {"compile_config"}


@dataclass
class Configuration:
    """What a configuration says.

    Attributes:
        name: of the model.
        clean: the configuration for Keras to build from.
        places: the layers in the order data runs through them, nested models taken apart.
        ends: its inputs and outputs, where there are several of them.
    """

    name: str
    clean: Entry
    places: list[Place]
    ends: Ends


@dataclass
class Ends:
    """The inputs and outputs of the whole model.

    Attributes:
        inputs: {name: shape, None for sizes left open} of several inputs in order; none where there is one.
        outputs: the places that give several outputs; none where there is one.
        keys: what they are called where they are given as a dict.
    """

    inputs: dict[str, list[int | None]] = field(default_factory=dict)
    outputs: list[Place] = field(default_factory=list)
    keys: tuple[str, ...] | None = None


def read_configuration(entry: Any) -> Configuration:
    """Look at the configuration of a whole model.

    Raises:
        ValueError: an object, class, module or option that supported layers do not need, layers off the way from
            input to output; by name.
    """
    # What the model was compiled with, and by which version, is not looked at: nobody opens it
    not_opened = ("compile_config", "keras_version", "backend")
    entry = {key: value for key, value in as_table("the configuration", entry).items() if key not in not_opened}
    claims: list[list[int | None]] = []
    ends = Ends()
    clean, places = _model(entry, claims, ends)
    return Configuration(clean["config"]["name"], clean, places, ends)


def _model(entry: Entry, claims: list[list[int | None]], root: Ends | None = None) -> tuple[Entry, list[Place]]:
    """A model of the configuration; ``claims`` about its input go to its first layer.

    ``root`` is filled with the inputs and outputs of the whole model; a model in it has one of each.
    """
    name = class_name_of("the model", entry)
    if name not in _MODELS:
        refuse(f"the model ({shown(name)}) can compute anything in its call; supported are Sequential and Functional")
    config = as_table(f"the config of {name}", entry.get("config"))
    own_name = as_text("the name of a model", config.get("name", name.lower()))
    where = f"model {shown(own_name)}"
    check_identity(where, entry, _OF_A_MODEL, _MODULES_OF_MODELS)
    if entry.get("compile_config"):
        refuse(f"{where} was compiled and then built into another; save it without: set its optimizer and loss to None")
    plain_value(f"{where}, build_config", as_table(where, entry.get("build_config") or {}).get("input_shape"))
    members = config.get("layers")
    if not isinstance(members, list):
        refuse(f"{where} has no list of layers")
    if len(members) > LONGEST_LIST:
        refuse(f"{where} has {len(members):,} layers, at most {LONGEST_LIST:,} are read")
    trainable = {"trainable": bool(config.get("trainable", True))}
    if _MODELS[name] is Functional:
        only_keys(where, config, {"name", "trainable", "dtype", "layers", "input_layers", "output_layers"})
        clean, places = _functional(where, config, members, claims, root)
        identity = {"module": Functional.__module__, "class_name": "Functional", "registered_name": "Functional"}
    else:
        only_keys(where, config, {"name", "trainable", "dtype", "layers", "build_input_shape"})
        clean, places = _sequential(where, config, members, claims)
        identity = {"module": "keras", "class_name": "Sequential", "registered_name": None}
    return {**identity, "config": {"name": flat_name(own_name), **trainable, **clean}}, places


def _sequential(
    where: str, config: Entry, members: list[Any], claims: list[list[int | None]]
) -> tuple[Entry, list[Place]]:
    clean: list[Entry] = []
    places: list[Place] = []
    end: Place | int | None = None
    shape = config.get("build_input_shape")
    if shape is not None:
        claims.append(as_shape(where, shape))
    for member in members:
        mine, theirs = _member(where, member, claims)
        if theirs:
            claims = []
            end = _connect(theirs, [end])
        clean.append(mine)
        places += theirs
    return {"layers": clean} | ({} if shape is None else {"build_input_shape": [None, *as_shape(where, shape)]}), places


def _functional(
    where: str, config: Entry, members: list[Any], claims: list[list[int | None]], root: Ends | None
) -> tuple[Entry, list[Place]]:
    read: dict[str, tuple[Entry, list[Place], list[list[int | None]]]] = {}
    called: dict[str, list[Sources]] = {}
    operations: dict[str, OperationEntry] = {}
    for member in members:
        inner: list[list[int | None]] = []
        operation = operation_entry(where, member) if is_operation(member) else None
        mine, theirs = _member(where, member, inner) if operation is None else (operation.clean, [operation.place])
        name = as_text(f"a layer of {where}", member.get("name"))
        if name in read:
            refuse(f"{where} has two layers {shown(name)}")
        read[name] = mine, theirs, inner
        if operation is not None:
            operations[name] = operation
            named = f"operation {shown(name)} ({mine['class_name']})"
            called[name] = [Sources([source_of(named, history)[:2] for history in operation.histories], {})]
            continue
        calls = member.get("inbound_nodes")
        if mine["class_name"] != INPUT:
            several = mine["class_name"] in MERGE_NAMES
            augments = mine["class_name"] in _AUGMENTATION
            called[name] = sources_of(f"layer {shown(name)} ({mine['class_name']})", calls, several, augments)
        elif calls:
            refuse(f"layer {shown(name)} (InputLayer) has an input of its own")
    begins, keys_of_inputs = _ends(where, "input", config.get("input_layers"), root is not None)
    lasts, keys = _ends(where, "output", config.get("output_layers"), root is not None)
    beginnings = [name for name, _ in begins]
    numbers = CallNumbers(where, {name: mine["class_name"] for name, (mine, _, _) in read.items()}, called)
    sources = numbers.sources()
    outputs = [numbers.at_output(name, index) for name, index in lasts]
    order = _in_order(where, sources, beginnings, outputs)
    for name, (mine, _, _) in read.items():
        if not numbers.calls_of(name) <= set(order):
            refuse(
                f"layer {shown(name)} ({mine['class_name']}) is off the way from input to output; "
                f"supported are models all of whose layers take part in the output"
            )
    places: list[Place] = []
    several = len(begins) > 1
    ends: dict[CallKey, Place | int | None] = {(name, 0): at if several else None for at, name in enumerate(beginnings)}
    # What the file says of values that no place has worked on yet
    said = {(name, 0): [*claims, *read[name][2]] if name in read else claims for name in beginnings}
    if several and root is not None:
        for name, key in zip(beginnings, keys_of_inputs or beginnings, strict=True):
            if name not in read or not read[name][2]:
                refuse(f"{where}: its input {shown(name)} is no InputLayer with a shape")
            root.inputs[key] = read[name][2][0]
    untouched = {name: copies_of(theirs) for name, (_, theirs, _) in read.items() if len(called.get(name, ())) > 1}
    nodes: dict[str, list[Any]] = {}
    for call in order:
        name, number = call
        # The first on the way, whatever its number is
        theirs = copies_of(untouched[name], read[name][1]) if name in nodes else read[name][1]
        own_nodes = nodes.setdefault(name, [None] * len(called.get(name, ())))
        if call in sources:
            parts, options = sources[call]
            told = [claim for source in parts for claim in said.get(source, [])]
            if theirs:
                theirs[0].claims += told
                ends[call] = _connect(theirs, [ends[source] for source in parts])
            else:
                ends[call], said[call] = ends[parts[0]], told
            histories = [[flat_name(source), of_source, 0] for source, of_source in parts]
            if name in operations:
                own_nodes[number] = operations[name].call(histories)
            else:
                own_nodes[number] = [[*history, options] for history in histories]
        places += theirs
        if len(places) > MOST_PLACES:
            refuse(f"{where} has more than {MOST_PLACES:,} layers, those inside that are called again counted again")
    if len(outputs) > 1 and root is not None:
        for call in outputs:
            end = ends[call]
            if not isinstance(end, Place):
                refuse(f"{where}: its output {shown(call[0])} is one of its inputs; supported are outputs of layers")
            root.outputs.append(end)
        root.keys = keys
    clean = [{**read[name][0], "name": flat_name(name), "inbound_nodes": own} for name, own in nodes.items()]
    ends_of_model = {
        "input_layers": _as_keras([[flat_name(name), 0, 0] for name in beginnings], keys_of_inputs),
        "output_layers": _as_keras([[flat_name(call[0]), numbers.written(call), 0] for call in outputs], keys),
    }
    return {"layers": clean, **ends_of_model}, places


def _as_keras(ends: list[list[Any]], keys: tuple[str, ...] | None) -> Any:
    """Inputs or outputs in the structure that the file has them in."""
    return ends if keys is None else dict(zip(keys, ends, strict=True))


def _connect(places: list[Place], sources: list[Place | int | None]) -> Place:
    """Let a member's places that read its input read these; return the place its output comes from."""
    for place in places:
        place.sources = [one for source in place.sources for one in (sources if source is None else [source])]
    return places[-1]


def _in_order(
    where: str, sources: dict[CallKey, CanonicalSources], begins: list[str], lasts: list[CallKey]
) -> list[CallKey]:
    """The calls on the way to the outputs, each behind all that it reads; a branch to its end, then the next."""
    order: list[CallKey] = []
    done: set[CallKey] = set()
    begun: set[CallKey] = set()
    waiting, last = list(reversed(lasts)), lasts[0][0]
    while waiting:
        call = waiting[-1]
        missing = []
        if call[0] not in begins and call not in done:
            if call not in sources:
                refuse(f"{where}: no way leads from its input to {shown(last)}")
            missing = [source for source in sources[call].parts if source not in done]
            if begun.intersection(missing):
                refuse(f"{where}: no way leads from its input to {shown(last)}, its layers run in a circle")
            begun.add(call)
        if missing:
            waiting += reversed(missing)
            continue
        if call not in done:
            done.add(call)
            order.append(call)
        waiting.pop()
    return order


def _member(where: str, entry: Any, claims: list[list[int | None]]) -> tuple[Entry, list[Place]]:
    """A layer or nested model: the new configuration, and its places; none of an input layer."""
    entry = as_table(f"a layer of {where}", entry)
    class_name = class_name_of(f"a layer of {where}", entry)
    if class_name in _MODELS:
        clean, places = _model(entry, claims)
        if places:
            places[0].claims += claims
            claims.clear()
        return clean, places
    return layer_entry(where, entry, claims)


def _ends(
    where: str, kind: str, value: Any, may_be_several: bool
) -> tuple[list[tuple[str, int]], tuple[str, ...] | None]:
    """[(name, number of the call)] of a functional model's inputs or outputs, and their keys where they are a table."""
    keys = None
    if isinstance(value, dict) and not {"class_name", "items"} <= set(value):
        keys = tuple(sorted(as_text(f"{where}, {kind}s", key) for key in value))
        value = [value[key] for key in keys]
    value = plain_value(f"{where}, {kind}s", value)
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        value = [value]
    if not isinstance(value, list) or not value or not all(isinstance(end, list) and len(end) == 3 for end in value):
        refuse(f"{where} has {shown(value)} for {kind}s; supported are the outputs of layers, in a list or a table")
    if len(value) > 1 and not may_be_several:
        refuse(f"{where} has {len(value)} {kind}s and is part of another model; supported are such models with one")
    for name, index, tensor in value:
        if not isinstance(name, str) or type(index) is not int or tensor != 0:
            refuse(f"{where}: its {kind} is {shown([name, index, tensor])}; supported is the first of a layer")
    if len(value) == 1 and (kind == "input" or not may_be_several):
        keys = None
    return [(name, int(index)) for name, index, _ in value], keys
