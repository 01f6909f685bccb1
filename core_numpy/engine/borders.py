"""The border of zeros around what a convolution reads: asked for in front, or made where several read one value."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array
from core_numpy.engine.block import Block

Border = tuple[tuple[int, int], tuple[int, int]]

NONE: Border = ((0, 0), (0, 0))


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
