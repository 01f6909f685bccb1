"""Normalization: values less a mean, over a deviation, both taken from data beforehand."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

from model_spec.initializers import Initializer, Ones, Zeros
from model_spec.layers.base import LayerSpec
from model_spec.names import shown
from model_spec.shapes import Shape

LEAST_DEVIATION = 1e-7
"""Keras' ``epsilon()``: no deviation is taken smaller."""


@dataclass(frozen=True)
class Normalization(LayerSpec):
    """``(x - mean) / max(sqrt(variance), 1e-7)``, as ``keras.layers.Normalization`` that has been adapted.

    ``axis`` is one axis or several along which mean and variance have values of their own, counted from 1 or from -1
    back; None is one mean and one variance for all values. They are state, 0 and 1 at first: training leaves them as
    they are.

    Args:
        axis: integer, tuple of integers (counted from 1 (0 is the batch) or from -1 back) or None: each place along
            these axes has its own mean and variance; None for one of all. Default -1.

    Examples:
        >>> Normalization().state_shapes((13,))
        {'mean': (13,), 'variance': (13,)}
    """

    axis: Any = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        axes = () if self.axis is None else (self.axis,) if isinstance(self.axis, numbers.Integral) else self.axis
        if (
            not isinstance(axes, (tuple, list))
            or any(isinstance(axis, bool) or not isinstance(axis, numbers.Integral) or axis == 0 for axis in axes)
            or len(set(axes)) < len(axes)
        ):
            raise ValueError(
                "axis must be None, an axis or a tuple of different axes, counted from 1 or from -1 back, got "
                f"{shown(self.axis)}"
            )
        clean = tuple(int(axis) for axis in axes)
        self._set(axis=None if not clean else clean[0] if len(clean) == 1 else clean)

    def axes(self, rank: int) -> tuple[int, ...]:
        """The axes of an array with ``rank`` axes, the batch among them, counted from 0 and in order.

        Raises:
            ValueError: an axis it does not have, the batch, or one axis twice.
        """
        axes = () if self.axis is None else self.axis if isinstance(self.axis, tuple) else (self.axis,)
        found = tuple(sorted(axis % rank for axis in axes if 1 - rank <= axis < rank))
        if len(set(found)) < len(axes):
            raise ValueError(
                f"axis {self.axis} must lie in 1..{rank - 1} or {1 - rank}..-1, no axis twice, for an input of "
                f"{rank - 1} axes besides the batch"
            )
        return found

    def output_shape(self, input_shape: Shape) -> Shape:
        self.axes(len(input_shape) + 1)
        return input_shape

    def state_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        own = tuple(input_shape[axis - 1] for axis in self.axes(len(input_shape) + 1))
        return {"mean": own, "variance": own}

    def initializers(self) -> dict[str, Initializer]:
        return {"mean": Zeros(), "variance": Ones()}
