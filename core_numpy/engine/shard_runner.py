"""Computes one shard of a batch by plans, chunk after chunk: inference, the loss, and its gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from core_numpy import metrics
from core_numpy.batch import Batch, all_right
from core_numpy.contract import Array, MaskSource
from core_numpy.engine.all_reduce import WholeBatch
from core_numpy.engine.layout import Layout
from core_numpy.engine.plan import Plan
from core_numpy.engine.plan_cache import PlanCache, PlanKey
from core_numpy.engine.shard_tasks import Shard, ShardResult
from core_numpy.engine.shards import add_in_order, chunk_bounds
from core_numpy.losses import LossFunction, mean_loss, takes_logits
from core_numpy.network import Network, Params
from model_spec.losses import CategoricalCrossentropy, Loss

Work = list[tuple[slice, Plan]]
"""The chunks of one shard, each beside the plan that runs it."""

Start = Callable[[slice, Array, Plan], tuple[float, Array, Array | None]]
"""(rows, output, plan) of a chunk -> (loss, gradient, right predictions) where backward begins."""


class ShardRunner:
    """Computes shards of one network's batches, one at a time and in the calling thread.

    It keeps nothing of a call, so any number of threads may use it, each with plans of its own.

    Args:
        network: what to run.
        dtype: of all numbers.
    """

    def __init__(self, network: Network, dtype: np.dtype) -> None:
        self.network = network
        self.dtype = dtype
        owners = {name.partition("/")[0] for name in network.spec.trainable_parameters}
        trained = (at for at, step in enumerate(network.steps) if not step.is_activation and step.name in owners)
        self.first_trained = next(trained, len(network.steps))

    def work(self, plans: PlanCache, shard: Shard) -> Work:
        """The chunks of a shard with their plans."""
        make = self._make_plan
        return [
            (
                slice(at, end),
                plans.get((shard.number, shard.chunk if shard.batch_last else end - at, *shard[-2:]), make),
            )
            for at, end in chunk_bounds(shard.start, shard.stop, shard.chunk)
        ]

    def _make_plan(self, key: PlanKey) -> Plan:
        _, examples, backward, batch_last = key
        return Plan(self.network, Layout(batch_last), examples, self.dtype, backward)

    def infer(self, work: Work, params: Params, state: Params, x: Array, output: Array) -> None:
        """Fill the shard's rows of ``output`` (n, *output shape)."""
        begin(work, params, state)
        for part, plan in work:
            np.copyto(output[part], plan.forward(x[part]))

    def infer_few(self, plans: PlanCache, params: Params, state: Params, x: Array) -> Array:
        """The output (n, *output shape) of a few examples in one chunk, batch first."""
        plan = plans.get((0, len(x), False, False), self._make_plan)
        plan.begin(params, state, training=False)
        return plan.forward(x).copy()

    def evaluate(self, work: Work, params: Params, state: Params, batch: Batch) -> ShardResult:
        """The losses of a shard, added up."""
        last, function = self._loss(batch)
        total, rights = 0.0, []
        begin(work, params, state)
        for part, plan in work:
            output, y = plan.forward(batch.x[part], last), batch.y[part]
            total += float(function(output, y)[0].sum())
            rights.append(self._right(output, plan, last, y, batch.rule))
        return ShardResult(total, all_right(rights), {})

    def pull_loss(
        self,
        work: Work,
        params: Params,
        state: Params,
        batch: Batch,
        sources: Mapping[int, MaskSource],
        first_row: int,
        examples: int,
    ) -> ShardResult:
        """A shard's part of the mean loss over ``examples``, of which ``batch`` begins at ``first_row``."""
        last, start = self.loss_start(batch, examples)
        begin(work, params, state, batch.training)
        return self.pull(work, batch.x, start, last, sources, first_row, None)

    def loss_start(self, batch: Batch, examples: int) -> tuple[int, Start]:
        """(steps in front of the loss, where backward begins) of the mean loss over ``examples``."""
        last, function = self._loss(batch)

        def start(rows: slice, output: Array, plan: Plan) -> tuple[float, Array, Array | None]:
            weights, y = None if batch.sample_weight is None else batch.sample_weight[rows], batch.y[rows]
            losses, gradients = function(output, y)
            value, gradient = mean_loss(losses, gradients, examples, weights)
            return value, gradient, self._right(output, plan, last, y, batch.rule)

        return last, start

    def pull(
        self,
        work: Work,
        x: Array,
        start: Start,
        last: int,
        sources: Mapping[int, MaskSource],
        first_row: int,
        inputs: Array | None,
    ) -> ShardResult:
        """Forward and backward over the chunks of a shard; the gradient of x goes into ``inputs`` where it is given."""
        value, rights, need_dx = 0.0, [], inputs is not None
        for part, plan in work:
            plan.take_masks(sources, slice(first_row + part.start, first_row + part.stop))
            output = plan.forward(x[part], last)
            cost, gradient, right = start(part, output, plan)
            dx = plan.backward(gradient, last, 0 if need_dx else self.first_trained, need_dx)
            if inputs is not None and dx is not None:
                np.copyto(inputs[part], dx)
            value += cost
            rights.append(right)
        # The full chunks before the remainder
        return ShardResult(value, all_right(rights), add_in_order([plan.gradients() for plan in _plans(work)]))

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


def _plans(work: Work) -> list[Plan]:
    """The different plans of one shard: that of the full chunks, and that of the remainder."""
    return list(dict.fromkeys(plan for _, plan in work))


def begin(work: Work, params: Params, state: Params, training: bool = False, batch: WholeBatch | None = None) -> None:
    """Let the plans take these variables, see :meth:`Plan.begin`."""
    for plan in _plans(work):
        plan.begin(params, state, training, batch)


def _last_activation(network: Network) -> str | None:
    last = network.steps[-1].layer
    return getattr(last.spec, "activation", None) if last.spec.is_function else None
