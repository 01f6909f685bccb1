"""The configuration in a file of a Keras model, held against what is supported and written anew, before Keras sees it.

Keras builds whatever object a configuration names, and its safe mode forbids little more than code in the file itself:
a layer may call any function of Keras with arguments of the file's choice. Here every class, module and option has to
be one that a supported layer needs; anything else is refused by name. Keras is then given the new configuration, which
holds nothing that has not been looked at.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, NoReturn

from keras_models.reading.chain import Functional
from keras_models.reading.layers import ACTIVATION_LAYERS, READERS
from keras_models.reading.options import (
    FUNCTION_NAMES,
    INITIALIZER_CLASSES,
    REGULARIZER_CLASSES,
)
from keras_models.runtime import keras
from model_spec.layers import LAYERS
from model_spec.names import printable, shown

Entry = dict[str, Any]

_LAYERS = {kind.__name__: kind for kind in READERS}
_SUPPORTED = f"supported are {', '.join(_LAYERS)}"
_MODELS = {"Sequential": keras.Sequential, "Functional": Functional, "Model": Functional}
_INPUT = keras.layers.InputLayer.__name__

_MODULES = {"keras.layers"}
_MODULES_OF_MODELS = {
    "keras",
    "keras.models",
    *(f"keras.{package}.{kind}" for kind in ("functional", "sequential") for package in ("src.models", "src.engine")),
    *(f"{package}.engine.{kind}" for kind in ("functional", "sequential") for package in ("keras", "tf_keras.src")),
}
"""Where Keras 2 and 3 have their two kinds of models."""

_OF_AN_OBJECT = {"module", "class_name", "config", "registered_name", "shared_object_id"}
_OF_A_LAYER = _OF_AN_OBJECT | {"build_config", "name", "inbound_nodes"}
_OF_A_MODEL = _OF_A_LAYER | {"compile_config"}

_OPTIONS = {item.name for layer in LAYERS.values() for item in dataclasses.fields(layer)} | {
    *("dtype", "data_format", "axis", "groups", "seed", "noise_shape", "keepdims", "activity_regularizer"),
    *("max_value", "negative_slope", "threshold", "alpha", "synchronized", "renorm", "renorm_momentum"),
}
"""Options of Keras' layers that the readers know: those that a specification has, and those held against one value."""

_PRECISIONS = ("float32", "float64")
_INPUT_DTYPES = (
    "bool",
    "bfloat16",
    *(f"float{bits}" for bits in (16, 32, 64)),
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
)

_LONGEST_TEXT = 1000
_LONGEST_LIST = 1000


@dataclass
class Place:
    """One layer of the file.

    Attributes:
        name: as the file has it.
        kind: its class.
        config: its options, looked at.
        claims: shapes (without the batch axis) that the file says its input has, None for sizes left open.
    """

    name: str
    kind: Any
    config: Entry
    claims: list[list[int | None]] = field(default_factory=list)


@dataclass
class Configuration:
    """What a configuration says.

    Attributes:
        name: of the model.
        clean: the configuration for Keras to build from.
        places: the layers in the order data runs through them, nested models taken apart.
    """

    name: str
    clean: Entry
    places: list[Place]


def read_configuration(entry: Any) -> Configuration:
    """Look at the configuration of a whole model.

    Raises:
        ValueError: an object, class, module or option that supported layers do not need, layers that do not stand in
            a line, layers off the way from input to output; by name.
    """
    # What the model was compiled with, and by which version, is not looked at: nobody opens it
    not_opened = ("compile_config", "keras_version", "backend")
    entry = {key: value for key, value in _table("the configuration", entry).items() if key not in not_opened}
    claims: list[list[int | None]] = []
    clean, places = _model(entry, claims)
    return Configuration(clean["config"]["name"], clean, places)


def _model(entry: Entry, claims: list[list[int | None]]) -> tuple[Entry, list[Place]]:
    """A model of the configuration; ``claims`` about its input go to its first layer."""
    name = _class_name("the model", entry)
    if name not in _MODELS:
        _refuse(f"the model ({shown(name)}) can compute anything in its call; supported are Sequential and Functional")
    config = _table(f"the config of {name}", entry.get("config"))
    own_name = _text("the name of a model", config.get("name", name.lower()))
    where = f"model {shown(own_name)}"
    _check_identity(where, entry, _OF_A_MODEL, _MODULES_OF_MODELS)
    if entry.get("compile_config"):
        _refuse(
            f"{where} was compiled and then built into another; save it without: set its optimizer and loss to None"
        )
    _plain(f"{where}, build_config", _table(where, entry.get("build_config") or {}).get("input_shape"))
    members = config.get("layers")
    if not isinstance(members, list):
        _refuse(f"{where} has no list of layers")
    if len(members) > _LONGEST_LIST:
        _refuse(f"{where} has {len(members):,} layers, at most {_LONGEST_LIST:,} are read")
    trainable = {"trainable": bool(config.get("trainable", True))}
    if _MODELS[name] is Functional:
        _only_keys(where, config, {"name", "trainable", "dtype", "layers", "input_layers", "output_layers"})
        clean, places = _functional(where, config, members, claims)
        identity = {"module": Functional.__module__, "class_name": "Functional", "registered_name": "Functional"}
    else:
        _only_keys(where, config, {"name", "trainable", "dtype", "layers", "build_input_shape"})
        clean, places = _sequential(where, config, members, claims)
        identity = {"module": "keras", "class_name": "Sequential", "registered_name": None}
    return {**identity, "config": {"name": _flat(own_name), **trainable, **clean}}, places


def _sequential(
    where: str, config: Entry, members: list[Any], claims: list[list[int | None]]
) -> tuple[Entry, list[Place]]:
    clean: list[Entry] = []
    places: list[Place] = []
    shape = config.get("build_input_shape")
    if shape is not None:
        claims.append(_shape(where, shape))
    for member in members:
        mine, theirs = _member(where, member, claims)
        if theirs:
            claims = []
        clean.append(mine)
        places += theirs
    return {"layers": clean} | ({} if shape is None else {"build_input_shape": [None, *_shape(where, shape)]}), places


def _functional(
    where: str, config: Entry, members: list[Any], claims: list[list[int | None]]
) -> tuple[Entry, list[Place]]:
    read: dict[str, tuple[Entry, list[Place], list[list[int | None]]]] = {}
    sources: dict[str, tuple[str, int, Entry]] = {}
    for member in members:
        inner: list[list[int | None]] = []
        mine, theirs = _member(where, member, inner)
        name = _text(f"a layer of {where}", member.get("name"))
        if name in read:
            _refuse(f"{where} has two layers {shown(name)}")
        read[name] = mine, theirs, inner
        nodes = member.get("inbound_nodes")
        if mine["class_name"] != _INPUT:
            sources[name] = _source(f"layer {shown(name)} ({mine['class_name']})", nodes)
        elif nodes:
            _refuse(f"layer {shown(name)} (InputLayer) has an input of its own")
    begin, _ = _end(where, "input", config.get("input_layers"))
    last, index = _end(where, "output", config.get("output_layers"))
    line = [last]
    while line[-1] != begin:
        if line[-1] not in sources or len(line) > len(read):
            _refuse(f"{where}: no way leads from its input to {shown(last)}")
        line.append(sources[line[-1]][0])
    for name, (mine, _, _) in read.items():
        if name not in line:
            _refuse(
                f"layer {shown(name)} ({mine['class_name']}) is off the way from input to output; "
                f"supported are models whose layers stand in a line"
            )
    clean, places = [], []
    for name in reversed(line):
        mine, theirs, inner = read[name]
        if theirs:
            theirs[0].claims += claims
            claims = []
        elif name == begin:
            claims += inner
        nodes = []
        if name in sources:
            source, number, options = sources[name]
            nodes = [[[_flat(source), _node(read, source, number), 0, options]]]
        clean.append({**mine, "name": _flat(name), "inbound_nodes": nodes})
        places += theirs
    ends = {"input_layers": [[_flat(begin), 0, 0]], "output_layers": [[_flat(last), _node(read, last, index), 0]]}
    return {"layers": clean, **ends}, places


def _node(read: dict[str, Any], name: str, number: int) -> int:
    """Keras 2 counted a node more for nested Sequential models."""
    if name not in read:
        _refuse(f"there is no layer {shown(name)}")
    return 0 if read[name][0]["class_name"] == "Sequential" else number


def _member(where: str, entry: Any, claims: list[list[int | None]]) -> tuple[Entry, list[Place]]:
    """A layer or nested model: the new configuration, and its places; none of an input layer."""
    entry = _table(f"a layer of {where}", entry)
    class_name = _class_name(f"a layer of {where}", entry)
    if class_name in _MODELS:
        clean, places = _model(entry, claims)
        if places:
            places[0].claims += claims
            claims.clear()
        return clean, places
    config = dict(_table(f"the config of a {shown(class_name)}", entry.get("config")))
    name = _text(f"the name of a {shown(class_name)}", config.get("name", entry.get("name", class_name.lower())))
    layer = f"layer {shown(name)} ({printable(class_name[:100])})"
    if class_name != _INPUT and class_name not in _LAYERS:
        _refuse(f"{layer}: this layer is not supported; {_SUPPORTED}")
    _check_identity(layer, entry, _OF_A_LAYER, _MODULES)
    _plain(layer, list(_table(layer, entry.get("build_config") or {}).values()))
    shape = config.pop("batch_shape", None) or config.pop("batch_input_shape", None) or config.pop("input_shape", None)
    if shape is not None:
        claims.append(_shape(layer, shape))
    config["name"] = _flat(name)
    identity = {"module": "keras.layers", "class_name": class_name, "registered_name": None}
    if class_name == _INPUT:
        if shape is None or any(config.get(option) for option in ("sparse", "ragged", "optional")):
            _refuse(f"{layer} has no shape, or is sparse, ragged or optional; supported are plain inputs")
        known = {"batch_shape": [_batch(shape), *claims[-1]], "name": config["name"]}
        dtype = _text(layer, config.get("dtype") or "float32")
        if dtype not in _INPUT_DTYPES:
            _refuse(f"{layer} takes {shown(dtype)}; supported are numbers")
        return {**identity, "config": known | {"dtype": dtype}}, []
    clean = _options(layer, _LAYERS[class_name], config)
    place = Place(name, _LAYERS[class_name], clean, list(claims))
    claims.clear()
    return {**identity, "config": clean}, [place]


def _options(layer: str, kind: Any, config: Entry) -> Entry:
    """The options of a layer; what is an object has to be of the one kind that the option takes."""
    clean: Entry = {}
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
        elif option not in _OPTIONS and value is not None:
            _refuse(f"{where}={_kind_of(value)} is not supported; supported is None")
        else:
            clean[option] = _plain(where, value)
    # As Keras 2 wrote them
    if isinstance(clean.get("axis"), list) and len(clean["axis"]) == 1:
        clean["axis"] = clean["axis"][0]
    if "alpha" in clean and "negative_slope" not in clean and kind is keras.layers.LeakyReLU:
        clean["negative_slope"] = clean.pop("alpha")
    return clean


def _policy(where: str, value: Any) -> Any:
    """The name of a precision, plain or as an object."""
    if isinstance(value, dict):
        _check_identity(where, value, _OF_AN_OBJECT, {"keras", "keras.mixed_precision"}, {"DTypePolicy", "Policy"})
        config = _table(where, value.get("config"))
        _only_keys(where, config, {"name"})
        value = config.get("name")
    if value not in _PRECISIONS:
        _refuse(f"{where}={_kind_of(value)} is not supported; supported are {' and '.join(_PRECISIONS)} throughout")
    return value


def _activation(where: str, value: Any) -> Any:
    if value is None or (isinstance(value, str) and value in FUNCTION_NAMES):
        return value
    if isinstance(value, dict) and value in FUNCTION_NAMES.values():
        return value
    if isinstance(value, dict) and _LAYERS.get(_class_name(where, value)) in ACTIVATION_LAYERS:
        clean, places = _member(where, value, [])
        if places[0].claims:
            _refuse(f"{where} has an input shape of its own")
        return clean
    _refuse(f"{where} {_kind_of(value)} is not supported; supported are {', '.join(FUNCTION_NAMES)}")


def _object(where: str, value: Any, module: str, known: frozenset[str]) -> Any:
    """An initializer or regularizer: one of Keras' own with plain numbers, or its name."""
    if value is None or (isinstance(value, str) and value in known):
        return value
    if not isinstance(value, dict) or _class_name(where, value) not in known:
        _refuse(f"{where} {_kind_of(value)} is not supported; supported are those of {module}")
    _check_identity(where, value, _OF_AN_OBJECT, {module})
    config = {key: _plain(where, part) for key, part in _table(where, value.get("config") or {}).items()}
    return {"module": module, "class_name": value["class_name"], "config": config, "registered_name": None}


def _source(layer: str, nodes: Any) -> tuple[str, int, Entry]:
    """(the layer in front, the number of its call, options of this layer's own call)."""
    if not isinstance(nodes, list) or len(nodes) != 1:
        count = len(nodes) if isinstance(nodes, list) else 0
        _refuse(f"{layer} is called {count} times; supported are models whose layers stand in a line")
    node = nodes[0]
    options: Any = {}
    if isinstance(node, dict):
        _only_keys(layer, node, {"args", "kwargs"})
        options, node = node.get("kwargs") or {}, node.get("args")
    if not isinstance(node, list) or len(node) != 1 or _is_list_of_many(node[0]):
        count = len(node) if isinstance(node, list) else 0
        _refuse(f"{layer} takes {shown(count)} inputs; supported are models whose layers stand in a line")
    tensor = node[0]
    if isinstance(tensor, dict):
        _only_keys(layer, tensor, {"class_name", "config"})
        if tensor.get("class_name") != "__keras_tensor__":
            _refuse(f"{layer} is called on {_kind_of(tensor)}; only on outputs of layers it may be")
        tensor = _table(layer, tensor.get("config")).get("keras_history")
    if not isinstance(tensor, list) or len(tensor) not in (3, 4):
        _refuse(f"{layer} is called on {shown(tensor)}; only on outputs of layers it may be")
    name, index, of_outputs, *more = tensor
    options = {**_table(layer, options), **(_table(layer, more[0]) if more else {})}
    for option, value in options.items():
        if not (value is None or (option == "training" and value is False)):
            _refuse(
                f"{layer} is called with {printable(option[:100])}={_kind_of(value)}; "
                f"supported are calls on the input alone"
            )
    if type(index) is not int or index not in (0, 1) or of_outputs != 0 or type(of_outputs) is not int:
        _refuse(f"{layer} is called on output {shown([index, of_outputs])} of {shown(name)}; supported is the first")
    return _text(layer, name), index, {"training": False} if options.get("training") is False else {}


def _is_list_of_many(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(part, (list, dict)) and "class_name" in part for part in value)


def _end(where: str, kind: str, value: Any) -> tuple[str, int]:
    """(name, number of the call) of a functional model's only input or output."""
    value = _plain(f"{where}, {kind}s", value)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[0], str):
        count = len(value) if isinstance(value, list) else 0
        _refuse(f"{where} has {count} {kind}s; supported are models with one")
    if value[1] not in (0, 1) or value[2] != 0:
        _refuse(f"{where}: its {kind} is {shown(value)}; supported is the first of a layer")
    return value[0], int(value[1])


# ---- what every object has


def _check_identity(
    where: str, entry: Entry, keys: set[str], modules: set[str], classes: set[str] | None = None
) -> None:
    """Refuse an object that says more than its class, or that is somebody's own of that name."""
    class_name = _class_name(where, entry)
    if classes is not None and class_name not in classes:
        _refuse(f"{where}: {shown(class_name)} is not supported; supported are {', '.join(sorted(classes))}")
    _only_keys(where, entry, keys)
    module = entry.get("module", next(iter(modules)))
    if not isinstance(module, str) or module not in modules:
        _refuse(f"{where}: {shown(class_name)} of module {shown(module)} is not supported; only Keras' own are")
    if entry.get("registered_name") not in (None, class_name):
        _refuse(
            f"{where}: {shown(class_name)} is registered as {shown(entry['registered_name'])}; only Keras' own are read"
        )
    if type(entry.get("shared_object_id", 0)) is not int:
        _refuse(f"{where}: shared_object_id is {_kind_of(entry['shared_object_id'])}, expected an integer")


def _only_keys(where: str, entry: Entry, keys: set[str]) -> None:
    unknown = [key for key in entry if key not in keys]
    if unknown:
        _refuse(f"{where} has {shown(unknown)}, which nothing supported has")


def _class_name(where: str, entry: Entry) -> str:
    name = entry.get("class_name")
    if not isinstance(name, str):
        _refuse(f"{where} has no class_name")
    return name


def _table(where: str, value: Any) -> Entry:
    if not isinstance(value, dict):
        _refuse(f"{where} must be a table, got {shown(value)}")
    return value


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > _LONGEST_TEXT:
        _refuse(f"{where} must be a text of at most {_LONGEST_TEXT} characters, got {shown(value)}")
    return value


def _flat(name: str) -> str:
    """Keras 2 took a slash in a name, Keras 3 takes none."""
    return name.replace("/", "__")


def _shape(where: str, value: Any) -> list[int | None]:
    """A shape without its batch axis."""
    sizes = _plain(where, value)
    if not isinstance(sizes, list) or not all(size is None or type(size) is int for size in sizes):
        _refuse(f"{where} has the shape {shown(value)}, expected a list of integers")
    return sizes[1:]


def _batch(value: Any) -> int | None:
    size = _plain("the batch", value)[0]
    return size if type(size) is int else None


def _plain(where: str, value: Any, depth: int = 4) -> Any:
    """Numbers, texts, and lists of them; tuples as HDF5 files write them become lists."""
    if isinstance(value, dict):
        if set(value) == {"class_name", "items"} and value["class_name"] in ("__tuple__", "TensorShape"):
            value = value["items"]
        else:
            _refuse(f"{where} holds an object ({_kind_of(value)}); supported are numbers, texts and lists of them")
    if isinstance(value, str):
        return value if not value else _text(where, value)
    if isinstance(value, list):
        if not depth or len(value) > _LONGEST_LIST:
            _refuse(f"{where} is a list of {len(value):,} that is too long or too deep")
        return [_plain(where, part, depth - 1) for part in value]
    return value


def _kind_of(value: Any) -> str:
    """How a refused value is named: an object by its class and what it is configured to be."""
    if isinstance(value, dict):
        config = value.get("config")
        name = f" {config}" if isinstance(config, str) else ""
        return printable(f"{value.get('module') or ''} {value.get('class_name', 'table')}{name}".strip()[:200])
    return shown(value)


def _refuse(message: str) -> NoReturn:
    raise ValueError(message)
