"""Weights on disk in Keras' own format, written whole or not at all, and checked before a model is touched."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_models.runtime import keras

SUFFIX = ".weights.h5"
MODEL_SUFFIX = ".keras"
_BESIDE_WEIGHTS = 200_000
"""Bytes a file holds besides the weights' own: groups, names, the configuration."""


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


def load_weights(scratch: Any, path: str | Path) -> list[np.ndarray]:
    """Return the weights of a file, in Keras' order, by way of a ``scratch`` model of the expected architecture.

    Raises:
        ValueError: names the file and the cause: missing, damaged, or written by another architecture.
    """
    source = check_path(path)
    if not source.is_file():
        raise ValueError(f"{source}: no such file; save the weights first or check the path")
    try:
        count = _stored_arrays(source)
        if count != len(scratch.weights):
            raise ValueError(f"it holds {count} weight arrays, this network has {len(scratch.weights)}")
        scratch.load_weights(source)
    except Exception as error:
        # Keras and h5py raise many kinds for a damaged file, KeyError and RuntimeError among them.
        raise ValueError(
            f"{source} cannot be loaded into this network, which is unchanged: {error}; "
            f"the file may be damaged or of another architecture"
        ) from error
    return [np.array(variable.numpy()) for variable in scratch.weights]


def _stored_arrays(source: Path) -> int:
    """Count a file's weight arrays: Keras itself overlooks layers that are in the file but not in the model."""
    with contextlib.redirect_stdout(io.StringIO()):
        editor = keras.saving.KerasFileEditor(str(source))
    return _count(editor.weights_dict.get("layers", {}))


def _count(entry: Any) -> int:
    if not isinstance(entry, dict):
        return 1
    return sum(_count(part) for name, part in entry.items() if name != "seed_generator")
