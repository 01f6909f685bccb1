"""The two ways to run a network: the reference layers as they are written, or a plan of fast blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core_numpy import metrics
from core_numpy.batch import Batch, BatchResult, Tier, all_right
from core_numpy.contract import Array, MaskSources
from core_numpy.engine.plan_cache import PlanCache
from core_numpy.layers import LAYERS
from core_numpy.layers.activation import Activation
from core_numpy.layers.dropout import Dropout
from core_numpy.losses import mean_loss, takes_logits
from core_numpy.network import ForwardPass, Network, Params
from model_spec import losses as loss_rules
from model_spec.layers.ends import is_end

ENGINES = ("auto", "reference", "fast")

_PREDICT_ROWS = 256  # bounds the memory of im2col; results do not depend on it


def fused_steps(network: Network, forward: ForwardPass, rule: loss_rules.Loss) -> int:
    """How many steps at the end the loss takes care of itself, being computed from what stands in front of them."""
    activation, steps = network.last_activation(forward.values)
    return steps if takes_logits(rule, activation) else 0


@dataclass(frozen=True)
class ReferenceTier:
    """The layers of ``core_numpy.layers`` one after the other; they need no plans."""

    network: Network
    refuses_nonfinite = False

    def infer(
        self, params: Params, state: Params, x: Array, plans: PlanCache | None = None, rows: int | None = None
    ) -> Array:
        """See :class:`Tier`."""
        rows = rows or _PREDICT_ROWS
        return np.concatenate([self.network.infer(params, state, x[at : at + rows]) for at in range(0, len(x), rows)])

    def evaluate(
        self, params: Params, state: Params, batch: Batch, plans: PlanCache | None = None
    ) -> tuple[float, Array | None]:
        """See :class:`Tier`."""
        total, rights = 0.0, []
        for at in range(0, len(batch.x), _PREDICT_ROWS):
            y = batch.y[at : at + _PREDICT_ROWS]
            forward = self.network.forward(params, state, batch.x[at : at + _PREDICT_ROWS])
            losses, _ = self._losses(forward, y, batch)
            total += float(losses.sum())
            rights.append(metrics.correct(forward.output, y, batch.rule))
        return total / len(batch.x), all_right(rights)

    def _losses(self, forward: ForwardPass, y: Array, batch: Batch) -> tuple[Array, Array]:
        fused = fused_steps(self.network, forward, batch.rule)
        function = batch.functions(batch.rule, fused > 0 or bool(getattr(batch.rule, "from_logits", False)))
        return function(forward.values[-1 - fused], y)

    def pull_loss(self, params: Params, state: Params, batch: Batch, plans: PlanCache | None = None) -> BatchResult:
        """See :class:`Tier`."""
        network, rule = self.network, batch.rule
        forward = network.forward(params, state, batch.x, batch.training, batch.masks)
        losses, gradients = self._losses(forward, batch.y, batch)
        value, gradient = mean_loss(losses, gradients, len(batch.y), batch.sample_weight)
        correct = metrics.correct(forward.output, batch.y, rule)
        new_state = network.next_state(state, forward) if batch.training else state
        backward = network.backward(
            params, forward, gradient, skip_last=fused_steps(network, forward, rule), need_dx=batch.need_dx
        )
        return BatchResult(value, backward.parameters, correct, new_state, backward.values)

    def pullback(
        self,
        params: Params,
        state: Params,
        x: Array,
        cotangent: Array,
        masks: MaskSources | None,
        training: bool,
        plans: PlanCache | None = None,
    ) -> BatchResult:
        """See :class:`Tier`."""
        forward = self.network.forward(params, state, x, training, masks)
        backward = self.network.backward(params, forward, cotangent)
        return BatchResult(0.0, backward.parameters, None, state, backward.values)


def make_tier(engine: str, network: Network, dtype: str, threads: int | None, workers: str = "auto") -> Tier:
    """The tier for an engine's name; "auto" takes plans wherever they can run the network.

    ``workers`` says who computes the shards of a batch, see ``engine.worker_team``.

    Raises:
        ValueError: "fast" was asked for and the network cannot be run by plans.
    """
    if engine == "reference":
        return ReferenceTier(network)
    reason = why_not_fast(network)
    if reason is None:
        from core_numpy.engine.runner import SHARDS, Runner
        from core_numpy.engine.shard_server import ShardServer
        from core_numpy.engine.worker_team import WorkerTeam

        team = None if workers == "threads" else WorkerTeam(workers, SHARDS - 1, ShardServer, network.spec, dtype)
        return Runner(network, dtype, threads, team=team)
    if engine == "fast":
        raise ValueError(f"engine='fast' cannot run {network.spec.name!r}: {reason}; take engine='auto'")
    return ReferenceTier(network)


def why_not_fast(network: Network) -> str | None:
    """Why plans cannot run this network, or None where they can."""
    for step in network.steps:
        if not is_end(step.layer.spec) and type(step.layer) is not LAYERS.get(type(step.layer.spec).__name__):
            return f"{type(step.layer).__name__} is no layer of core_numpy, so only its own code knows what it does"
    if network.spec.shares_weights:
        return "layers share weights, which plans do not know"
    last = network.steps[-1].layer
    if isinstance(last, Dropout) or (isinstance(last, Activation) and last.spec.activation == "linear"):
        return "it ends in a layer that hands on what it gets, behind which Keras looks for logits"
    return None
