"""Runs a network by plans: inference, and the loss with its gradients, for any batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core_numpy import metrics
from core_numpy.batch import Batch, BatchResult, all_right
from core_numpy.contract import Array, MaskSource, MaskSources
from core_numpy.engine.all_reduce import WholeBatch
from core_numpy.engine.layout import Layout
from core_numpy.engine.plan import Plan
from core_numpy.engine.plan_cache import PlanCache, PlanKey
from core_numpy.engine.shards import Workers, chunk_bounds, in_order, shard_bounds, usable_threads
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.dropout import Dropout
from core_numpy.losses import LossFunction, mean_loss, takes_logits
from core_numpy.network import Network, Params
from model_spec.losses import CategoricalCrossentropy, Loss

SHARDS = 2
"""Parts a batch of images is split into; the gradients' last bits depend on it, and on nothing else."""

LEAST_SHARED_FLOPS = 5e7
"""Forward work below which a batch is not split: two threads that take turns in Python save less than they cost.

Measured on the random networks of ``crosscheck speed --study cliffs``: below it one thread is up to twice as fast.
"""

FEW_IMAGES = 4
"""Up to so many images are run batch first: there are too few to fill the innermost axis."""

_PANEL_BYTES = 4 << 20
_LEAST_CHUNK, _LARGEST_CHUNK = 64, 128
_ROWS_AT_ONCE = 1024
_REGISTER = 16
"""float32 numbers of the widest register."""


Work = list[tuple[slice, Plan]]
"""The chunks of one shard, each beside the plan that runs it."""


class Runner:
    """Runs one network in one precision, by plans from the cache that each caller brings.

    It keeps nothing of a call itself, so any number of threads may use it, each with a cache of its own.
    """

    def __init__(self, network: Network, dtype: str, threads: int | None = None, shards: int = SHARDS) -> None:
        self.network = network
        self.dtype = np.dtype(dtype)
        self.has_images = any(isinstance(step.layer, Conv2D) for step in network.steps)
        self.shards = shards
        self.flops = sum(network.spec.flops.values())
        self.workers = Workers(min(threads or usable_threads(), shards), one_blas_thread=self.has_images)
        self.chunk = chunk_size(network, self.dtype) if self.has_images else _ROWS_AT_ONCE
        owners = {name.partition("/")[0] for name in network.spec.trainable_parameters}
        trained = (at for at, step in enumerate(network.steps) if not step.is_activation and step.name in owners)
        self.first_trained = next(trained, len(network.steps))

    def _work(
        self, plans: PlanCache, examples: int, backward: bool, whole: bool = False, rows: int | None = None
    ) -> list[Work]:
        """A batch as shards of chunks, at most ``rows`` examples a chunk; ``whole`` keeps each shard in one chunk.

        Only images are sharded, and not where they are few or the network is small.
        """
        many = backward or examples > FEW_IMAGES
        sharded = self.has_images and many and examples * self.flops > LEAST_SHARED_FLOPS
        batch_last = self.has_images and many
        largest = min(rows or self.chunk, self.chunk)
        work, make = [], self._make_plan
        for number, (start, stop) in enumerate(shard_bounds(examples, self.shards if sharded else 1)):
            count = stop - start
            if whole:
                chunk = count
            else:
                chunk = even_chunk(count, largest) if batch_last else largest
            work.append(
                [
                    (slice(at, end), plans.get((number, chunk if batch_last else end - at, backward, batch_last), make))
                    for at, end in chunk_bounds(start, stop, chunk)
                ]
            )
        return work

    def _make_plan(self, key: PlanKey) -> Plan:
        _, examples, backward, batch_last = key
        return Plan(self.network, Layout(batch_last), examples, self.dtype, backward)

    def infer(self, params: Params, state: Params, x: Array, plans: PlanCache, rows: int | None = None) -> Array:
        """The network's output in inference mode, (n, ...) -> (n, *output shape), ``rows`` examples a chunk."""
        result = np.empty((len(x), *self.network.spec.output_shape), self.dtype)
        work = self._work(plans, len(x), backward=False, rows=rows)

        def run(shard: int) -> None:
            _begin(work[shard], params, state)
            for part, plan in work[shard]:
                np.copyto(result[part], plan.forward(x[part]))

        if len(x) <= FEW_IMAGES:
            # Telling BLAS its threads takes as long as a small network
            run(0)
        else:
            self.workers.run(run, len(work))
        return result

    def evaluate(self, params: Params, state: Params, batch: Batch, plans: PlanCache) -> tuple[float, Array | None]:
        """(mean loss, right predictions or None) in inference mode."""
        last, function = self._loss(batch)
        work = self._work(plans, len(batch.x), backward=False)

        def run(shard: int) -> tuple[float, list[Array | None]]:
            total, rights = 0.0, []
            _begin(work[shard], params, state)
            for part, plan in work[shard]:
                output, y = plan.forward(batch.x[part], last), batch.y[part]
                total += float(function(output, y)[0].sum())
                rights.append(self._right(output, plan, last, y, batch.rule))
            return total, rights

        results = self.workers.run(run, len(work))
        total = sum(value for value, _ in results) / len(batch.x)
        return total, all_right([right for _, rights in results for right in rights])

    def _loss(self, batch: Batch) -> tuple[int, LossFunction]:
        """(steps in front of the loss, its function)."""
        fused = takes_logits(batch.rule, _last_activation(self.network))
        function = batch.functions(batch.rule, fused or bool(getattr(batch.rule, "from_logits", False)))
        return len(self.network.steps) - fused, function

    @staticmethod
    def _right(output: Array, plan: Plan, last: int, y: Array, rule: Loss) -> Array | None:
        # A softmax keeps the order of its logits
        predictions = output if isinstance(rule, CategoricalCrossentropy) else plan.finish(last)
        return metrics.correct(predictions, y, rule)

    def pull_loss(self, params: Params, state: Params, batch: Batch, plans: PlanCache) -> BatchResult:
        """The mean loss over the batch and its gradients."""
        last, function = self._loss(batch)

        def start(rows: slice, output: Array, plan: Plan) -> tuple[float, Array, Array | None]:
            weights, y = None if batch.sample_weight is None else batch.sample_weight[rows], batch.y[rows]
            losses, gradients = function(output, y)
            value, gradient = mean_loss(losses, gradients, len(batch.y), weights)
            return value, gradient, self._right(output, plan, last, y, batch.rule)

        return self._pull_back(params, state, batch.x, plans, start, last, batch.masks, batch.training, batch.need_dx)

    def pullback(
        self,
        params: Params,
        state: Params,
        x: Array,
        cotangent: Array,
        masks: MaskSources | None,
        training: bool,
        plans: PlanCache,
    ) -> BatchResult:
        """Gradients of sum(cotangent * output), that of x included."""

        def start(rows: slice, output: Array, plan: Plan) -> tuple[float, Array, Array | None]:
            return 0.0, cotangent[rows], None

        return self._pull_back(params, state, x, plans, start, len(self.network.steps), masks, training, need_dx=True)

    def _pull_back(
        self,
        params: Params,
        state: Params,
        x: Array,
        plans: PlanCache,
        begin: Callable[[slice, Array, Plan], tuple[float, Array, Array | None]],
        last: int,
        masks: MaskSources | None,
        training: bool,
        need_dx: bool,
    ) -> BatchResult:
        """Forward and backward over all chunks; ``begin`` gives (loss, gradient, right) where backward begins."""
        coupled = training and self.network.couples_examples
        work = self._work(plans, len(x), backward=True, whole=coupled or not self.has_images)
        sources = self._mask_sources(masks) if training else {}
        inputs = np.empty_like(x) if need_dx else None
        first = 0 if need_dx else self.first_trained

        def run(shard: int, batch: WholeBatch | None = None) -> tuple[float, list[Array | None]]:
            value, correct = 0.0, []
            _begin(work[shard], params, state, training, batch)
            for part, plan in work[shard]:
                plan.take_masks(sources, part)
                output = plan.forward(x[part], last)
                cost, gradient, right = begin(part, output, plan)
                dx = plan.backward(gradient, last, first, need_dx)
                if inputs is not None and dx is not None:
                    np.copyto(inputs[part], dx)
                value += cost
                correct.append(right)
            return value, correct

        if coupled and len(work) > 1:
            results = self.workers.run_all_reduce(run, len(work), len(x))
        else:
            results = self.workers.run(run, len(work))
        rights = [right for _, correct in results for right in correct]
        # In the order of shards; within one, its full chunks before the remainder
        parts = [plan.gradients() for shard in work for plan in _plans(shard)]
        spec = self.network.spec
        trainable = {str(layer.name) for layer in spec.layers if layer.trainable}
        total = {layer: own for layer, own in in_order(parts).items() if layer in trainable}
        new_state = work[0][0][1].next_state(state) if training else state
        values = [inputs, *[None] * len(self.network.steps)]
        return BatchResult(sum(value for value, _ in results), total, all_right(rights), new_state, values)

    def _mask_sources(self, masks: MaskSources | None) -> dict[int, MaskSource]:
        """The source of every Dropout layer's mask, by its position in the specification."""
        dropping = [
            step.index for step in self.network.steps if isinstance(step.layer, Dropout) and step.layer.spec.rate > 0
        ]
        if masks is None and dropping:
            raise ValueError("Dropout in training needs a source of masks; give masks=keras_masks(seed, call)")
        return {index: masks(index) for index in dropping} if masks else {}


def _plans(work: Work) -> list[Plan]:
    """The different plans of one shard: that of the full chunks, and that of the remainder."""
    return list(dict.fromkeys(plan for _, plan in work))


def _begin(work: Work, params: Params, state: Params, training: bool = False, batch: WholeBatch | None = None) -> None:
    for plan in _plans(work):
        plan.begin(params, state, training, batch)


def even_chunk(examples: int, largest: int) -> int:
    """Examples a chunk so that one plan runs all chunks of a shard, the last one with a few places left empty.

    A plan of its own for the remainder would need as much memory again. Whole registers of examples, where the empty
    places are at most an eighth.

    >>> even_chunk(500, 64), even_chunk(500, 128), even_chunk(66, 64), even_chunk(10, 64)
    (64, 128, 33, 10)
    """
    chunks = -(-examples // largest)
    size = -(-examples // chunks)
    aligned = -(-size // _REGISTER) * _REGISTER
    return aligned if aligned <= largest and 8 * aligned * chunks <= 9 * examples else size


def chunk_size(network: Network, dtype: np.dtype) -> int:
    """Examples a chunk: as many as keep the largest convolution's panel within a few MiB of cache."""
    largest = 1
    for step in network.steps:
        if isinstance(step.layer, Conv2D):
            height, width, channels = network.spec.input_shapes[step.index]
            windows = step.layer.windows(np.empty((1, height, width, 0)))
            largest = max(largest, windows.output[0] * width * (windows.window[0] * channels + 1) * dtype.itemsize)
    chunk = _LEAST_CHUNK
    while chunk < _LARGEST_CHUNK and 2 * chunk * largest <= _PANEL_BYTES:
        chunk *= 2
    return chunk


def _last_activation(network: Network) -> str | None:
    last = network.steps[-1].layer
    return getattr(last.spec, "activation", None) if last.spec.is_function else None
