"""LayerNormalization: the values of each example get mean 0 and variance 1, then a learned scale and shift."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

from model_spec.initializers import Initializer, Ones, Zeros
from model_spec.layers.base import LayerSpec
from model_spec.shapes import Shape
from model_spec.validation import boolean, positive_real


@dataclass(frozen=True)
class LayerNormalization(LayerSpec):
    """Layer normalization (Ba et al., 2016), as ``keras.layers.LayerNormalization``.

    ``axis`` is one axis or several that are averaged over, and along which scale and shift have values of their own;
    0 is the batch and not among them, -1 the last. Epsilon stands inside the root, the variance is the biased one.

    Args:
        axis: integer or tuple of integers, counted from 1 (0 is the batch) or from -1 back: the axes that are
            normalized together. Default -1.
        epsilon: float above 0, added to the variance inside the root. Default 0.001.
        center: boolean: add a learned beta, shaped as gamma is. Default True.
        scale: boolean: multiply by a learned gamma, one float for each entry that is normalized alike. Default True.

    Examples:
        >>> LayerNormalization().parameter_shapes((7, 7, 16))
        {'gamma': (16,), 'beta': (16,)}
    """

    axis: Any = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        axes = (self.axis,) if isinstance(self.axis, numbers.Integral) else self.axis
        if (
            not isinstance(axes, (tuple, list))
            or not axes
            or any(isinstance(axis, bool) or not isinstance(axis, numbers.Integral) or axis == 0 for axis in axes)
            or len({axis > 0 for axis in axes}) > 1
            or len(set(axes)) < len(axes)
        ):
            raise ValueError(
                f"axis must be an axis or a tuple of different axes, counted from 1 or from -1 back, got {self.axis!r}"
            )
        self._set(
            axis=int(axes[0]) if len(axes) == 1 else tuple(sorted(int(axis) for axis in axes)),
            epsilon=positive_real("epsilon", self.epsilon),
            center=boolean("center", self.center),
            scale=boolean("scale", self.scale),
        )

    def axes(self, rank: int) -> tuple[int, ...]:
        """The axes of an array with ``rank`` axes, the batch among them, counted from 0.

        Raises:
            ValueError: an axis it does not have, or the batch.
        """
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        if any(not (1 <= axis < rank or 1 - rank <= axis <= -1) for axis in axes):
            raise ValueError(
                f"axis {self.axis} must lie in 1..{rank - 1} or {1 - rank}..-1 for an input of {rank - 1} axes "
                "besides the batch"
            )
        return tuple(axis % rank for axis in axes)

    def output_shape(self, input_shape: Shape) -> Shape:
        self.axes(len(input_shape) + 1)
        return input_shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        own = tuple(input_shape[axis - 1] for axis in self.axes(len(input_shape) + 1))
        return {name: own for name, used in (("gamma", self.scale), ("beta", self.center)) if used}

    def initializers(self) -> dict[str, Initializer]:
        return {"gamma": Ones(), "beta": Zeros()}
