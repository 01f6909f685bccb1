"""Runs a network by plans on any batch: cut into shards, which threads or worker processes compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from core_numpy.batch import Batch, BatchResult, all_right
from core_numpy.contract import Array, MaskSource, MaskSources
from core_numpy.engine.all_reduce import WholeBatch
from core_numpy.engine.chunks import ROWS_AT_ONCE, chunk_size, even_chunk
from core_numpy.engine.finite_rows import NonfiniteRows
from core_numpy.engine.plan import Plan
from core_numpy.engine.plan_cache import PlanCache
from core_numpy.engine.shard_runner import ShardRunner, Start, Work, begin
from core_numpy.engine.shard_tasks import InferenceTask, LossTask, Shard, ShardResult, ShardTask
from core_numpy.engine.shards import ShardThreads, add_in_order, shard_bounds, usable_threads
from core_numpy.engine.steps import first_product
from core_numpy.engine.worker_team import WorkerTeam
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.dropout import Dropout
from core_numpy.network import Network, Params
from model_spec.inputs import refuse_nonfinite

SHARDS = 2
"""Parts a batch of images is split into; the gradients' last bits depend on it, and on nothing else."""

LEAST_SHARED_FLOPS = 5e7
"""Forward work below which a batch is not split: two threads that take turns in Python save less than they cost.

Measured on the random networks of ``crosscheck speed --study cliffs``: below it one thread is up to twice as fast.
"""

FEW_IMAGES = 4
"""Up to so many images are run batch first: there are too few to fill the innermost axis."""

_MOST_ROWS = 8192
"""Rows of a large batch that are predicted in one turn."""

Result = TypeVar("Result")
Gathered = TypeVar("Gathered")


class Runner:
    """Runs one network in one precision, by plans from the cache that each caller brings.

    It keeps nothing of a call itself but the worker processes, so any number of threads may use it, each with a cache
    of its own.

    Args:
        network: what to run.
        dtype: "float32" or "float64".
        threads: for the shards of a batch of images; all processors by default.
        shards: parts a batch of images is split into.
        team: processes that compute all shards but the first; threads do without.

    Attributes:
        refuses_nonfinite: see :class:`core_numpy.batch.Tier`.
    """

    def __init__(
        self,
        network: Network,
        dtype: str,
        threads: int | None = None,
        shards: int = SHARDS,
        team: WorkerTeam | None = None,
    ) -> None:
        self.network = network
        self.dtype = np.dtype(dtype)
        self.has_images = any(isinstance(step.layer, Conv2D) for step in network.steps)
        self.shards = shards
        # Shards of images lie batch last, where the first product is another one
        product = None if self.has_images else first_product(network.steps, network.spec.input_shapes)
        self.refuses_nonfinite = product is not None
        self.flops = sum(network.spec.flops.values())
        self.shard_threads = ShardThreads(min(threads or usable_threads(), shards), one_blas_thread=self.has_images)
        # A process each, or none: one that computed two shards would take as long as one thread
        self.team = team if self.has_images and self.shard_threads.threads == shards else None
        self.chunk = chunk_size(network, self.dtype) if self.has_images else ROWS_AT_ONCE
        self.of_shard = ShardRunner(network, self.dtype)

    def _cut(self, examples: int, backward: bool, whole: bool = False, rows: int | None = None) -> list[Shard]:
        """A batch as shards of chunks, at most ``rows`` examples a chunk; ``whole`` keeps each shard in one chunk.

        Only images are sharded, and not where they are few or the network is small.
        """
        batch_last = self.has_images and (backward or examples > FEW_IMAGES)
        sharded = batch_last and examples * self.flops > LEAST_SHARED_FLOPS
        largest = min(rows or self.chunk, self.chunk)
        shards = []
        for number, (start, stop) in enumerate(shard_bounds(examples, self.shards if sharded else 1)):
            count = stop - start
            chunk = count if whole else even_chunk(count, largest) if batch_last else largest
            shards.append(Shard(number, start, stop, chunk, backward, batch_last))
        return shards

    def _run(
        self,
        shards: list[Shard],
        plans: PlanCache,
        here: Callable[[Work], Result],
        task_of: Callable[[], ShardTask[Result] | None],
        gather: Callable[[list[Result]], Gathered],
    ) -> Gathered:
        """What ``gather`` makes of the results of all shards, in their order.

        They are computed by ``here`` in threads, or by the task in worker processes, whose memory they are in until
        ``gather`` has returned.
        """
        task = None if len(shards) == 1 or self.team is None else task_of()
        if task is None or self.team is None:
            return gather(self._run_threads([self.of_shard.work(plans, shard) for shard in shards], here))
        first, *others = shards
        with self.team.borrow((first.backward, others[-1].stop.bit_length())) as team:
            if team is None:
                return gather(self._run_threads([self.of_shard.work(plans, shard) for shard in shards], here))
            for worker, shard in zip(team, others, strict=True):
                worker.begin(*task.request(shard))
            own = self._run_threads([self.of_shard.work(plans, first)], here)
            answers = zip(team, others, strict=True)
            return gather([*own, *(task.result(shard, *worker.finish()) for worker, shard in answers)])

    def _run_threads(self, work: list[Work], here: Callable[[Work], Result]) -> list[Result]:
        return self.shard_threads.run(lambda at: here(work[at]), len(work))

    # Inference

    def infer(self, params: Params, state: Params, x: Array, plans: PlanCache, rows: int | None = None) -> Array:
        """The network's output in inference mode, (n, ...) -> (n, *output shape), ``rows`` examples a chunk.

        Raises:
            ValueError: ``refuses_nonfinite``, and x holds NaN or infinity; so does :meth:`pull_loss`.
        """
        try:
            return self._infer(params, state, x, plans, rows)
        except NonfiniteRows:
            refuse_nonfinite("x", x)
            raise

    def _infer(self, params: Params, state: Params, x: Array, plans: PlanCache, rows: int | None) -> Array:
        if len(x) <= min(rows or FEW_IMAGES, FEW_IMAGES):
            # Telling BLAS its threads takes as long as a small network
            return self.of_shard.infer_few(plans, params, state, x)
        output = np.empty((len(x), *self.network.spec.output_shape), self.dtype)
        # Large batches in turns: the memory shared with worker processes need not hold all of one
        for start in range(0, len(x), _MOST_ROWS):
            turn = slice(start, start + _MOST_ROWS)
            self._infer_turn(params, state, x[turn], output[turn], plans, rows)
        return output

    def _infer_turn(
        self, params: Params, state: Params, x: Array, output: Array, plans: PlanCache, rows: int | None
    ) -> None:
        def here(work: Work) -> None:
            self.of_shard.infer(work, params, state, x, output)

        shards = self._cut(len(x), backward=False, rows=rows)
        self._run(shards, plans, here, lambda: InferenceTask(params, state, x, output), list)

    # The loss

    def evaluate(self, params: Params, state: Params, batch: Batch, plans: PlanCache) -> tuple[float, Array | None]:
        """(mean loss, right predictions or None) in inference mode."""
        results = []
        for start in range(0, len(batch.x), _MOST_ROWS):
            turn = batch.of_rows(slice(start, start + _MOST_ROWS))
            results += self._evaluate_turn(params, state, turn, plans)
        total = sum(result.loss for result in results) / len(batch.x)
        return total, all_right([result.correct for result in results])

    def _evaluate_turn(self, params: Params, state: Params, batch: Batch, plans: PlanCache) -> list[ShardResult]:
        def here(work: Work) -> ShardResult:
            return self.of_shard.evaluate(work, params, state, batch)

        shards = self._cut(len(batch.x), backward=False)
        return self._run(shards, plans, here, lambda: LossTask.of(params, state, batch, {}, self.network.spec), list)

    def pull_loss(self, params: Params, state: Params, batch: Batch, plans: PlanCache) -> BatchResult:
        """The mean loss over the batch and its gradients."""
        try:
            return self._pull_loss(params, state, batch, plans)
        except NonfiniteRows:
            refuse_nonfinite("x", batch.x)
            raise

    def _pull_loss(self, params: Params, state: Params, batch: Batch, plans: PlanCache) -> BatchResult:
        sources = self._mask_sources(batch.masks) if batch.training else {}
        coupled = batch.training and self.network.couples_examples
        if coupled or batch.need_dx:
            last, start = self.of_shard.loss_start(batch, len(batch.x))
            return self._pull_back(params, state, batch.x, plans, start, last, sources, batch.training, batch.need_dx)

        def here(work: Work) -> ShardResult:
            return self.of_shard.pull_loss(work, params, state, batch, sources, 0, len(batch.x))

        shards = self._cut(len(batch.x), backward=True, whole=not self.has_images)

        def task() -> LossTask | None:
            return LossTask.of(params, state, batch, sources, self.network.spec)

        def gather(results: list[ShardResult]) -> BatchResult:
            return self._gather(results, state, [None] * (len(self.network.steps) + 1))

        return self._run(shards, plans, here, task, gather)

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

        sources = self._mask_sources(masks) if training else {}
        return self._pull_back(params, state, x, plans, start, len(self.network.steps), sources, training, need_dx=True)

    def _pull_back(
        self,
        params: Params,
        state: Params,
        x: Array,
        plans: PlanCache,
        start: Start,
        last: int,
        sources: Mapping[int, MaskSource],
        training: bool,
        need_dx: bool,
    ) -> BatchResult:
        """Forward and backward over all shards in threads; ``start`` says where backward begins."""
        coupled = training and self.network.couples_examples
        shards = self._cut(len(x), backward=True, whole=coupled or not self.has_images)
        work = [self.of_shard.work(plans, shard) for shard in shards]
        inputs = np.empty_like(x) if need_dx else None

        def run(shard: int, batch: WholeBatch | None = None) -> ShardResult:
            begin(work[shard], params, state, training, batch)
            return self.of_shard.pull(work[shard], x, start, last, sources, 0, inputs)

        if coupled and len(work) > 1:
            results = self.shard_threads.run_all_reduce(run, len(work), len(x))
        else:
            results = self.shard_threads.run(run, len(work))
        new_state = work[0][0][1].next_state(state) if training else state
        return self._gather(results, new_state, [inputs, *[None] * len(self.network.steps)])

    def _gather(self, results: list[ShardResult], state: Params, values: list[Array | None]) -> BatchResult:
        """What the whole batch gave, added in the order of shards."""
        return BatchResult(
            sum(result.loss for result in results),
            add_in_order([result.gradients for result in results]),
            all_right([result.correct for result in results]),
            state,
            values,
        )

    def _mask_sources(self, masks: MaskSources | None) -> dict[int, MaskSource]:
        """The source of every Dropout layer's mask, by its position in the specification."""
        dropping = [
            step.index for step in self.network.steps if isinstance(step.layer, Dropout) and step.layer.spec.rate > 0
        ]
        if masks is None and dropping:
            raise ValueError("Dropout in training needs a source of masks; give masks=keras_masks(seed, call)")
        return {index: masks(index) for index in dropping} if masks else {}
