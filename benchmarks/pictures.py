"""One picture as numbers: what its file says is read rightly, or refused by name; nothing is resized."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

Array = np.ndarray

GROUNDS = {"white": 255, "black": 0}
"""What a transparent picture may be laid on."""

_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}

_TURNS: dict[int, Callable[[Array], Array]] = {
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: np.rot90(values, -1),
    7: lambda values: np.rot90(values, 2).swapaxes(0, 1),
    8: lambda values: np.rot90(values),
}
"""How the pixels of a file are turned upright, by the orientation its EXIF data names (CIPA DC-008, table 6)."""

_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F")

_ORIENTATION, _BITS, _PHOTOMETRIC = 0x0112, 258, 262


@dataclass
class Picture:
    """A picture as it was read.

    Attributes:
        values: (height, width, channels) in the file's own units.
        white: the largest value in these units: 255, 65535 or 1.
        notes: what was done to it, half a sentence each.
    """

    values: Array
    white: float
    notes: list[str] = field(default_factory=list)


class _Refused(ValueError):
    """A picture that could be read in more than one way, or not as it was meant."""


def picture_size(path: Path) -> tuple[int, int]:
    """(height, width) of a picture as it is looked at, turned upright."""
    return _opened(path, lambda picture: _upright_size(picture))


def picture_channels(path: Path) -> int:
    """3 where a picture has colours, 1 where it is grey."""
    return _opened(path, lambda picture: 1 if picture.mode in _GREY_MODES else 3)


def read_picture(
    path: Path, size: tuple[int, int], channels: int, ground: str | None = None, any_float: bool = False
) -> Picture:
    """Read a picture of a certain size.

    Args:
        path: of the file.
        size: (height, width) it must have.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA).
        ground: "white" or "black", what transparent pictures are laid on; None takes white, and black where nothing
            would be seen on white.
        any_float: whether floating-point pixels may go beyond 0..1.

    Raises:
        ValueError: no picture, one of another size, or one whose numbers have no certain meaning, by name.
        ImportError: there is no Pillow.
    """
    if channels not in _CHANNELS:
        raise ValueError(f"{path}: pictures have 1, 3 or 4 channels, the network takes {channels}; give an .npz file")
    return _opened(path, lambda picture: _read(picture, size, channels, ground, any_float))


def _opened(path: Path, use: Callable[[Any], Any]) -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ImportError('reading pictures needs Pillow: pip install "crosscheck[report]"') from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # More pixels than any network here takes
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # By a file, not by its name: Pillow maps what it knows by name, and turned TIFF files in wrong rows
            with open(path, "rb") as file, Image.open(file) as picture:
                if not all(picture.size):
                    # Pillow knows HDF5 and others by their beginning alone
                    raise _Refused(f"is a file of {picture.format_description}, and a picture was expected")
                return use(picture)
    except _Refused as error:
        raise ValueError(f"{path} {error}") from None
    except Exception as error:  # Pillow's readers raise many kinds for damaged files
        raise ValueError(f"{path} cannot be read as a picture: {error}") from None


def _upright_size(picture: Image.Image) -> tuple[int, int]:
    width, height = picture.size
    # TIFF files come turned already, and their size too
    turned = picture.format != "TIFF" and picture.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    return (width, height) if turned else (height, width)


def _read(picture: Image.Image, size: tuple[int, int], channels: int, ground: str | None, any_float: bool) -> Picture:
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":
        raise _Refused(f"holds {frames} pictures (frames); save the one that is meant as a file of its own")
    # Before the pixels are unpacked, which asking a PNG file for its orientation does, too
    deep = any(";16" in str(part) for part in getattr(picture, "tile", ()))
    height, width = picture.size[::-1]
    if sorted((height, width)) != sorted(size):
        _refuse_size((height, width), size)
    picture.load()
    found = _Reading(picture, channels, ground, any_float).read()
    orientation = picture.getexif().get(_ORIENTATION, 1)
    if orientation in _TURNS:
        found.values = np.ascontiguousarray(_TURNS[orientation](found.values))
        found.notes.append(f"turned upright as its EXIF orientation {orientation} says")
    if found.values.shape[:2] != size:
        _refuse_size(found.values.shape[:2], size)
    if frames > 1:
        found.notes.append(f"the first of its {frames} pictures")
    if deep and found.white == 255:
        found.notes.append("the upper 8 of its 16 bits a channel")
    return found


def _refuse_size(found: tuple[int, ...], size: tuple[int, int]) -> None:
    raise _Refused(
        f"is {found[0]} x {found[1]} pixels (height x width), wanted are {size[0]} x {size[1]} as of the others, "
        f"or of those that the network was trained on; resize it in the same way: nothing is resized here"
    )


@dataclass
class _Reading:
    """The pixels of one opened picture, by its mode."""

    picture: Image.Image
    channels: int
    ground: str | None
    any_float: bool

    def read(self) -> Picture:
        mode = self.picture.mode
        if mode.startswith("I;16"):
            return self._whole_numbers()
        if mode == "I":
            if self.picture.format not in ("PNG", "PPM"):
                raise _Refused("has pixels of 32 bits, and nothing says which is white; save it with 8 or 16 bits")
            return self._whole_numbers()
        if mode == "F":
            return self._floats()
        if mode not in ("1", "L", "P", "RGB", "RGBA", "LA", "PA", "La", "RGBa", "CMYK", "YCbCr"):
            raise _Refused(f"is of mode {mode!r}, which is not supported; save it as grey or RGB")
        return self._bytes()

    def _tag(self, tag: int) -> Any:
        value = getattr(self.picture, "tag_v2", {}).get(tag)
        return value[0] if isinstance(value, tuple) else value

    def _whole_numbers(self) -> Picture:
        if "transparency" in self.picture.info:
            raise _Refused("has a transparent colour in 16 bits, which is not supported; save it with 8 bits")
        if self._tag(_PHOTOMETRIC) == 0:
            raise _Refused("has 16 bits with 0 for white, which is not supported; save it with 0 for black")
        values = np.asarray(self.picture).astype(np.float64)
        white = 2.0 ** int(self._tag(_BITS) or 16) - 1
        if values.min() < 0 or values.max() > white:
            raise _Refused(f"has pixels from {values.min():g} to {values.max():g}, beyond 0..{white:g}")
        return Picture(self._grey(values), white, [f"{white:.0f} is white"])

    def _floats(self) -> Picture:
        values = np.asarray(self.picture).astype(np.float64)
        if not np.isfinite(values).all():
            raise _Refused("has pixels that are NaN or infinite; clean it first")
        if not self.any_float and (values.min() < 0 or values.max() > 1):
            raise _Refused(
                f"has floating-point pixels from {values.min():g} to {values.max():g}, and nothing says which is "
                f"white; say it with --divide-by, for instance --divide-by 255"
            )
        return Picture(self._grey(values), 1.0, ["floating point, 1 is white"])

    def _grey(self, values: Array) -> Array:
        if self.channels == 4:
            raise _Refused("is grey in more than 8 bits, the network takes 4 channels; save it as RGBA")
        # (h, w) -> (h, w, channels)
        return np.repeat(values[..., None], self.channels, axis=-1)

    def _bytes(self) -> Picture:
        picture, notes = self.picture, []
        if picture.mode == "CMYK":
            if self.channels == 4:
                raise _Refused("is CMYK, and the network's 4 channels need not be these; give an .npz file")
            notes.append("CMYK turned to RGB without its colour profile")
            picture = picture.convert("RGB")
        if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
            if picture.mode in ("La", "RGBa"):
                picture = picture.convert({"La": "LA", "RGBa": "RGBA"}[picture.mode])
            picture = picture.convert("RGBA")
            if self.channels != 4:
                picture = self._laid_on_ground(picture, notes)
        elif picture.mode in ("P", "YCbCr"):
            picture = picture.convert("RGB")
        if self.channels == 1 and picture.mode == "RGB":
            colours = np.asarray(picture)
            if (colours != colours[..., :1]).any():
                notes.append("colours turned to grey")
        values = np.asarray(picture.convert(_CHANNELS[self.channels])).astype(np.float64)
        # (h, w) or (h, w, c) -> (h, w, c)
        return Picture(values.reshape(*values.shape[:2], self.channels), 255.0, notes)

    def _laid_on_ground(self, picture: Image.Image, notes: list[str]) -> Image.Image:
        from PIL import Image

        pixels = np.asarray(picture).astype(np.float64)
        colours, alpha = pixels[..., :3], pixels[..., 3:] / 255
        if (alpha == 1).all():
            return picture.convert("RGB")

        def laid_on(ground: str) -> Array:
            return np.rint(colours * alpha + GROUNDS[ground] * (1 - alpha)).astype(np.uint8)

        ground, reason = self.ground or "white", ""
        values = laid_on(ground)
        if self.ground is None and (values == values[:1, :1]).all():
            ground, reason = "black", " (on white nothing would be seen)"
            values = laid_on(ground)
        notes.append(f"its transparent parts laid on {ground}{reason}; --ground says otherwise")
        return Image.fromarray(values)


def picture_bytes(values: Array, suffix: str) -> bytes:
    """A picture file of whole numbers (h, w) or (h, w, 3) in 0..255.

    Raises:
        ValueError: Pillow does not write files of this ending.
        ImportError: there is no Pillow.
    """
    try:
        from PIL import Image
    except ImportError:
        raise ImportError('writing pictures needs Pillow: pip install "crosscheck[report]"') from None
    kind = Image.registered_extensions().get(suffix.lower())
    if kind is None:
        raise ValueError(f"no file of the ending {suffix!r} can be written; use .npz, .npy, .png or .tif")
    file = io.BytesIO()
    Image.fromarray(values).save(file, format=kind)
    return file.getvalue()
