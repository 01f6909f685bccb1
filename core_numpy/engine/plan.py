"""A plan: the blocks of one network for chunks of one size, forward and backward."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from core_numpy.contract import Array, MaskSource
from core_numpy.engine import elementwise
from core_numpy.engine.all_reduce import OneShard, WholeBatch
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.block_choice import block_for
from core_numpy.engine.borders import NONE, WithBorder, WithoutBorder, border_of, border_of_value, wanted_border
from core_numpy.engine.finite_rows import FiniteProduct
from core_numpy.engine.layout import TAKEN, Layout, TurnRows, zeros
from core_numpy.engine.steps import first_product, pooled_first, readers_of, reads_rows_once
from core_numpy.layers.build import Step
from core_numpy.network import Network, Params, unflatten
from core_numpy.vectors import parts_of


class Entry(Block):
    """Takes the rows of a chunk into the plan's layout."""

    keeps_y = True

    def __init__(self, example: tuple[int, ...], context: BuildContext, copies: bool) -> None:
        self.context, self.copies, self.source = context, copies, None
        if copies:
            self.y, self.whole = context.bordered(example)
            self.turn = TurnRows((context.examples, *example), context.dtype)
        else:
            # Only a shape until the first chunk comes
            self.y = self.whole = np.broadcast_to(
                context.dtype.type(0), context.layout.shape(example, context.examples)
            )

    def take(self, rows: Array) -> None:
        """Use these rows (n, ...) for the next chunk; where they are fewer than its examples, the others are zeros."""
        if self.copies:
            inside = self.context.layout.to_rows(self.y)
            self.turn.copy(rows, inside[: len(rows)])
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
        borders = [border_of_value(steps, readers, at, spec.input_shapes) for at in range(len(steps) + 1)]
        context = BuildContext(layout, examples, dtype, training, borders[0])
        self.entry = Entry(spec.input_shape, context, copies=layout.batch_last or not reads_rows_once(steps, readers))
        self.gradients_of = self._gradient_arrays(network, dtype) if training else {}
        self.steps: list[Step] = list(steps)
        self.blocks: list[Block] = []
        self.in_front: dict[int, WithBorder] = {}
        values: list[Block] = [self.entry]
        for at, step in enumerate(steps):
            sources = [values[source] for source in step.sources]
            wish = wanted_border(step, spec.input_shapes)
            if wish is not None and border_of(sources[0]) != wish:
                if wish == NONE:
                    sources = [WithoutBorder(sources[0])]
                else:
                    self.in_front[at] = WithBorder(sources[0], wish)
                    sources = [self.in_front[at]]
            alone = len(readers[step.sources[0]]) == 1
            gradients = {} if step.is_activation else self.gradients_of.get(step.name, {})
            context = BuildContext(layout, examples, dtype, training, borders[at + 1], gradients)
            block = block_for(steps, at, sources, context, readers, alone)
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
        first = None if layout.batch_last else first_product(steps, spec.input_shapes)
        for at, block in enumerate(self.blocks):
            if at in self.in_front:
                self.forwards.append(self.in_front[at].forward)
            self.forwards.append(FiniteProduct(self.entry, block).forward if at == first else block.forward)
            self.forwards_before.append(len(self.forwards))
        self.nbytes = TAKEN.total - before

    @staticmethod
    def _gradient_arrays(network: Network, dtype: np.dtype) -> dict[str, dict[str, Array]]:
        """Room for the gradients of what is trained, {layer: {variable: array}}: parts of one vector, in order."""
        shapes = {name: network.spec.parameter_shapes[name] for name in network.spec.trainable_parameters}
        vector = zeros((sum(math.prod(shape) for shape in shapes.values()),), dtype)
        return unflatten(parts_of(vector, shapes))

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
        """{layer: {variable: gradient}} of what is trained, summed over the chunks since :meth:`begin`."""
        for block in self.blocks:
            own = block.gradients()
            for name, room in block.context.gradients.items():
                if own[name] is not room:
                    np.copyto(room, own[name])
        return self.gradients_of

    def next_state(self, state: Params) -> Params:
        """Moving statistics after the chunk."""
        result = dict(state)
        for step, block in zip(self.steps, self.blocks, strict=True):
            if not step.is_activation and state[step.name]:
                result[step.name] = getattr(block, "new_state", state[step.name])
        return result
