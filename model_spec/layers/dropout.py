"""Dropout: in training, every value is dropped with a given probability and the others are scaled up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_spec.layers.base import LayerSpec
from model_spec.shapes import Shape
from model_spec.validation import positive_integer, real


@dataclass(frozen=True)
class Dropout(LayerSpec):
    """Inverted dropout (Srivastava et al., 2014), as ``keras.layers.Dropout``.

    ``rate`` is the share that is DROPPED (not kept); kept values are multiplied by 1 / (1 - rate).

    ``noise_shape`` is that of the mask, the batch in front: None or the input's size along an axis whose values are
    dropped one by one, 1 along an axis whose values are dropped together. ``(None, 1, 1, None)`` drops whole channels
    of images, as ``keras.layers.SpatialDropout2D`` does (Tompson et al., 2015). It is kept with -1 for None, as TOML
    knows no None.

    Args:
        rate: float of at least 0 and below 1: the share of the values that is dropped in training.
        noise_shape: tuple of integers and None, the batch in front: shape of the mask; None (default) drops every
            value by itself.

    Examples:
        >>> Dropout(0.2, (None, 1, 1, None)).mask_shape((8, 8, 3))
        (1, 1, 3)
    """

    rate: float
    noise_shape: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(rate=real("rate", self.rate, minimum=0, below=1))
        if self.noise_shape is None:
            return
        given = self.noise_shape
        if not isinstance(given, (tuple, list)) or not given or given[0] not in (None, -1):
            raise ValueError(
                f"noise_shape must be None or a tuple with None for the batch in front, such as (None, 1, 1, None), "
                f"got {self.noise_shape!r}"
            )
        sizes = (
            -1 if size in (None, -1) else positive_integer(f"noise_shape[{axis}]", size)
            for axis, size in enumerate(given)
        )
        self._set(noise_shape=tuple(sizes))

    def output_shape(self, input_shape: Shape) -> Shape:
        self.mask_shape(input_shape)
        return input_shape

    def mask_shape(self, input_shape: Shape) -> Shape:
        """Shape of one example's mask for this input shape (without the batch axis).

        Raises:
            ValueError: a ``noise_shape`` that does not fit.
        """
        if self.noise_shape is None:
            return input_shape
        asked = self.noise_shape[1:]
        if len(asked) != len(input_shape) or any(
            size not in (-1, 1, whole) for size, whole in zip(asked, input_shape, strict=True)
        ):
            raise ValueError(
                f"noise_shape {self.noise_shape} does not fit examples of shape {input_shape}: behind the batch it "
                f"takes None, 1 or the size, for each of its {len(input_shape)} axes"
            )
        return tuple(whole if size == -1 else size for size, whole in zip(asked, input_shape, strict=True))
