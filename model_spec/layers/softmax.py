"""Softmax: the values along one axis become probabilities."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import ClassVar

from model_spec.layers.base import LayerSpec
from model_spec.names import shown
from model_spec.shapes import Shape


@dataclass(frozen=True)
class Softmax(LayerSpec):
    """``exp(x) / sum(exp(x))`` along ``axis``, as ``keras.layers.Softmax``.

    The axis is counted from 1, 0 being the batch, or from -1 back. Along the last axis it is ``Activation("softmax")``.

    Args:
        axis: integer, counted from 1 (0 is the batch) or from -1 back: the axis that adds up to 1. Default -1.

    Examples:
        >>> from core_numpy import NumpyModel
        >>> from model_spec import ModelSpec
        >>> NumpyModel(ModelSpec("net", (2,), (Softmax(),))).predict([[1.0, 1.0]])
        array([[0.5, 0.5]], dtype=float32)
    """

    is_function: ClassVar[bool] = True

    axis: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.axis, bool) or not isinstance(self.axis, numbers.Integral) or self.axis == 0:
            raise ValueError(f"axis must be one axis, counted from 1 or from -1 back, got {shown(self.axis)}")
        self._set(axis=int(self.axis))

    @property
    def activation(self) -> str:
        """The function's name."""
        return "softmax"

    def position(self, rank: int) -> int:
        """The axis in an array with ``rank`` axes, the batch among them, counted from 0.

        Raises:
            ValueError: an axis it does not have.
        """
        if not (1 <= self.axis < rank or 1 - rank <= self.axis <= -1):
            raise ValueError(
                f"axis {self.axis} must lie in 1..{rank - 1} or {1 - rank}..-1 for an input of {rank - 1} axes "
                "besides the batch"
            )
        return self.axis % rank

    def output_shape(self, input_shape: Shape) -> Shape:
        self.position(len(input_shape) + 1)
        return input_shape
