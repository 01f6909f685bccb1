"""Inputs of a network from a file: an array of an ``.npz`` file, or one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray

_NAMES = ("x", "images", "x_test", "x_train")
"""What the array with the inputs is looked for as, in this order."""


def load_samples(path: Path, input_shape: tuple[int, ...] | None = None) -> Array:
    """Inputs (examples, ...) from a ``.npz`` file or a picture.

    Args:
        path: of the file.
        input_shape: of the network, channels last: a picture is read in as many channels, and grey images without a
            channel axis get one.

    Raises:
        ValueError: the file cannot be read, or holds nothing that could be the inputs.
        ImportError: a picture, and no Pillow.
    """
    if not path.is_file():
        raise ValueError(f"no file {path}; give the path of an .npz file or a picture")
    array = _from_archive(path) if path.suffix == ".npz" else _from_picture(path, input_shape)
    if input_shape is not None and array.shape[1:] == tuple(input_shape[:-1]) and input_shape[-1] == 1:
        # (n, h, w) -> (n, h, w, 1)
        array = array[..., None]
    return array


def _from_archive(path: Path) -> Array:
    try:
        with np.load(path, allow_pickle=False) as archive:
            name = next((name for name in _NAMES if name in archive.files), None)
            if name is None and len(archive.files) == 1:
                name = archive.files[0]
            if name is None:
                raise ValueError(f"it holds {', '.join(archive.files) or 'nothing'}; name the array with the inputs x")
            array: Array = archive[name]
    except Exception as error:  # zipfile and NumPy raise a dozen kinds for a damaged file
        raise ValueError(f"{path} cannot be read as inputs: {error}") from None
    return array


def _from_picture(path: Path, input_shape: tuple[int, ...] | None) -> Array:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise ImportError('reading pictures needs Pillow: pip install "crosscheck[report]"') from None
    mode = "RGB" if input_shape is None or input_shape[-1] == 3 else "L"
    try:
        with Image.open(path) as picture:
            values: Any = np.asarray(picture.convert(mode))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as a picture: {error}") from None
    # (h, w) or (h, w, 3) -> (1, h, w, channels)
    return np.atleast_3d(values)[None]
