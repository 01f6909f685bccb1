"""Permute: the axes of each example change places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_spec.layers.base import LayerSpec
from model_spec.names import shown
from model_spec.shapes import Shape


@dataclass(frozen=True)
class Permute(LayerSpec):
    """The same values with their axes in another order, as ``keras.layers.Permute``.

    ``dims`` names the input's axes in their new order, counted from 1; the batch stays where it is. ``Permute((2, 1))``
    makes (channels, steps) of (steps, channels).

    Args:
        dims: tuple of integers: the axes of the input, counted from 1, in their new order.

    Examples:
        >>> Permute((2, 1)).output_shape((128, 9))
        (9, 128)
    """

    dims: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        dims = self.dims
        if (
            not isinstance(dims, (tuple, list))
            or not dims
            or sorted(map(str, dims)) != sorted(str(axis) for axis in range(1, len(dims) + 1))
        ):
            raise ValueError(f"dims must hold each axis from 1 on once, such as (2, 1), got {shown(dims)}")
        self._set(dims=tuple(int(axis) for axis in dims))

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(self.dims) != len(input_shape):
            raise ValueError(
                f"dims {self.dims} are those of an input with {len(self.dims)} axes besides the batch, got shape "
                f"{input_shape}; name each of its axes"
            )
        return tuple(input_shape[axis - 1] for axis in self.dims)
