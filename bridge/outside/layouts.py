"""Layouts of images and kernels: Keras' own, and those of the from-scratch books and of other frameworks."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy.contract import Array
from model_spec.names import nearest, shown
from model_spec.shapes import Shape

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
    """A kernel whose shape does not tell its layout.

    Attributes:
        layouts: that fit.
    """

    def __init__(self, message: str, layouts: tuple[str, ...]) -> None:
        super().__init__(message)
        self.layouts = layouts


def axes_of(layout: str) -> int:
    """How many axes a kernel of this layout has."""
    return len(layout)


def chosen_layouts(given: Any) -> tuple[str, ...]:
    """What ``kernel_layout=`` says: one layout, or one for each kind of kernel.

    Raises:
        ValueError: a word that is no layout, or two layouts for kernels of one kind.
    """
    words = () if given is None else (given,) if isinstance(given, str) else given
    known = [name for layouts in KERNEL_LAYOUTS.values() for name in layouts]
    if not isinstance(words, (tuple, list)) or not all(isinstance(word, str) for word in words):
        raise ValueError(f'kernel_layout must be a layout or several, such as ("OIHW", "IO"), got {shown(given)}')
    chosen = tuple("OIHW" if word == "FCHW" else word for word in words)
    for word in chosen:
        if word not in known:
            raise ValueError(
                f"kernel_layout must be one of {', '.join(known)}, got {shown(word)}{nearest(word, known)}"
            )
    for axes in KERNEL_LAYOUTS:
        of_one_kind = sorted({word for word in chosen if axes_of(word) == axes})
        if len(of_one_kind) > 1:
            raise ValueError(f"kernel_layout has {' and '.join(of_one_kind)} for kernels of {axes} axes; give one")
    return chosen


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


def kernel_layout_of(
    kernel: Array | None, shape: Shape, given: tuple[str, ...], owner: str, *, one_of_many: bool = False
) -> str:
    """The layout of a foreign kernel: as given, or the only one its shape allows.

    Args:
        kernel: the layer's array, or None where it has none yet.
        shape: in Keras' layout.
        given: what the user says, from :func:`chosen_layouts`.
        owner: the layer's class, for the message.
        one_of_many: what is given is meant for other kernels, too, and counts where the shape allows it.

    Raises:
        SeveralLayoutsError: several layouts fit.
        ValueError: none does, or the given one does not.
    """
    known = KERNEL_LAYOUTS[len(shape)]
    chosen = next((layout for layout in given if layout in known), None)
    if given and chosen is None and not one_of_many:
        raise ValueError(f"kernel_layout must be one of {', '.join(known)} for {owner}, got {' and '.join(given)}")
    shapes = {name: tuple(shape[axis] for axis in axes) for name, axes in known.items()}
    expected = ", ".join(f"{name} {size}" for name, size in shapes.items())
    if kernel is None:
        if chosen is None:
            raise SeveralLayoutsError(
                f"{owner} has no kernel array yet, so its layout cannot be seen; give kernel_layout= one of {expected}",
                tuple(known),
            )
        return chosen
    fitting = [name for name, size in shapes.items() if size == kernel.shape]
    if chosen in fitting:
        return str(chosen)
    if chosen is not None and not one_of_many:
        raise ValueError(f"the kernel of {owner} has shape {kernel.shape}, but {chosen} is {shapes[chosen]}")
    # The rarer ones where none of the two that everybody uses fits
    fitting = [name for name in fitting if name in _COMMON] or fitting
    if not fitting:
        raise ValueError(f"the kernel of {owner} has shape {kernel.shape}; expected one of {expected}")
    if len(fitting) > 1:
        raise SeveralLayoutsError(
            f"the kernel of {owner} has shape {kernel.shape}, which fits several layouts; "
            f"give kernel_layout= one of {', '.join(fitting)}",
            tuple(fitting),
        )
    return fitting[0]
