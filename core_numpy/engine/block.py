"""A block: one step of a plan with buffers of its own, and the step in front of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from core_numpy.contract import Array, Layer, Variables
from core_numpy.engine.all_reduce import WholeBatch
from core_numpy.engine.layout import Layout, empty, zeros
from model_spec.shapes import Shape


class BuildContext(NamedTuple):
    """What a block is built for.

    Attributes:
        layout: order of axes of every buffer.
        examples: of one chunk.
        dtype: of all numbers.
        training: whether backward will follow.
        border: ((top, bottom), (left, right)) cells of zeros the next block wants around its input.
        gradients: {variable: array} that the gradients of a trained layer go to; empty for others.
    """

    layout: Layout
    examples: int
    dtype: np.dtype
    training: bool
    border: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    gradients: Mapping[str, Array] = MappingProxyType({})

    def buffer(self, example: Shape) -> Array:
        """An uninitialised buffer for one chunk of values of this shape."""
        return empty(self.layout.shape(example, self.examples), self.dtype)

    def bordered(self, example: Shape) -> tuple[Array, Array]:
        """(inside, whole): a buffer for values of this shape; around images stands the border of zeros."""
        if len(example) != 3 or self.border == ((0, 0), (0, 0)):
            whole = self.buffer(example)
            return whole, whole
        (top, bottom), (left, right) = self.border
        height, width, channels = example
        whole = zeros(
            self.layout.shape((top + height + bottom, left + width + right, channels), self.examples), self.dtype
        )
        return whole[self.layout.window(slice(top, top + height), slice(left, left + width))], whole

    def like(self, source: Block) -> tuple[Array, Array]:
        """(inside, whole): a buffer for values of the shape of the source's output."""
        return self.bordered(self.layout.to_rows(source.y).shape[1:])


class Block:
    """The base of all blocks.

    ``y`` is the block's output and ``whole`` the buffer around it, with the border the next block asked for. Forward
    reads ``source.y``; backward takes the gradient of y, which it may overwrite, and returns that of ``source.y``.
    Gradients of parameters add up over the chunks until :meth:`begin` is called. ``training`` says whether dropout and
    batch statistics are on, ``batch`` speaks for all shards of the batch; the plan sets both.
    """

    y: Array
    whole: Array
    batch: WholeBatch
    training = True
    keeps_y = False
    """True where backward reads y again, so that nobody may overwrite it."""
    reads_sign = False
    """True where backward reads no more of y than whether it is positive; a mask may be multiplied onto it."""

    def __init__(self, layer: Layer, source: Block | None, context: BuildContext) -> None:
        self.layer = layer
        self.source = source
        self.context = context

    @property
    def x(self) -> Array:
        """The input: the source's output."""
        if self.source is None:
            raise ValueError("the first block of a plan has no input buffer; its values are handed to it")
        return self.source.y

    def begin(self, params: Variables, state: Variables) -> None:
        """Take these parameters for the chunks to come, and forget all gradients."""

    def forward(self) -> None:
        """Compute y from ``source.y``."""
        raise TypeError(f"{type(self).__name__} has no forward; a block must define it")

    def backward(self, dy: Array, need_dx: bool) -> Array | None:
        """Return the gradient of ``source.y`` (None where it is not needed), and add to the parameters' gradients."""
        raise TypeError(f"{type(self).__name__} has no backward; a block must define it")

    def gradients(self) -> Mapping[str, Array]:
        """Gradients of the parameters in the reference's layout, summed over the chunks since :meth:`begin`.

        The plan copies them to ``context.gradients``, where they are not these arrays themselves.
        """
        return {}
