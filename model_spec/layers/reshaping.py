"""Layers without parameters that move, pad or rescale values: Flatten, Reshape, ZeroPadding2D, Rescaling."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

from model_spec.layers.base import LayerSpec
from model_spec.shapes import Shape, element_count, image_shape
from model_spec.validation import integer_sides, positive_integer, real_or_several


class Flatten(LayerSpec):
    """All values of an example in one row, last axis fastest, as ``keras.layers.Flatten``.

    Examples:
        >>> Flatten().output_shape((5, 5, 64))
        (1600,)
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        return (element_count(input_shape),)


@dataclass(frozen=True)
class Reshape(LayerSpec):
    """The same values in another shape, as ``keras.layers.Reshape``; one axis may be -1.

    Args:
        target_shape: tuple of integers, without the batch; one may be -1, which takes what is left.

    Examples:
        >>> Reshape((8, 8, 1)).output_shape((64,))
        (8, 8, 1)
    """

    target_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        target = self.target_shape
        if isinstance(target, numbers.Integral):
            target = (target,)
        if not isinstance(target, (tuple, list)) or not target or list(target).count(-1) > 1:
            raise ValueError(f"target_shape must be a tuple with at most one -1, got {self.target_shape!r}")
        sizes = (size if size == -1 else positive_integer(f"target_shape[{i}]", size) for i, size in enumerate(target))
        self._set(target_shape=tuple(int(size) for size in sizes))

    def output_shape(self, input_shape: Shape) -> Shape:
        count = element_count(input_shape)
        known = element_count(tuple(size for size in self.target_shape if size != -1))
        fits = count % known == 0 if -1 in self.target_shape else count == known
        if not fits:
            raise ValueError(
                f"target_shape {self.target_shape} cannot hold the {count} values of shape {input_shape}; "
                f"choose sizes whose product is {count}"
            )
        return tuple(count // known if size == -1 else size for size in self.target_shape)


@dataclass(frozen=True)
class ZeroPadding2D(LayerSpec):
    """A border of zeros, as ``keras.layers.ZeroPadding2D``.

    ``padding`` is one integer, (height, width), or ((top, bottom), (left, right)), in cells.

    Args:
        padding: cells of zeros: integer, (height, width) or ((top, bottom), (left, right)). Default 1.

    Examples:
        >>> ZeroPadding2D(((1, 0), (1, 0))).output_shape((28, 28, 1))
        (29, 29, 1)
    """

    padding: Any = ((1, 1), (1, 1))

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(padding=integer_sides("padding", self.padding))

    def output_shape(self, input_shape: Shape) -> Shape:
        height, width, channels = image_shape(input_shape)
        (top, bottom), (left, right) = self.padding
        return (height + top + bottom, width + left + right, channels)


@dataclass(frozen=True)
class Rescaling(LayerSpec):
    """``x * scale + offset``, as ``keras.layers.Rescaling``: one number each, or one for each channel, the last axis.

    Args:
        scale: float, or floats that broadcast with the input, to multiply by. Default 1.0.
        offset: float, or floats that broadcast with the input, added after scaling. Default 0.0.

    Examples:
        >>> from core_numpy import NumpyModel
        >>> from model_spec import ModelSpec
        >>> NumpyModel(ModelSpec("net", (2,), (Rescaling(0.5, offset=1.0),))).predict([[0.0, 4.0]])
        array([[1., 3.]], dtype=float32)
    """

    scale: Any = 1.0
    offset: Any = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(scale=real_or_several("scale", self.scale), offset=real_or_several("offset", self.offset))

    def output_shape(self, input_shape: Shape) -> Shape:
        for name, value in (("scale", self.scale), ("offset", self.offset)):
            if isinstance(value, tuple) and len(value) != input_shape[-1]:
                raise ValueError(
                    f"{name} has {len(value)} numbers, expected one number or {input_shape[-1]}, one for each channel"
                )
        return input_shape
