"""Specifications to and from JSON, and from TOML files that people write by hand."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_spec import constraints, initializers, limits, regularizers, untrusted
from model_spec.layers import LAYERS
from model_spec.layers.ends import is_end
from model_spec.limits import Limits
from model_spec.model import ModelSpec
from model_spec.names import nearest, printable, shown

SCHEMA_VERSION = 1

BESIDE_A_MODEL = ("training", "data")
"""Tables that a file may hold beside its model; see ``model_spec.experiment``."""

_OF_LAYERS: dict[str, type] = {
    **{rule.__name__: rule for rule in initializers.INITIALIZERS.values()},
    **{rule.__name__: rule for rule in regularizers.REGULARIZERS.values()},
    **{rule.__name__: rule for rule in constraints.CONSTRAINTS.values()},
}
"""The options of layers that are tables themselves."""


def _classes_with(kind: str) -> Mapping[str, type]:
    """Classes by name, ``kind`` among them if there is one; those of a training run are loaded when one is read."""
    if kind in LAYERS:
        return LAYERS
    if kind in _OF_LAYERS:
        return _OF_LAYERS
    from model_spec import losses, optimizers, schedules
    from model_spec.training import EarlyStopping, TrainingSpec

    return {
        **LAYERS,
        **_OF_LAYERS,
        **optimizers.OPTIMIZERS,
        **schedules.SCHEDULES,
        **{rule.__name__: rule for rule in losses.LOSSES.values()},
        "EarlyStopping": EarlyStopping,
        "TrainingSpec": TrainingSpec,
    }


def to_dict(specification: Any) -> dict[str, Any]:
    """Return a model, a training run or any part of them as plain dicts, lists, numbers and strings."""
    if isinstance(specification, ModelSpec):
        cast = {} if specification.input_dtype is None else {"input_dtype": specification.input_dtype}
        parts = {str(part.name): list(part.shape) for part in specification.input_parts}
        return {
            "version": SCHEMA_VERSION,
            "name": specification.name,
            "input_shape": parts or list(specification.input_shape),
            **cast,
            "layers": [to_dict(layer) for layer in specification.layers if not is_end(layer)],
            **_outputs(specification),
        }
    entry: dict[str, Any] = {"type": type(specification).__name__}
    for item in dataclasses.fields(specification):
        if item.name not in ("inputs", "weights_of") or getattr(specification, item.name) is not None:
            entry[item.name] = _plain(getattr(specification, item.name))
    return entry


def _outputs(spec: ModelSpec) -> dict[str, Any]:
    if spec.outputs is None:
        return {}
    keys = spec.output_keys
    return {"outputs": list(spec.outputs) if keys is None else dict(zip(keys, spec.outputs, strict=True))}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value


def from_dict(entry: Any) -> Any:
    """Build the part that :func:`to_dict` wrote (any dict with a ``type``)."""
    if not isinstance(entry, dict) or "type" not in entry:
        raise ValueError(f"expected a table with a type such as 'Dense', got {shown(entry)}")
    kind = entry["type"]
    classes = _classes_with(kind if isinstance(kind, str) else "")
    if not isinstance(kind, str) or kind not in classes:
        raise ValueError(f"unknown type {shown(kind)}{nearest(kind, classes)}; known are {', '.join(classes)}")
    known = {item.name for item in dataclasses.fields(classes[kind])}
    options = {name: _restored(value) for name, value in entry.items() if name != "type"}
    unknown = sorted(set(options) - known)
    if unknown:
        near = nearest(unknown[0], known)
        raise ValueError(f"{kind} has no option {_listed(unknown)}{near}; it has {', '.join(sorted(known))}")
    needed = {item.name for item in dataclasses.fields(classes[kind]) if _is_required(item)}
    if missing := sorted(needed - set(options)):
        raise ValueError(f"{kind} lacks {_listed(missing)}; give {', '.join(f'{name} = ...' for name in missing)}")
    try:
        return classes[kind](**options)
    except (TypeError, AttributeError, KeyError, OverflowError) as error:  # values of kinds that no layer takes
        raise ValueError(f"{kind}: {printable(str(error))}") from None


def _is_required(item: dataclasses.Field[Any]) -> bool:
    return item.init and item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def _listed(names: list[str]) -> str:
    """Names from a file, the first ten of them."""
    shown_names = [printable(str(name)[:100]) for name in names[:10]]
    return ", ".join(shown_names + [f"and {len(names) - 10} more"] * (len(names) > 10))


def _restored(value: Any) -> Any:
    if isinstance(value, dict) and "type" in value:
        return from_dict(value)
    if isinstance(value, list):
        return tuple(_restored(part) for part in value)
    return value


def model_from_dict(entry: dict[str, Any], bounds: Limits | None = limits.DEFAULT) -> ModelSpec:
    """Build a :class:`ModelSpec` from what :func:`to_dict` wrote or a TOML file holds.

    Args:
        entry: the table.
        bounds: what the network may ask for; None for a table that you have written yourself.

    Raises:
        ValueError: the layer and what is wrong in it; a network beyond the bounds, with its size.
    """
    if not isinstance(entry, dict):
        raise ValueError(f"a model must be a table with name, input_shape and layers, got {shown(entry)}")
    version = entry.get("version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise ValueError(
            f"this model has schema version {shown(version)}, this program reads {SCHEMA_VERSION}; update the program"
        )
    unknown = sorted(
        set(entry) - {"version", "name", "input_shape", "input_dtype", "layers", "outputs", *BESIDE_A_MODEL}
    )
    missing = sorted({"name", "input_shape", "layers"} - set(entry))
    if unknown or missing:
        raise ValueError(
            f"a model has name, input_shape and layers; missing: {', '.join(missing) or 'none'}, "
            f"unknown: {_listed(unknown) or 'none'}"
        )
    if not isinstance(entry["layers"], (list, tuple)):
        raise ValueError(f"layers must be a list of tables such as {{type = 'Flatten'}}, got {shown(entry['layers'])}")
    if bounds is not None:
        bounds.check_layers(len(entry["layers"]))
    layers = []
    for position, layer in enumerate(entry["layers"]):
        try:
            layers.append(from_dict(layer))
        except ValueError as error:
            raise ValueError(f"model {shown(entry['name'])}, layer {position}: {error}") from None
    spec = ModelSpec(entry["name"], entry["input_shape"], tuple(layers), entry.get("input_dtype"), entry.get("outputs"))
    if bounds is not None:
        bounds.check(spec)
    return spec


def to_json(specification: Any) -> str:
    """Return a specification as JSON text.

    Examples:
        >>> from model_spec import Dense, ModelSpec
        >>> to_json(ModelSpec("net", (4,), (Dense(3),))).splitlines()[:2]
        ['{', '  "version": 1,']
    """
    return json.dumps(to_dict(specification), indent=2)


def model_from_json(text: str, bounds: Limits | None = limits.DEFAULT) -> ModelSpec:
    """Build a :class:`ModelSpec` from JSON text; see :func:`model_from_dict`.

    Examples:
        >>> from model_spec import Dense, ModelSpec, to_json
        >>> spec = ModelSpec("net", (4,), (Dense(3),))
        >>> model_from_json(to_json(spec)) == spec
        True
    """
    return model_from_dict(untrusted.parse_json(text), bounds)


def load_model(path: str | Path, bounds: Limits | None = limits.DEFAULT) -> ModelSpec:
    """Read a model from a ``.toml`` or ``.json`` file.

    Args:
        path: the file.
        bounds: what the network may ask for; None for a file that you have written yourself.

    Raises:
        ValueError: names the file and what is wrong in it.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> lines = ['name = "net"', "input_shape = [4]", "[[layers]]", 'type = "Dense"', "units = 3"]
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     path = Path(directory) / "net.toml"
        ...     _ = path.write_text("\\n".join(lines))
        ...     spec = load_model(path)
        >>> spec.output_shape
        (3,)
    """
    try:
        return model_from_dict(read_table(Path(path)), bounds)
    except FileError:
        raise
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


class FileError(ValueError):
    """A file that cannot be read; the message names it."""


def read_table(path: Path) -> Any:
    """What a ``.toml`` or ``.json`` file holds.

    Raises:
        FileError: no such file, or damage.
    """
    try:
        if path.suffix == ".toml":
            return untrusted.parse_toml(untrusted.read_bytes(path, untrusted.LARGEST_TOML).decode("utf-8-sig"))
        return untrusted.parse_json(untrusted.read_bytes(path, untrusted.LARGEST_TEXT))
    except FileNotFoundError:
        raise FileError(f"no file {path}; give a zoo name or the path of a .toml or .json model") from None
    except (OSError, ValueError) as error:
        raise FileError(f"{path} cannot be read: {printable(str(error))}") from None
