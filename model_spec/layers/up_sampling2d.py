"""UpSampling2D: every cell of the image is repeated."""

from __future__ import annotations

from dataclasses import dataclass

from model_spec.layers.base import LayerSpec
from model_spec.shapes import Pair, Shape, image_shape
from model_spec.validation import integer_pair


@dataclass(frozen=True)
class UpSampling2D(LayerSpec):
    """Each cell as a block of ``size`` equal cells, as ``keras.layers.UpSampling2D(interpolation="nearest")``.

    Shapes: (height, width, channels) -> (height * size[0], width * size[1], channels).
    """

    size: Pair = (2, 2)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(size=integer_pair("size", self.size))

    def output_shape(self, input_shape: Shape) -> Shape:
        height, width, channels = image_shape(input_shape)
        return (height * self.size[0], width * self.size[1], channels)
