"""UnitNormalization: the values along one axis, or along several, get length 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_spec.layers.base import LayerSpec
from model_spec.layers.layer_normalization import LayerNormalization
from model_spec.shapes import Shape


@dataclass(frozen=True)
class UnitNormalization(LayerSpec):
    """``x / sqrt(sum(x ** 2))`` along ``axis``, as ``keras.layers.UnitNormalization``.

    ``axis`` is one axis or several; 0 is the batch and not among them, -1 the last.

    Args:
        axis: integer or tuple of integers, counted from 1 (0 is the batch) or from -1 back: the axes whose vectors get
            the length 1. Default -1.

    Examples:
        >>> from core_numpy import NumpyModel
        >>> from model_spec import ModelSpec
        >>> NumpyModel(ModelSpec("net", (2,), (UnitNormalization(),))).predict([[3.0, 4.0]])
        array([[0.6, 0.8]], dtype=float32)
    """

    axis: Any = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(axis=LayerNormalization(self.axis).axis)

    def axes(self, rank: int) -> tuple[int, ...]:
        """As :meth:`LayerNormalization.axes`."""
        return LayerNormalization(self.axis).axes(rank)

    def output_shape(self, input_shape: Shape) -> Shape:
        self.axes(len(input_shape) + 1)
        return input_shape
