"""Pooling: each window of the image becomes one number, its maximum or its mean."""

from __future__ import annotations

from dataclasses import dataclass

from model_spec.layers.base import LayerSpec
from model_spec.shapes import Pair, Shape, image_shape, windowed_shape
from model_spec.validation import integer_pair, one_of


@dataclass(frozen=True)
class Pooling2D(LayerSpec):
    """The common part of the window poolings.

    Shapes: (height, width, channels) -> (new height, new width, channels).
    """

    pool_size: Pair = (2, 2)
    strides: Pair = None
    padding: str = "valid"

    def __post_init__(self) -> None:
        super().__post_init__()
        pool_size = integer_pair("pool_size", self.pool_size)
        self._set(
            pool_size=pool_size,
            strides=pool_size if self.strides is None else integer_pair("strides", self.strides),
            padding=one_of("padding", self.padding, ("valid", "same")),
        )

    def output_shape(self, input_shape: Shape) -> Shape:
        image = image_shape(input_shape)
        return (*windowed_shape(image, self.pool_size, self.strides, self.padding), image[2])


class MaxPooling2D(Pooling2D):
    """The largest value of each window, as ``keras.layers.MaxPooling2D``; the first of equals takes the gradient."""


class AveragePooling2D(Pooling2D):
    """The mean of each window, as ``keras.layers.AveragePooling2D``; "same" counts real cells only."""


class GlobalPooling2D(LayerSpec):
    """The common part of the global poolings. Shapes: (height, width, channels) -> (channels,)."""

    def output_shape(self, input_shape: Shape) -> Shape:
        return (image_shape(input_shape)[2],)


class GlobalAveragePooling2D(GlobalPooling2D):
    """The mean of each channel over the whole image, as ``keras.layers.GlobalAveragePooling2D``."""


class GlobalMaxPooling2D(GlobalPooling2D):
    """The largest value of each channel, as ``keras.layers.GlobalMaxPooling2D``; equals share the gradient evenly."""
