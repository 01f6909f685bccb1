"""What a worker process answers with: the shards of one network's batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from core_numpy.batch import Batch
from core_numpy.contract import Array, MaskSource
from core_numpy.engine.leases import IDLE_BYTES
from core_numpy.engine.plan_cache import PlanCache
from core_numpy.engine.shard_runner import ShardRunner, Work
from core_numpy.engine.shard_tasks import Shard
from core_numpy.losses import loss_function
from core_numpy.network import Network, Params
from model_spec import ModelSpec
from model_spec.losses import Loss


class ShardServer:
    """Computes what a :class:`ShardTask` asks for.

    Args:
        spec: the network.
        dtype: "float32" or "float64".
    """

    def __init__(self, spec: ModelSpec, dtype: str) -> None:
        self.runner, self.plans = ShardRunner(Network.of(spec), np.dtype(dtype)), PlanCache()

    def __call__(self, inputs: dict[str, Array], results: dict[str, Array], shard: Shard, **arguments: Any) -> Any:
        """Compute the shard, of which the inputs are all the rows there are here."""
        variables = {name: value for name, value in inputs.items() if "/" in name}
        params, state = self.runner.network.divide(variables)
        own = shard._replace(start=0, stop=shard.stop - shard.start)
        work = self.runner.work(self.plans, own)
        try:
            if "output" in results:
                return self.runner.infer(work, params, state, inputs["x"], results["output"])
            return self._loss(work, params, state, inputs, results, shard, **arguments)
        finally:
            self.plans.end_call(IDLE_BYTES)

    def _loss(
        self,
        work: Work,
        params: Params,
        state: Params,
        inputs: dict[str, Array],
        results: dict[str, Array],
        shard: Shard,
        rule: Loss,
        training: bool,
        sources: Mapping[int, MaskSource],
        examples: int,
    ) -> tuple[float, Array | None]:
        weights = inputs.get("sample_weight")
        batch = Batch(inputs["x"], inputs["y"], rule, loss_function, None, training, weights)
        if not shard.backward:
            found = self.runner.evaluate(work, params, state, batch)
        else:
            found = self.runner.pull_loss(work, params, state, batch, sources, shard.start, examples)
            for name, room in results.items():
                layer, _, variable = name.partition("/")
                np.copyto(room, found.gradients[layer][variable])
        return found.loss, found.correct
