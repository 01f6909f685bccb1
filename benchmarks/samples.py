"""Inputs of a network from a file: an array of an ``.npz`` or ``.npy`` file, or one picture."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.pictures import picture_size, read_picture
from core_numpy.input_range import input_range
from model_spec import Activation, Dropout, ModelSpec, Rescaling, Reshape
from model_spec.inputs import numeric
from model_spec.several import row_of_inputs

Array = np.ndarray

ARRAYS = (".npz", ".npy")
"""Endings of the files that hold arrays."""

_NAMES = ("x", "images", "x_test", "x_train")
"""What the array with the inputs is looked for as, in this order."""

_PLAUSIBLE_RATIO, _HARMLESS = 100, 1 << 28
"""How much larger than its file an array may be, and how many bytes are never too many."""


@dataclass(frozen=True)
class Samples:
    """Inputs of a network, ready for ``predict``.

    Attributes:
        x: (examples, *input shape).
        divided_by: what the numbers in the file were divided by.
        notes: what was done to them, a sentence each.
    """

    x: Array
    divided_by: float
    notes: tuple[str, ...]


def load_samples(
    path: Path,
    spec: ModelSpec,
    weights: Mapping[str, Array] | None = None,
    divide_by: float | None = None,
    ground: str | None = None,
    limit: int | None = None,
) -> Samples:
    """Inputs for a network from an array file or a picture.

    Pictures are scaled to what the network takes (see ``core_numpy.input_range``); arrays are taken as they are.

    Args:
        path: of the file.
        spec: the network.
        weights: its variables.
        divide_by: divide the numbers in the file by this instead.
        ground: what a transparent picture is laid on; see :func:`benchmarks.pictures.read_picture`.
        limit: only so many rows of an array.

    Raises:
        ValueError: the file cannot be read, or holds nothing that could be the inputs of this network.
        ImportError: a picture, and no Pillow.
    """
    if spec.input_parts:
        return _of_several(path, spec, divide_by, limit)
    if path.suffix.lower() in ARRAYS:
        array = load_array(path)[:limit]
        x, notes = _fitted(array, spec)
        if (
            divide_by is None
            and spec.input_dtype is not None
            and np.dtype(spec.input_dtype).kind in "iu"
            and _fractions_alone(x)
        ):
            notes.append(
                f"this network cuts its inputs to whole numbers ({spec.input_dtype}): between 0 and 1 all become 0; "
                f"--divide-by {1 / 255:.6f} makes 0..1 to 0..255"
            )
        expected = input_range(spec, weights).largest
        if divide_by is None and expected == 1 and len(spec.input_shape) > 1 and _whole_pixels(x):
            notes.append("whole numbers up to 255 taken as they are; --divide-by 255 makes them 0..1")
        with np.errstate(over="ignore"):
            return Samples(x if divide_by is None else x / divide_by, divide_by or 1.0, tuple(notes))
    return _from_picture(path, spec, weights, divide_by, ground)


def _of_several(path: Path, spec: ModelSpec, divide_by: float | None, limit: int | None) -> Samples:
    """Several inputs, each by its name, as the row they travel in."""
    given = load_inputs(path)
    if not isinstance(given, dict):
        names = ", ".join(str(part.name) for part in spec.input_parts)
        raise ValueError(
            f"{spec.name!r} has several inputs, and {path} is read as one; give an .npz file with an array for each: "
            f"{names}"
        )
    with np.errstate(over="ignore"):
        x = {name: numeric(name, array)[:limit] / (divide_by or 1) for name, array in given.items()}
    return Samples(row_of_inputs(x, spec), divide_by or 1.0, ())


def load_inputs(path: Path) -> Array | dict[str, Array]:
    """The inputs in an ``.npz`` or ``.npy`` file: one array, or, where it has none named x, all arrays by their names.

    Raises:
        ValueError: see :func:`load_array`.
    """
    if path.suffix.lower() == ".npz" and path.is_file() and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = [entry.removesuffix(".npy") for entry in archive.namelist()]
        if len(names) > 1 and not set(names) & set(_NAMES):
            return {name: load_array(path, name) for name in names}
    return load_array(path)


def load_array(path: Path, name: str | None = None) -> Array:
    """The array with the inputs in an ``.npz`` or ``.npy`` file, or that of this name.

    Raises:
        ValueError: no such file, another kind of file, or nothing in it that could be the inputs.
    """
    if not path.is_file():
        raise ValueError(f"no file {path}; give the path of an .npz or .npy file")
    if path.suffix.lower() not in ARRAYS:
        raise ValueError(f"{path} is no file of arrays; give an .npz or .npy file")
    try:
        if path.suffix.lower() == ".npy":
            # Mapped: a header that claims more than the file holds takes no memory
            with np.errstate(over="ignore"):
                array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        else:
            array = _from_archive(path, name)
    except Exception as error:  # zipfile and NumPy raise a dozen kinds for a damaged file
        raise ValueError(f"{path} cannot be read as inputs: {error}") from None
    return array


def _from_archive(path: Path, name: str | None) -> Array:
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
    name = name or next((name for name in _NAMES if name in entries), None)
    if name is None:
        raise ValueError(f"it holds {', '.join(entries) or 'nothing'}; name the array with the inputs x")
    claimed, stored = entries[name].file_size, entries[name].compress_size
    if claimed > _HARMLESS and claimed > _PLAUSIBLE_RATIO * stored:
        raise ValueError(f"{name} claims to unpack {stored:,} bytes to {claimed:,}; store it uncompressed (np.savez)")
    with np.load(path, allow_pickle=False) as arrays:
        array: Array = arrays[name]
    if not isinstance(array, np.ndarray):
        # NumPy gives the bytes of what it did not write
        raise ValueError(f"{name} is no array as NumPy writes it; save it with np.savez({name}=...)")
    return array


def _fitted(array: Array, spec: ModelSpec) -> tuple[Array, list[str]]:
    """The array with the axes the network wants, where there is one way only, and what was done."""
    shape, found = spec.input_shape, array.shape
    if found == shape:
        return array[None], ["one example without an axis for examples"]
    if found[1:] == shape:
        return array, []
    if len(found) > 1 and (found[1:] == shape[:-1] and shape[-1] == 1 or found[1:] == (*shape, 1)):
        # (n, h, w) -> (n, h, w, 1), or back
        return array.reshape(len(array), *shape), []
    if len(shape) == 1 and len(found) in (3, 4) and int(np.prod(found[1:])) == shape[0]:
        # (n, h, w) -> (n, h * w)
        return array.reshape(len(array), -1), [f"images {found[1:]} laid out row by row as {shape[0]} numbers"]
    return array, []


def _fractions_alone(x: Array) -> bool:
    return bool(x.dtype.kind == "f" and x.size and x.min() >= 0 and x.max() <= 1 and (x != np.floor(x)).any())


def _whole_pixels(x: Array) -> bool:
    return bool(x.dtype.kind in "ui" and x.size and 2 < x.max() <= 255)


def _from_picture(
    path: Path, spec: ModelSpec, weights: Mapping[str, Array] | None, divide_by: float | None, ground: str | None
) -> Samples:
    if not path.is_file():
        raise ValueError(f"no file {path}; give the path of an .npz or .npy file or of a picture")
    (height, width, channels), notes = _picture_shape(path, spec)
    picture = read_picture(path, (height, width), channels, ground, any_float=divide_by is not None)
    expected = input_range(spec, weights)
    divisor = picture.white / expected.largest if divide_by is None else divide_by
    reason = f" (this network takes 0..{expected.largest:g}: {expected.reason})" if expected.reason else ""
    scaled = f"its pixels, 0..{picture.white:g}, divided by {divisor:g}" + (reason if divide_by is None else "")
    with np.errstate(over="ignore"):
        x = picture.values.reshape(1, *spec.input_shape) / divisor
    return Samples(x, divisor, (*notes, *picture.notes, scaled))


def _picture_shape(path: Path, spec: ModelSpec) -> tuple[tuple[int, int, int], list[str]]:
    """(height, width, channels) a picture for this network must have, and what is to be said of it."""
    shape = spec.input_shape
    if len(shape) == 1:
        # What flat inputs are made into first says which images they are
        shape = next((layer.target_shape for layer in _first_layers(spec) if isinstance(layer, Reshape)), shape)
    if len(shape) in (2, 3):
        return (shape[0], shape[1], shape[2] if len(shape) == 3 else 1), []
    if len(shape) != 1:
        raise ValueError(f"{path}: a picture is no input of shape {shape}; give an .npz or .npy file")
    height, width = picture_size(path)
    for channels in (1, 3):
        if height * width * channels == shape[0]:
            return (height, width, channels), [f"{height} x {width} pixels laid out row by row as {shape[0]} numbers"]
    raise ValueError(
        f"{path} is {height} x {width} pixels (height x width), the network takes {shape[0]} numbers; "
        f"nothing is resized here"
    )


def _first_layers(spec: ModelSpec) -> list[object]:
    """The layers up to the first that does more than hand on or scale what it gets."""
    found: list[object] = []
    for layer in spec.layers:
        found.append(layer)
        if not isinstance(layer, (Rescaling, Dropout, Activation)):
            break
    return found
