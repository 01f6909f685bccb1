"""Layouts of images and kernels: Keras' own, and those of the from-scratch books and of other frameworks."""

from __future__ import annotations

from typing import Any

import numpy as np

from model_spec.shapes import Shape
from model_spec.validation import one_of

Array = np.ndarray

LAYOUTS = ("NHWC", "NCHW", "columns")
"""Of a batch: images channels last or first, or an example a column, (features, examples)."""

KERNEL_LAYOUTS: dict[int, dict[str, tuple[int, ...]]] = {
    4: {"HWIO": (0, 1, 2, 3), "OIHW": (3, 2, 0, 1), "IOHW": (2, 3, 0, 1), "OHWI": (3, 0, 1, 2)},
    3: {"WIO": (0, 1, 2), "OIW": (2, 1, 0), "IOW": (1, 2, 0), "OWI": (2, 0, 1)},
    2: {"IO": (0, 1), "OI": (1, 0)},
}
"""By number of axes: the foreign layout, and how Keras' kernel is transposed into it."""


_COMMON = ("HWIO", "OIHW", "WIO", "OIW", "IO", "OI")


class SeveralLayoutsError(ValueError):
    """A kernel whose shape does not tell its layout."""


def image_to_layer(layout: str, value: Array, one_example: bool = False) -> Array:
    """A batch (n, h, w, c) in the layer's layout; other ranks stay. A copy: many layers write into what they get."""
    if layout == "NCHW" and value.ndim == 4 - one_example:
        # (n, h, w, c) -> (n, c, h, w)
        value = np.moveaxis(value, -1, -3)
    elif layout == "NCHW" and value.ndim == 3 and not one_example:
        # (n, steps, c) -> (n, c, steps)
        value = value.swapaxes(1, 2)
    elif layout == "columns" and value.ndim == 2:
        # (n, features) -> (features, n)
        value = value.T
    return np.array(value, order="C")


def image_to_keras(layout: str, value: Any, one_example: bool = False) -> Array:
    """What the layer gave, channels last. A copy: some layers use their output again."""
    array = np.asarray(value)
    if layout == "NCHW" and array.ndim == 4 - one_example:
        # (n, c, h, w) -> (n, h, w, c)
        array = np.moveaxis(array, -3, -1)
    elif layout == "NCHW" and array.ndim == 3 and not one_example:
        # (n, c, steps) -> (n, steps, c)
        array = array.swapaxes(1, 2)
    elif layout == "columns" and array.ndim == 2:
        # (features, n) -> (n, features)
        array = array.T
    return np.array(array, order="C")


def kernel_layout_of(kernel: Array | None, shape: Shape, given: str | None, owner: str) -> str:
    """The layout of a foreign kernel: as given, or the only one its shape allows.

    Args:
        kernel: the layer's array, or None where it has none yet.
        shape: in Keras' layout.
        given: what the user says, or None.
        owner: the layer's class, for the message.

    Raises:
        SeveralLayoutsError: several layouts fit.
        ValueError: none does, or the given one does not.
    """
    known = KERNEL_LAYOUTS[len(shape)]
    if given is not None:
        given = {"FCHW": "OIHW"}.get(given, given)
        one_of("kernel_layout", given, known)
    shapes = {name: tuple(shape[axis] for axis in axes) for name, axes in known.items()}
    expected = ", ".join(f"{name} {size}" for name, size in shapes.items())
    if kernel is None:
        if given is None:
            raise ValueError(
                f"{owner} has no kernel array yet, so its layout cannot be seen; give kernel_layout= one of {expected}"
            )
        return given
    fitting = [name for name, size in shapes.items() if size == kernel.shape]
    if given is None:
        # The rarer ones where none of the two that everybody uses fits
        fitting = [name for name in fitting if name in _COMMON] or fitting
    if given is not None and given not in fitting:
        raise ValueError(f"the kernel of {owner} has shape {kernel.shape}, but {given} is {shapes[given]}")
    if given is None and not fitting:
        raise ValueError(f"the kernel of {owner} has shape {kernel.shape}; expected one of {expected}")
    if given is None and len(fitting) > 1:
        raise SeveralLayoutsError(
            f"the kernel of {owner} has shape {kernel.shape}, which fits several layouts; "
            f"give kernel_layout= one of {', '.join(fitting)}"
        )
    return given or fitting[0]
