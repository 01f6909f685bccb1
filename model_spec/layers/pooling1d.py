"""Pooling over steps: each window of a sequence, or all of it, becomes one number, its maximum or its mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from model_spec.layers.over_steps import OverSteps, one_integer
from model_spec.layers.pooling import (
    AveragePooling2D,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    GlobalPooling2D,
    MaxPooling2D,
    Pooling2D,
)
from model_spec.validation import boolean, one_of


@dataclass(frozen=True)
class Pooling1D(OverSteps):
    """The common part of the window poolings. Shapes: (steps, channels) -> (new steps, channels)."""

    over_images: ClassVar[type[Pooling2D]]

    pool_size: int = 2
    strides: int | None = None
    padding: str = "valid"

    def __post_init__(self) -> None:
        super().__post_init__()
        pool_size = one_integer("pool_size", self.pool_size)
        self._set(
            pool_size=pool_size,
            strides=pool_size if self.strides is None else one_integer("strides", self.strides),
            padding=one_of("padding", self.padding, ("valid", "same")),
        )

    @property
    def on_images(self) -> Pooling2D:
        return self.over_images((1, self.pool_size), (1, self.strides), self.padding)


class MaxPooling1D(Pooling1D):
    """The largest value of each window, as ``keras.layers.MaxPooling1D``; the first of equals takes the gradient.

    Args:
        pool_size: integer: steps of the window. Default 2.
        strides: integer: steps from one window to the next; None (default) for ``pool_size``.
        padding: "valid" (none, the default) or "same".

    Examples:
        >>> MaxPooling1D(2).output_shape((128, 9))
        (64, 9)
    """

    over_images = MaxPooling2D


class AveragePooling1D(Pooling1D):
    """The mean of each window, as ``keras.layers.AveragePooling1D``; "same" counts real steps only.

    Args:
        pool_size: integer: steps of the window. Default 2.
        strides: integer: steps from one window to the next; None (default) for ``pool_size``.
        padding: "valid" (none, the default) or "same".

    Examples:
        >>> AveragePooling1D(2).output_shape((128, 9))
        (64, 9)
    """

    over_images = AveragePooling2D


@dataclass(frozen=True)
class GlobalPooling1D(OverSteps):
    """The common part of the global poolings.

    Shapes: (steps, channels) -> (channels,), or (1, channels) with ``keepdims``.
    """

    over_images: ClassVar[type[GlobalPooling2D]]

    keepdims: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        boolean("keepdims", self.keepdims)

    @property
    def on_images(self) -> GlobalPooling2D:
        return self.over_images(self.keepdims)


class GlobalAveragePooling1D(GlobalPooling1D):
    """The mean of each channel over all steps, as ``keras.layers.GlobalAveragePooling1D``.

    Args:
        keepdims: boolean: keep the pooled axes, each with the size 1. Default False.

    Examples:
        >>> GlobalAveragePooling1D().output_shape((128, 9))
        (9,)
    """

    over_images = GlobalAveragePooling2D


class GlobalMaxPooling1D(GlobalPooling1D):
    """The largest value of each channel, as ``keras.layers.GlobalMaxPooling1D``; equals share the gradient evenly.

    Args:
        keepdims: boolean: keep the pooled axes, each with the size 1. Default False.

    Examples:
        >>> GlobalMaxPooling1D(keepdims=True).output_shape((128, 9))
        (1, 9)
    """

    over_images = GlobalMaxPooling2D
