"""Layers that make one value of several: Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import ClassVar

from model_spec.layers.base import LayerSpec
from model_spec.names import shown
from model_spec.shapes import Shape


@dataclass(frozen=True)
class Merge(LayerSpec):
    """The base of all merges: ``inputs`` names two layers or more, whose shapes are the same."""

    merges: ClassVar[bool] = True
    repeats: ClassVar[bool] = False
    """True where an axis of one value is repeated if another input has more, as NumPy broadcasts.

    Not in sums: Keras on TensorFlow takes some of them for biases of channels-first images, and adds along the wrong
    axis (keras/src/backend/tensorflow/numpy.py, ``add``).
    """

    def output_shape(self, input_shape: tuple[Shape, ...]) -> Shape:  # type: ignore[override]
        """The common shape of all inputs."""
        sizes = [set(along) - ({1} if self.repeats else set()) for along in zip(*input_shape, strict=False)]
        if len(set(map(len, input_shape))) > 1 or any(len(along) > 1 for along in sizes):
            also = ", or 1 along an axis" if self.repeats else ""
            raise ValueError(
                f"its inputs have shapes {' and '.join(map(str, input_shape))}, which must be the same{also}; "
                f"bring them to one shape, with a 1x1 convolution for instance"
            )
        return tuple(max(along, default=1) for along in sizes)


class Add(Merge):
    """The sum of all inputs, from first to last, as ``keras.layers.Add``.

    Examples:
        >>> Add(inputs=("left", "right")).output_shape(((4,), (4,)))
        (4,)
    """


class Average(Merge):
    """The mean of all inputs, as ``keras.layers.Average``.

    Examples:
        >>> Average(inputs=("left", "right")).output_shape(((4,), (4,)))
        (4,)
    """


class RepeatingMerge(Merge):
    """The base of merges that repeat axes of one value: (1, 1, channels) stands for every place of an image."""

    repeats: ClassVar[bool] = True


class Subtract(RepeatingMerge):
    """The first input minus the second, as ``keras.layers.Subtract``.

    Examples:
        >>> Subtract(inputs=("left", "right")).output_shape(((4,), (4,)))
        (4,)
    """

    def output_shape(self, input_shape: tuple[Shape, ...]) -> Shape:  # type: ignore[override]
        if len(input_shape) != 2:
            raise ValueError(f"Subtract takes two inputs, got {len(input_shape)}; name two")
        return super().output_shape(input_shape)


class Multiply(RepeatingMerge):
    """The product of all inputs, from first to last, as ``keras.layers.Multiply``.

    Examples:
        >>> Multiply(inputs=("left", "right")).output_shape(((7, 7, 16), (1, 1, 16)))
        (7, 7, 16)
    """


class Maximum(RepeatingMerge):
    """The largest of all inputs, value by value, as ``keras.layers.Maximum``.

    Examples:
        >>> Maximum(inputs=("left", "right")).output_shape(((4,), (4,)))
        (4,)
    """


class Minimum(RepeatingMerge):
    """The smallest of all inputs, value by value, as ``keras.layers.Minimum``.

    Examples:
        >>> Minimum(inputs=("left", "right")).output_shape(((4,), (4,)))
        (4,)
    """


@dataclass(frozen=True)
class Concatenate(Merge):
    """All inputs behind one another along one axis, as ``keras.layers.Concatenate``.

    ``axis`` counts as in Keras: 0 is the batch and refused, 1 the first axis of an example, -1 the last.

    Args:
        axis: integer, counted from 1 (0 is the batch) or from -1 back: the axis along which the inputs are joined.
            Default -1.

    Examples:
        >>> Concatenate(inputs=("left", "right")).output_shape(((7, 7, 16), (7, 7, 8)))
        (7, 7, 24)
    """

    axis: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.axis, bool) or not isinstance(self.axis, numbers.Integral) or self.axis == 0:
            raise ValueError(
                f"axis must be an integer other than 0, which is the batch; -1 is the last, got {shown(self.axis)}"
            )
        self._set(axis=int(self.axis))

    def output_shape(self, input_shape: tuple[Shape, ...]) -> Shape:  # type: ignore[override]
        axes = len(input_shape[0])
        at = self.axis - 1 if self.axis > 0 else axes + self.axis
        if not 0 <= at < axes:
            raise ValueError(
                f"axis {self.axis} is none of an input of shape {input_shape[0]}; choose 1 to {axes} or -1"
            )
        if len({(len(shape), *shape[:at], None, *shape[at + 1 :]) for shape in input_shape}) > 1:
            raise ValueError(
                f"its inputs have shapes {' and '.join(map(str, input_shape))}, which may differ along axis "
                f"{self.axis} only; bring the other axes to one size"
            )
        first = input_shape[0]
        return (*first[:at], sum(shape[at] for shape in input_shape), *first[at + 1 :])
