"""A plan: the blocks of one network for chunks of one size, forward and backward."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from core_numpy.contract import Array, Layer, MaskSource
from core_numpy.engine import activations, dense, elementwise, pooling
from core_numpy.engine.all_reduce import OneShard, WholeBatch
from core_numpy.engine.batch_normalization import BatchNormalization
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.borders import NONE, Border, WithBorder, WithoutBorder, border_of
from core_numpy.engine.convolution import Convolution
from core_numpy.engine.depthwise_convolution import DepthwiseConvolution, is_fast
from core_numpy.engine.few_images import FewImagesConvolution, FewImagesMaxPooling
from core_numpy.engine.fused_epilogues import StripMaxPooling, StripRelu
from core_numpy.engine.layout import TAKEN, Layout
from core_numpy.engine.merging import Add, Concatenate, ReferenceMerge
from core_numpy.engine.reference import ReferenceLayer
from core_numpy.engine.softmax import Softmax
from core_numpy.engine.winograd import WinogradConvolution, tile_for
from core_numpy.layers import batch_normalization, merging
from core_numpy.layers.activation import Activation
from core_numpy.layers.build import Step
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.dense import Dense
from core_numpy.layers.depthwise_conv2d import DepthwiseConv2D
from core_numpy.layers.dropout import Dropout
from core_numpy.layers.global_pooling import GlobalAveragePooling2D
from core_numpy.layers.pooling import AveragePooling2D, MaxPooling2D
from core_numpy.layers.reshaping import Rescaling, Reshape
from core_numpy.network import Network, Params
from model_spec import Flatten

ACTIVATIONS: dict[str, type[Block]] = {
    "relu": activations.Relu,
    "tanh": activations.Tanh,
    "sigmoid": activations.Sigmoid,
    "elu": activations.Elu,
    "softmax": Softmax,
}
"""Activations with a block of their own."""


class Entry(Block):
    """Takes the rows of a chunk into the plan's layout."""

    keeps_y = True

    def __init__(self, example: tuple[int, ...], context: BuildContext, copies: bool) -> None:
        self.context, self.copies, self.source = context, copies, None
        if copies:
            self.y, self.whole = context.bordered(example)
        else:
            # Only a shape until the first chunk comes
            self.y = self.whole = np.broadcast_to(
                context.dtype.type(0), context.layout.shape(example, context.examples)
            )

    def take(self, rows: Array) -> None:
        """Use these rows (n, ...) for the next chunk; where they are fewer than its examples, the others are zeros."""
        if self.copies:
            inside = self.context.layout.to_rows(self.y)
            np.copyto(inside[: len(rows)], rows)
            inside[len(rows) :] = 0
        else:
            self.y = self.whole = rows


class Plan:
    """All blocks for ``examples`` rows, or fewer; forward leaves in the buffers what backward reads.

    With fewer rows the other places of the buffers hold examples of zeros, whose gradients are zeros.

    Attributes:
        nbytes: bytes of all buffers.
    """

    def __init__(self, network: Network, layout: Layout, examples: int, dtype: np.dtype, training: bool) -> None:
        before = TAKEN.total
        self.layout = layout
        self.examples = self.used = examples
        self.is_for_training = training
        steps = pooled_first(network.steps)
        spec = network.spec
        readers = readers_of(steps)
        borders = [_border(steps, readers, at, spec.input_shapes) for at in range(len(steps) + 1)]
        context = BuildContext(layout, examples, dtype, training, borders[0])
        self.entry = Entry(spec.input_shape, context, copies=layout.batch_last or not _reads_rows_once(steps, readers))
        self.steps: list[Step] = list(steps)
        self.blocks: list[Block] = []
        self.in_front: dict[int, WithBorder] = {}
        values: list[Block] = [self.entry]
        for at, step in enumerate(steps):
            sources = [values[source] for source in step.sources]
            wish = _wish(step, spec.input_shapes)
            if wish is not None and border_of(sources[0]) != wish:
                if wish == NONE:
                    sources = [WithoutBorder(sources[0])]
                else:
                    self.in_front[at] = WithBorder(sources[0], wish)
                    sources = [self.in_front[at]]
            alone = len(readers[step.sources[0]]) == 1
            context = BuildContext(layout, examples, dtype, training, borders[at + 1])
            block = _block(steps, at, sources, context, readers, alone)
            if len(readers[at + 1]) > 1:
                # Nobody may work in its place
                block.keeps_y, block.reads_sign = True, False
            block.training = training
            self.blocks.append(block)
            values.append(block)
        # Lists of what there is to call, in order: of a single example the calls take most of the time
        self.begins = [
            (block.begin, None if step.is_activation else step.name)
            for step, block in zip(steps, self.blocks, strict=True)
            if type(block).begin is not Block.begin
        ]
        self.forwards: list[Callable[[], None]] = []
        self.forwards_before = [0]
        for at, block in enumerate(self.blocks):
            calls = [self.in_front[at], block] if at in self.in_front else [block]
            self.forwards += [call.forward for call in calls]
            self.forwards_before.append(len(self.forwards))
        self.nbytes = TAKEN.total - before

    def begin(self, params: Params, state: Params, training: bool = True, batch: WholeBatch | None = None) -> None:
        """Take these variables for the chunks to come, and forget all gradients.

        ``training`` switches dropout and batch statistics of a plan that can go backward; the statistics are those of
        ``batch``, by default of one chunk alone.
        """
        if self.is_for_training:
            batch = OneShard(self.examples) if batch is None else batch
            for block in self.blocks:
                block.training, block.batch = training, batch
        for begin, name in self.begins:
            if name is None:
                begin({}, {})
            else:
                begin(params[name], state[name])

    def release(self) -> None:
        """Give all buffers back; the plan is of no use afterwards.

        Blocks know each other in both directions: without this, their memory would wait for the garbage collector.
        """
        for block in (*self.blocks, *self.in_front.values()):
            vars(block).clear()

    def take_masks(self, sources: Mapping[int, MaskSource], rows: slice) -> None:
        """Let every Dropout layer, by its position in the specification, draw its mask for these rows of the batch."""
        for step, block in zip(self.steps, self.blocks, strict=True):
            if step.index in sources and isinstance(block, elementwise.Dropout):
                block.take(sources[step.index], rows)

    def forward(self, rows: Array, stop: int | None = None) -> Array:
        """Run the chunk (n, ...) through the first ``stop`` blocks; return a view of the last one's output, by rows."""
        self.used = len(rows)
        self.entry.take(rows)
        stop = len(self.blocks) if stop is None else stop
        self._run(0, stop)
        return self.layout.to_rows(self.blocks[stop - 1].y if stop else self.entry.y)[: self.used]

    def _run(self, start: int, stop: int) -> None:
        for forward in self.forwards[self.forwards_before[start] : self.forwards_before[stop]]:
            forward()

    def finish(self, start: int) -> Array:
        """Run the blocks from ``start`` on too; return a view of the output, by rows."""
        self._run(start, len(self.blocks))
        return self.layout.to_rows(self.blocks[-1].y)[: self.used]

    def backward(self, dy: Array, start: int, stop: int, need_dx: bool = False) -> Array | None:
        """Pull dy (n, ...), gradient of the output of block ``start`` - 1, back to block ``stop``.

        Blocks before ``stop`` are left out: nothing in front of them is trained. Returns the gradient of the plan's
        input (n, ...) where it is wanted; ``stop`` is 0 then. The gradients of a value that several blocks read are
        added from the last of these to the first.
        """
        cotangent = np.zeros(self.layout.shape(dy.shape[1:], self.examples), dy.dtype)
        np.copyto(self.layout.to_rows(cotangent)[: self.used], dy)
        arrived: dict[int, Array] = {start: cotangent}
        for at in range(start - 1, stop - 1, -1):
            step, block = self.steps[at], self.blocks[at]
            dx = block.backward(arrived.pop(at + 1), need_dx or at > stop)
            if dx is None:
                continue
            for source, part in zip(step.sources, dx if step.merges else (dx,), strict=True):
                earlier = arrived.get(source)
                arrived[source] = part if earlier is None else np.add(earlier, part, out=earlier)
        entry = arrived.get(0) if need_dx else None
        return None if entry is None else self.layout.to_rows(entry)[: self.used]

    def gradients(self) -> dict[str, dict[str, Array]]:
        """{layer: {variable: gradient}}, summed over the chunks since :meth:`begin`."""
        found = {}
        for step, block in zip(self.steps, self.blocks, strict=True):
            own = block.gradients()
            if own:
                found[step.name] = own
        return found

    def next_state(self, state: Params) -> Params:
        """Moving statistics after the chunk."""
        result = dict(state)
        for step, block in zip(self.steps, self.blocks, strict=True):
            if not step.is_activation and state[step.name]:
                result[step.name] = getattr(block, "new_state", state[step.name])
        return result


def pooled_first(steps: Sequence[Step]) -> list[Step]:
    """Each relu in front of a max pooling behind it instead: they commute, and a quarter of the values is left.

    The pooling's gradient goes to the same cell: where the largest value is positive the relu kept it, and where it is
    not the relu passes no gradient at all.
    """
    result, readers = list(steps), readers_of(steps)
    for at in range(len(result) - 1):
        first, second = result[at].layer, result[at + 1].layer
        if readers[at + 1] != [at + 1] or len(readers[result[at].sources[0]]) > 1:
            continue
        if isinstance(first, Activation) and first.spec.activation == "relu" and isinstance(second, MaxPooling2D):
            before, behind = result[at].sources, result[at + 1].sources
            result[at] = dataclasses.replace(result[at + 1], sources=before)
            result[at + 1] = dataclasses.replace(steps[at], sources=behind)
    return result


def readers_of(steps: Sequence[Step]) -> list[list[int]]:
    """Of x and of every step's output, the steps that read it, in order; twice where one reads it twice."""
    found: list[list[int]] = [[] for _ in range(len(steps) + 1)]
    for at, step in enumerate(steps):
        for source in step.sources:
            found[source].append(at)
    return found


def _reads_rows_once(steps: Sequence[Step], readers: Sequence[Sequence[int]]) -> bool:
    """True where a Dense layer comes first, perhaps behind a Flatten: it needs no buffer with the input in it."""
    if readers[0] != [0] or len(readers[1]) > 1:
        return False
    layers = [step.layer for step in steps[:2]]
    if isinstance(layers[0], Reshape) and isinstance(layers[0].spec, Flatten):
        layers = layers[1:]
    return bool(layers) and isinstance(layers[0], Dense)


def _wish(step: Step, input_shapes: Sequence[Any]) -> Border | None:
    """The border that a step needs around its input, a convolution's padding; None where it takes any."""
    layer = step.layer
    if isinstance(layer, DepthwiseConv2D) and is_fast(layer):
        layer = layer.of_one_group
    if not isinstance(layer, Conv2D):
        return None
    height, width, _ = input_shapes[step.index]
    rows, columns = layer.windows(np.empty((1, height, width, 0))).padding_cells
    return rows, columns


def _border(steps: Sequence[Step], readers: Sequence[Sequence[int]], value: int, input_shapes: Sequence[Any]) -> Border:
    """The border that a value gets: that which the first of its readers wants that wants one.

    Activations and dropout hand the wish on, so that they can work in the buffer of the convolution in front.
    """
    for reader in readers[value]:
        wish = _wish(steps[reader], input_shapes)
        if wish is None and isinstance(steps[reader].layer, (Activation, Dropout)):
            wish = _border(steps, readers, reader + 1, input_shapes)
        if wish not in (None, NONE):
            return wish
    return NONE


def _block(
    steps: Sequence[Step],
    at: int,
    sources: Sequence[Block],
    context: BuildContext,
    readers: Sequence[Sequence[int]],
    alone: bool,
) -> Block:
    """The fastest block for a step that reads these blocks; ``alone`` says that nobody else reads them."""
    layer, source = steps[at].layer, sources[0]
    is_vector = source.y.ndim == 2
    match layer:
        case merging.Add():
            return Add(layer, sources, context)
        case merging.Concatenate():
            return Concatenate(layer, sources, context)
        case _ if steps[at].merges:
            return ReferenceMerge(layer, sources, context)
        case Conv2D() if context.layout.batch_last and layer.spec.dilation_rate[1] == 1:
            follows = steps[at + 1].layer if readers[at + 1] == [at + 1] else None
            pooled = _pooled_rows(layer, follows, source)
            height, width, channels, _ = source.y.shape
            tile = tile_for(layer.windows(np.empty((1, height, width, 0))), channels, layer.spec.filters)
            if tile is None:
                return Convolution(layer, source, context, pooled)
            return WinogradConvolution(layer, source, context, tile, pooled)
        case MaxPooling2D() if isinstance(source, Convolution) and source.feeds_pooling:
            return StripMaxPooling(layer, source, context)
        case Activation() if layer.spec.activation == "relu" and alone and _is_in_strips(source, context):
            convolution = source if isinstance(source, Convolution) else source.source
            return StripRelu(layer, source, context, convolution)  # type: ignore[arg-type]
        case Conv2D() if not context.layout.batch_last and not context.training:
            pooled = readers[at + 1] == [at + 1] and isinstance(steps[at + 1].layer, MaxPooling2D)
            return FewImagesConvolution(layer, source, context, feeds_pooling=pooled)
        case MaxPooling2D() if isinstance(source, FewImagesConvolution) and alone:
            return FewImagesMaxPooling(layer, source, context)
        case DepthwiseConv2D() if is_fast(layer):
            return DepthwiseConvolution(layer, source, context)
        case Dense() if is_vector:
            return dense.Dense(layer, source, context)
        case MaxPooling2D():
            return pooling.MaxPooling(layer, source, context)
        case AveragePooling2D():
            return pooling.AveragePooling(layer, source, context)
        case GlobalAveragePooling2D() if not layer.spec.keepdims:
            return pooling.GlobalAveragePooling(layer, source, context)
        case Dropout():
            return elementwise.Dropout(layer, source, context)
        # Of a function along the last axis the values of an example do not lie beside each other
        case Activation() if layer.spec.activation != "log_softmax":
            return ACTIVATIONS.get(layer.spec.activation, activations.Function)(layer, source, context)
        case Rescaling():
            return elementwise.Rescaling(layer, source, context)
        case Reshape() if isinstance(layer.spec, Flatten):
            return elementwise.Flatten(layer, source, context)
        case batch_normalization.BatchNormalization():
            return BatchNormalization(layer, source, context)
    example = context.layout.to_rows(source.y).shape[1:]
    return ReferenceLayer(layer, source, context, layer.spec.output_shape(example))


def _pooled_rows(layer: Conv2D, follows: Layer | None, source: Block) -> int:
    """Rows of a convolution's output that a pooling right behind it takes at once; 1 where it cannot go by strips."""
    if not isinstance(follows, MaxPooling2D):
        return 1
    height, width = source.y.shape[:2]
    rows, columns = layer.windows(np.empty((1, height, width, 0))).output
    windows = follows.windows(np.empty((1, rows, columns, 0)))
    apart = windows.strides == windows.window and windows.padding_cells == ((0, 0), (0, 0))
    return windows.window[0] if apart and windows.window[0] > 1 else 1


def _is_in_strips(source: Block, context: BuildContext) -> bool:
    """True where a relu can follow the block strip by strip, in its buffer."""
    return isinstance(source, (Convolution, StripMaxPooling)) and source.context.border == context.border
