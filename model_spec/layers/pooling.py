"""Pooling: each window of the image becomes one number, its maximum or its mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_spec.layers.base import LayerSpec
from model_spec.shapes import Pair, Shape, image_shape, windowed_shape
from model_spec.validation import boolean, integer_pair, padding_of_windows


@dataclass(frozen=True)
class Pooling2D(LayerSpec):
    """The common part of the window poolings.

    Shapes: (height, width, channels) -> (new height, new width, channels). ``padding`` is "valid", "same", or cells:
    one integer, (height, width) or ((top, bottom), (left, right)), which Keras does with a padding layer in front.
    """

    pool_size: Pair = (2, 2)
    strides: Pair = None
    padding: Any = "valid"

    def __post_init__(self) -> None:
        super().__post_init__()
        pool_size = integer_pair("pool_size", self.pool_size)
        self._set(
            pool_size=pool_size,
            strides=pool_size if self.strides is None else integer_pair("strides", self.strides),
            padding=padding_of_windows(self.padding),
        )

    def output_shape(self, input_shape: Shape) -> Shape:
        image = image_shape(input_shape)
        return (*windowed_shape(image, self.pool_size, self.strides, self.padding), image[2])


class MaxPooling2D(Pooling2D):
    """The largest value of each window, as ``keras.layers.MaxPooling2D``; the first of equals takes the gradient.

    Cells of padding win nowhere.

    Args:
        pool_size: integer, or (height, width) of the window in cells. Default 2.
        strides: integer, or (height, width): cells from one window to the next; None (default) for ``pool_size``.
        padding: "valid" (none, the default), "same" (zeros, an output for every stride), or cells of zeros: integer,
            (height, width) or ((top, bottom), (left, right)).

    Examples:
        >>> MaxPooling2D(2).output_shape((28, 28, 8))
        (14, 14, 8)
        >>> MaxPooling2D(3, strides=2, padding="same").output_shape((28, 28, 8))
        (14, 14, 8)
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.padding, str):
            return
        for axis in (0, 1):
            if max(self.padding[axis]) >= self.pool_size[axis]:
                raise ValueError(
                    f"padding {self.padding} must be smaller than pool_size {self.pool_size} on every side: "
                    f"a window in the padding alone has no largest value"
                )


class AveragePooling2D(Pooling2D):
    """The mean of each window, as ``keras.layers.AveragePooling2D``; "same" counts real cells only.

    Padding given in cells counts, as zeros: PyTorch's default, and what a ``ZeroPadding2D`` in front does.

    Args:
        pool_size: integer, or (height, width) of the window in cells. Default 2.
        strides: integer, or (height, width): cells from one window to the next; None (default) for ``pool_size``.
        padding: "valid" (none, the default), "same" (zeros, an output for every stride), or cells of zeros: integer,
            (height, width) or ((top, bottom), (left, right)).

    Examples:
        >>> AveragePooling2D(2).output_shape((28, 28, 8))
        (14, 14, 8)
    """


@dataclass(frozen=True)
class GlobalPooling2D(LayerSpec):
    """The common part of the global poolings.

    Shapes: (height, width, channels) -> (channels,), or (1, 1, channels) with ``keepdims``.
    """

    keepdims: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        boolean("keepdims", self.keepdims)

    def output_shape(self, input_shape: Shape) -> Shape:
        _, _, channels = image_shape(input_shape)
        return (1, 1, channels) if self.keepdims else (channels,)


class GlobalAveragePooling2D(GlobalPooling2D):
    """The mean of each channel over the whole image, as ``keras.layers.GlobalAveragePooling2D``.

    Args:
        keepdims: boolean: keep the pooled axes, each with the size 1. Default False.

    Examples:
        >>> GlobalAveragePooling2D().output_shape((7, 7, 64))
        (64,)
    """


class GlobalMaxPooling2D(GlobalPooling2D):
    """The largest value of each channel, as ``keras.layers.GlobalMaxPooling2D``; equals share the gradient evenly.

    Args:
        keepdims: boolean: keep the pooled axes, each with the size 1. Default False.

    Examples:
        >>> GlobalMaxPooling2D(keepdims=True).output_shape((7, 7, 64))
        (1, 1, 64)
    """
