"""The one place where window, stride and padding arithmetic is done.

Formulas: Keras' ``compute_conv_output_shape`` and TensorFlow's SAME rule (keras/src/ops/operation_utils.py,
tensorflow/core/framework/common_shape_fns.cc); both are checked against the installed Keras in the tests.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Shape: TypeAlias = tuple[int, ...]
"""A shape without its batch axis."""

Pair: TypeAlias = Any
"""(height, width); a layer also takes one integer for both and stores the pair."""

Sides: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""Cells around an image, ((top, bottom), (left, right))."""

Padding: TypeAlias = str | Sides
"""What a layer with windows adds around its images: "valid" (nothing), "same", or so many cells on each side."""


def window_extent(window: int, dilation: int = 1) -> int:
    """Cells that a window of ``window`` taps spans when its taps lie ``dilation`` apart.

    >>> window_extent(3, 2)
    5
    """
    return (window - 1) * dilation + 1


def axis_padding(padding: Padding, axis: int) -> str | tuple[int, int]:
    """The part of a layer's ``padding`` that concerns one axis: the rule, or cells (before, after).

    >>> axis_padding("same", 0), axis_padding(((1, 2), (0, 0)), 0)
    ('same', (1, 2))
    """
    return padding if isinstance(padding, str) else padding[axis]


def output_size(
    size: int, window: int, stride: int = 1, padding: str | tuple[int, int] = "valid", dilation: int = 1
) -> int:
    """Positions a window takes along an axis of ``size`` cells; 0 or less where it does not fit.

    ``padding`` is "valid", "same" or cells (before, after).

    >>> output_size(28, 3), output_size(28, 3, padding="same"), output_size(28, 5, stride=2)
    (26, 28, 12)
    >>> output_size(28, 3, stride=2, padding=(1, 1))
    14
    """
    if padding == "same":
        return -(-size // stride)
    added = 0 if isinstance(padding, str) else sum(padding)
    return (size + added - window_extent(window, dilation)) // stride + 1


def transposed_size(size: int, window: int, stride: int, padding: str, output_padding: int | None = None) -> int:
    """Cells of an axis on which ``size`` windows stand, as Keras chooses among those that :func:`output_size` allows.

    ``padding`` is "valid" or "same"; ``output_padding`` counts from the smallest axis (keras/src/backend/common/
    backend_utils.py, ``_get_output_shape_given_tf_padding``).

    >>> transposed_size(14, 3, 2, "same"), transposed_size(14, 3, 2, "valid"), transposed_size(14, 3, 2, "same", 0)
    (28, 29, 27)
    """
    if padding == "same":
        return size * stride if output_padding is None else (size - 1) * stride + window % 2 + output_padding
    return (size - 1) * stride + window + (max(stride - window, 0) if output_padding is None else output_padding)


def same_padding(size: int, window: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Cells added (before, after) an axis by ``padding="same"``; the odd cell goes after.

    >>> same_padding(28, 3), same_padding(28, 3, stride=2), same_padding(28, 5, stride=2)
    ((1, 1), (0, 1), (1, 2))
    """
    positions = output_size(size, window, stride, "same")
    total = max((positions - 1) * stride + window_extent(window, dilation) - size, 0)
    return total // 2, total - total // 2


def padding_amount(
    size: int, window: int, stride: int, padding: str | tuple[int, int], dilation: int = 1
) -> tuple[int, int]:
    """Cells added (before, after) an axis: none for ``"valid"``, what is given where cells are given."""
    if not isinstance(padding, str):
        return padding
    return same_padding(size, window, stride, dilation) if padding == "same" else (0, 0)


def padding_that_keeps_size(window: int, dilation: int = 1) -> int:
    """Cells to add on EACH side so that a window of stride 1 keeps the size; the inverse of :func:`output_size`.

    >>> padding_that_keeps_size(3), padding_that_keeps_size(5)
    (1, 2)
    """
    extent = window_extent(window, dilation)
    if extent % 2 == 0:
        raise ValueError(
            f"no equal padding on both sides keeps the size under an even window extent, got {extent}; "
            f'use padding="same", which puts the odd cell after'
        )
    return (extent - 1) // 2


def windowed_shape(
    input_shape: Shape,
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: Padding,
    dilation: tuple[int, int] = (1, 1),
) -> tuple[int, int]:
    """(height, width) of a 2-D sliding window's output; an error where the window does not fit.

    >>> windowed_shape((28, 28, 1), (3, 3), (1, 1), "valid")
    (26, 26)
    """
    height, width = (
        output_size(input_shape[axis], window[axis], strides[axis], axis_padding(padding, axis), dilation[axis])
        for axis in (0, 1)
    )
    if height < 1 or width < 1:
        extents = tuple(window_extent(window[axis], dilation[axis]) for axis in (0, 1))
        raise ValueError(
            f"a window spanning {extents} does not fit into {input_shape[:2]}; "
            f'use a smaller window, padding="same" or a larger input'
        )
    return height, width


def image_shape(input_shape: Shape) -> tuple[int, int, int]:
    """Return the shape as (height, width, channels), or say that an image was expected.

    >>> image_shape((28, 28, 1))
    (28, 28, 1)
    """
    if len(input_shape) != 3:
        raise ValueError(
            f"an image (height, width, channels) was expected, got shape {input_shape}; "
            f"add a Reshape in front, or give the input its channel axis, e.g. (28, 28, 1)"
        )
    height, width, channels = input_shape
    return height, width, channels


def steps_shape(input_shape: Shape) -> tuple[int, int]:
    """Return the shape as (steps, channels), or say that a sequence was expected.

    >>> steps_shape((128, 9))
    (128, 9)
    """
    if len(input_shape) != 2:
        raise ValueError(
            f"a sequence (steps, channels) was expected, got shape {input_shape}; "
            f"add a Reshape in front, or give the input its channel axis, e.g. (128, 1)"
        )
    steps, channels = input_shape
    return steps, channels


def element_count(shape: Shape) -> int:
    """Number of values in one example of this shape.

    >>> element_count((28, 28, 1))
    784
    """
    count = 1
    for size in shape:
        count *= size
    return count
