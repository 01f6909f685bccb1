"""UpSampling2D: more cells of the image, repeated or interpolated."""

from __future__ import annotations

from dataclasses import dataclass

from model_spec.layers.base import LayerSpec
from model_spec.shapes import Pair, Shape, image_shape
from model_spec.validation import integer_pair, one_of


@dataclass(frozen=True)
class UpSampling2D(LayerSpec):
    """``size`` times as many rows and columns, as ``keras.layers.UpSampling2D``.

    Shapes: (height, width, channels) -> (height * size[0], width * size[1], channels). ``interpolation`` is "nearest",
    each cell as a block of equal cells, or "bilinear": straight lines between the centres of the cells, and the
    outermost values beyond them.

    Args:
        size: integer, or (height, width): how many times as many cells. Default 2.
        interpolation: "nearest" (default) or "bilinear".

    Examples:
        >>> UpSampling2D(2).output_shape((7, 7, 8))
        (14, 14, 8)
    """

    size: Pair = (2, 2)
    interpolation: str = "nearest"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(
            size=integer_pair("size", self.size),
            interpolation=one_of("interpolation", self.interpolation, ("nearest", "bilinear")),
        )

    def output_shape(self, input_shape: Shape) -> Shape:
        height, width, channels = image_shape(input_shape)
        return (height * self.size[0], width * self.size[1], channels)
