"""How a Keras model was compiled, as Keras writes it down: of a model in memory, or of its file."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from keras_models.runtime import keras

Entry = dict[str, Any]

FUNCTION = "function"
"""The class that Keras writes down for a function."""

_LARGEST_CONFIGURATION = 1 << 22


def of_model(model: Any) -> Entry:
    """The entry of a compiled model; ``steps`` are those its optimizer has taken.

    It is made from the objects themselves: Keras writes down the name alone of a function, whoever has written it.
    """
    arguments = getattr(getattr(model, "_compile_config", None), "config", {})
    optimizer = getattr(model, "optimizer", None)
    return {
        "loss": _loss(model.loss),
        "optimizer": None if optimizer is None else _optimizer(optimizer),
        "loss_weights": arguments.get("loss_weights"),
        "steps": 0 if optimizer is None else int(optimizer.iterations),
    }


def of_file(path: Path) -> Entry | None:
    """The entry of a ``.keras`` or HDF5 file, as the file has it, with ``steps``; None where it was not compiled.

    ``by_name`` is true of an HDF5 file, which has no more than the names of classes and functions.
    """
    import h5py

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _LARGEST_CONFIGURATION:
                raise ValueError("config.json is too large")
            found: Entry | None = json.loads(archive.read("config.json")).get("compile_config")
            if not found:
                return None
            with h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as file:
                return {**found, "steps": _steps(file, "optimizer/vars/0")}
    with h5py.File(path, "r") as file:
        text = file.attrs.get("training_config")
        if text is None:
            return None
        entry = json.loads(text)
        optimizer = entry.get("optimizer_config")
        name = str((optimizer or {}).get("class_name"))
        if str(file.attrs.get("keras_version", "")).startswith("2.") and name.startswith("Custom>"):
            # Keras 2.11 and later wrote its own optimizers so
            optimizer = {**optimizer, "class_name": name.removeprefix("Custom>")}
        group = f"optimizer_weights/{(optimizer or {}).get('config', {}).get('name')}"
        return {
            "loss": entry.get("loss"),
            "optimizer": optimizer,
            "loss_weights": entry.get("loss_weights"),
            "steps": _steps(file, f"{group}/iteration") or _steps(file, f"{group}/iter:0"),
            "by_name": True,
        }


def named(entry: Any) -> tuple[str, Entry]:
    """(name, options) of a class or function as Keras writes it down.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(entry, str):
        return entry, {}
    if not isinstance(entry, dict) or "class_name" not in entry:
        raise ValueError(f"cannot tell what {entry!r:.80} is")
    options = entry.get("config")
    if isinstance(options, str):  # a function: its name is its configuration
        return options, {}
    return str(entry["class_name"]), dict(options or {})


def is_of_keras(entry: Any) -> bool:
    """False where an entry says that the class or function is somebody's own, whatever its name is.

    HDF5 files never say it, and ``.keras`` files do not say it of a function: :func:`is_bare_function`.
    """
    name, _ = named(entry)
    if isinstance(entry, str) or "module" not in entry:
        return ">" not in name
    if is_bare_function(entry):
        # Keras writes its own functions by their full names
        return getattr(getattr(keras.losses, name, None), "__name__", None) == name
    return str(entry["module"]).partition(".")[0] in ("keras", "tf_keras")


def is_bare_function(entry: Any) -> bool:
    """True for a function in a ``.keras`` file, of which nothing but the name is kept."""
    return isinstance(entry, dict) and (entry.get("class_name"), entry.get("module")) == (FUNCTION, "builtins")


def _loss(loss: Any) -> Any:
    if isinstance(loss, dict):
        return {key: _loss(part) for key, part in loss.items()}
    if isinstance(loss, (list, tuple)):
        return [_loss(part) for part in loss]
    if loss is None:
        return None
    try:
        found = keras.losses.get(loss)
    except ValueError:
        # Keras compiles with any name, and looks for it in the first step
        return loss
    name = getattr(found, "__name__", type(found).__name__)
    if not isinstance(found, keras.losses.Loss):
        module = "keras.losses" if getattr(keras.losses, name, None) is found else None
        return {"module": module, "class_name": FUNCTION, "config": name}
    if not _is_public(found, keras.losses):
        return _by_name(found)
    entry: Entry = keras.saving.serialize_keras_object(found)
    # Keras' own get_config leaves the delta of a Huber loss out
    delta = getattr(found, "_fn_kwargs", {}).get("delta")
    return entry if delta is None else {**entry, "config": {**entry["config"], "delta": delta}}


def _optimizer(optimizer: Any) -> Entry:
    if not _is_public(optimizer, keras.optimizers):
        return _by_name(optimizer)
    schedule = getattr(optimizer, "_learning_rate", None)
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        if not _is_public(schedule, keras.optimizers.schedules):
            # It may have no get_config
            rate = {"learning_rate": _by_name(schedule)}
            return {"module": "keras.optimizers", "class_name": type(optimizer).__name__, "config": rate}
    entry: Entry = keras.saving.serialize_keras_object(optimizer)
    return entry


def _is_public(instance: Any, package: Any) -> bool:
    return getattr(package, type(instance).__name__, None) is type(instance)


def _by_name(instance: Any) -> Entry:
    return {"module": None, "class_name": type(instance).__name__, "config": {}}


def _steps(file: Any, name: str) -> int:
    """The number at this place of a file; 0 where there is none."""
    found = file.get(name)
    is_number = getattr(found, "shape", None) == () and found.dtype.kind in "iu"
    return int(found[()]) if is_number else 0
