"""Cropping2D: rows and columns at the border of an image are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_spec.layers.base import LayerSpec
from model_spec.shapes import Shape, image_shape
from model_spec.validation import integer_sides


@dataclass(frozen=True)
class Cropping2D(LayerSpec):
    """The image without its border, as ``keras.layers.Cropping2D``.

    ``cropping`` is one integer, (height, width), or ((top, bottom), (left, right)), in cells.

    Args:
        cropping: cells to cut: integer, (height, width) or ((top, bottom), (left, right)). Default 0.

    Examples:
        >>> Cropping2D(2).output_shape((28, 28, 1))
        (24, 24, 1)
    """

    cropping: Any = ((0, 0), (0, 0))

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(cropping=integer_sides("cropping", self.cropping))

    def output_shape(self, input_shape: Shape) -> Shape:
        height, width, channels = image_shape(input_shape)
        (top, bottom), (left, right) = self.cropping
        if height <= top + bottom or width <= left + right:
            raise ValueError(f"cropping {self.cropping} leaves nothing of {height}x{width}; crop less")
        return (height - top - bottom, width - left - right, channels)
