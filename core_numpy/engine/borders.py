"""The border of zeros around what a convolution reads: asked for in front, or made where several read one value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from core_numpy.contract import Array
from core_numpy.engine.block import Block
from core_numpy.engine.depthwise_convolution import is_fast
from core_numpy.layers.activation import Activation
from core_numpy.layers.build import Step
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.depthwise_conv2d import DepthwiseConv2D
from core_numpy.layers.dropout import Dropout

Border = tuple[tuple[int, int], tuple[int, int]]

NONE: Border = ((0, 0), (0, 0))


def wanted_border(step: Step, input_shapes: Sequence[Any]) -> Border | None:
    """The border that a step needs around its input, a convolution's padding; None where it takes any."""
    layer = step.layer
    if isinstance(layer, DepthwiseConv2D) and is_fast(layer):
        layer = layer.of_one_group
    if not isinstance(layer, Conv2D):
        return None
    height, width, _ = input_shapes[step.index]
    rows, columns = layer.windows(np.empty((1, height, width, 0))).padding_cells
    return rows, columns


def border_of_value(
    steps: Sequence[Step], readers: Sequence[Sequence[int]], value: int, input_shapes: Sequence[Any]
) -> Border:
    """The border that a value gets: that which the first of its readers wants that wants one.

    Activations and dropout hand the wish on, so that they can work in the buffer of the convolution in front.
    """
    for reader in readers[value]:
        wish = wanted_border(steps[reader], input_shapes)
        if wish is None and isinstance(steps[reader].layer, (Activation, Dropout)):
            wish = border_of_value(steps, readers, reader + 1, input_shapes)
        if wish not in (None, NONE):
            return wish
    return NONE


def border_of(source: Block) -> Border:
    """The border that stands around a block's output, as far as its buffer shows."""
    return source.context.border if source.whole is not source.y else NONE


class WithoutBorder(Block):
    """The output of a block as a buffer of its own, for who reads it without the border that others asked for."""

    def __init__(self, source: Block) -> None:
        self.source, self.context = source, source.context._replace(border=NONE)
        self.keeps_y = True

    @property
    def y(self) -> Array:  # type: ignore[override]
        """The source's output."""
        return self.x

    @property
    def whole(self) -> Array:  # type: ignore[override]
        """The same."""
        return self.x


class WithBorder(Block):
    """A copy of a block's output with another border than it has."""

    def __init__(self, source: Block, border: Border) -> None:
        self.source, self.context = source, source.context._replace(border=border)
        self.y, self.whole = self.context.like(source)

    def forward(self) -> None:
        """Copy it."""
        np.copyto(self.y, self.x)
