"""Weights on disk in Keras' own format, written whole or not at all, and checked before a model is touched."""

from __future__ import annotations

import errno
import io
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from keras_models.reading import archive, hdf5
from keras_models.runtime import keras
from model_spec import untrusted
from model_spec.names import printable

SUFFIX = ".weights.h5"
MODEL_SUFFIX = ".keras"
_BESIDE_WEIGHTS = 200_000
"""Bytes a file holds besides the weights' own: groups, names, the configuration."""


def named_variables(model: Any) -> dict[str, Any]:
    """The Keras variables of a model without nested ones, {"conv2d/kernel": variable}."""
    return {f"{layer.name}/{variable.name}": variable for layer in model.layers for variable in layer_variables(layer)}


def layer_variables(layer: Any) -> list[Any]:
    """The Keras variables of one layer that it computes with.

    Not the counter of a Normalization, which nothing reads (keras/src/layers/preprocessing/normalization.py).
    """
    is_normalization = isinstance(layer, keras.layers.Normalization)
    return [variable for variable in layer.weights if not (is_normalization and variable.name == "count")]


def check_path(path: str | Path) -> Path:
    """Return the path of a weight file, whose name must end as Keras wants it."""
    clean = Path(path)
    if not clean.name.endswith(SUFFIX) or clean.name == SUFFIX:
        raise ValueError(f"Keras writes weights to names that end in {SUFFIX}, got {str(path)!r}; add the ending")
    return clean


def save_weights(model: Any, path: str | Path) -> None:
    """Write the weights of a Keras model; a full disk or a kill leaves an old file of that name as it was.

    Raises:
        ValueError: a name without the ending, or a file that cannot be written, with the cause.
    """
    _write_whole(model, model.save_weights, check_path(path), SUFFIX)


def save_model(model: Any, path: str | Path) -> None:
    """Write a whole Keras model to a ``.keras`` file, as :func:`save_weights` writes."""
    target = Path(path)
    if target.suffix != MODEL_SUFFIX:
        raise ValueError(
            f"Keras models are written as {MODEL_SUFFIX}, got {target.name}; name the file {target.stem}{MODEL_SUFFIX}"
        )
    _write_whole(model, model.save, target, MODEL_SUFFIX)


def _check_space(model: Any, directory: Path) -> None:
    """HDF5 tears the whole process down where a disk fills while it writes, so there must be room before it begins."""
    optimizer = getattr(model, "optimizer", None)
    variables = [*model.weights, *(optimizer.variables if optimizer is not None else ())]
    needed = sum(int(np.prod(variable.shape)) * np.dtype(variable.dtype).itemsize for variable in variables)
    wanted, free = needed + _BESIDE_WEIGHTS, shutil.disk_usage(directory).free
    if free < wanted:
        raise OSError(errno.ENOSPC, f"about {wanted} bytes are needed, {free} are free")


def _write_whole(model: Any, write: Callable[[Path], None], target: Path, suffix: str) -> None:
    temporary = target.with_name(f".{target.name[: -len(suffix)]}.{os.getpid()}{suffix}")
    try:
        _check_space(model, target.parent)
        with warnings.catch_warnings():
            # Keras turns its variables into arrays the way NumPy 1 wanted it; NumPy 2 says so each time.
            warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
            write(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except (OSError, RuntimeError) as error:  # h5py raises both
        raise ValueError(f"{target} cannot be written: {error}; check the directory and the space on it") from error
    finally:
        temporary.unlink(missing_ok=True)


def load_weights(scratch: Any, path: str | Path) -> dict[str, np.ndarray]:
    """Return the weights of a file, {"conv2d/kernel": array}, by way of a ``scratch`` model of its architecture.

    Raises:
        ValueError: names the file and the cause: missing, damaged, or written by another architecture.
    """
    return load_foreign_weights(scratch, check_path(path))


def load_foreign_weights(scratch: Any, path: str | Path) -> dict[str, np.ndarray]:
    """:func:`load_weights` from any file that holds weights in one of Keras' layouts.

    These are ``.weights.h5``, ``weights.h5``, ``.h5``, ``.hdf5`` of Keras 2 or of a whole model, and ``.keras``.
    """
    source = Path(path)
    if source.suffix not in (".h5", ".hdf5", MODEL_SUFFIX):
        raise ValueError(f"{source} is no file of Keras; its name ends in .h5, .hdf5 or {MODEL_SUFFIX}")
    if not source.exists():
        raise ValueError(f"{source}: no such file; save the weights first or check the path")
    try:
        count, of_keras_3 = _stored_arrays(source)
        if count != len(scratch.weights):
            raise ValueError(f"it holds {count} weight arrays, this network has {len(scratch.weights)}")
        if of_keras_3 and not source.name.endswith((SUFFIX, MODEL_SUFFIX)):
            # Keras tells the two layouts apart by the file's name
            with tempfile.TemporaryDirectory() as directory:
                scratch.load_weights(shutil.copyfile(source, Path(directory, f"model{SUFFIX}")))
        elif not of_keras_3 and source.name.endswith(SUFFIX):
            with tempfile.TemporaryDirectory() as directory:
                scratch.load_weights(shutil.copyfile(source, Path(directory, "model.h5")))
        else:
            scratch.load_weights(source)
    except Exception as error:
        # Keras and h5py raise many kinds for a damaged file, KeyError and RuntimeError among them.
        reason = printable(" ".join(str(error).split())[:600])
        raise ValueError(
            f"{source} cannot be loaded into this network, which is unchanged: {reason}; "
            f"the file may be damaged or of another architecture"
        ) from None
    return {name: np.array(variable.numpy()) for name, variable in named_variables(scratch).items()}


def _stored_arrays(source: Path) -> tuple[int, bool]:
    """(number of a file's weight arrays, whether they lie as in Keras 3), looked at before Keras opens it.

    Keras itself overlooks layers that are in the file but not in the model.
    """
    size = untrusted.check_size(source, untrusted.LARGEST_FILE)
    if source.suffix == MODEL_SUFFIX:
        weights = archive.read_archive(source, size).weights
        with h5py.File(io.BytesIO(weights), "r") as file:
            paths = hdf5.array_sizes(file, len(weights))
    else:
        with h5py.File(source, "r") as file:
            paths = hdf5.array_sizes(file, size)
            if "layer_names" in file.attrs:
                return len(paths), False
            if "model_weights" in file:
                return sum(path.startswith("model_weights/") for path in paths), False
    stored = [path for path in paths if path.startswith(("layers/", "_layer_checkpoint_dependencies/"))]
    return sum("seed_generator" not in path.split("/") for path in stored), True
