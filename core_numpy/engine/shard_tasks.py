"""What is asked of a worker process: the arrays of one shard that it reads and fills, and what it says beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from core_numpy.batch import Batch
from core_numpy.contract import Array, MaskSource
from core_numpy.engine.shared_memory import ArrayLayout
from core_numpy.losses import loss_function
from core_numpy.masks import FastMask, KerasMask
from core_numpy.network import Params, flatten, unflatten
from model_spec import ModelSpec

Result_co = TypeVar("Result_co", covariant=True)

Request = tuple[dict[str, Array], dict[str, ArrayLayout], dict[str, Any]]
"""Arrays to read, variables by Keras' names among them; arrays to fill; and what else there is to know."""


class Shard(NamedTuple):
    """Rows ``start`` to ``stop`` of a batch.

    Attributes:
        number: which one of the batch.
        start: its first row.
        stop: behind its last row.
        chunk: examples at once, at most.
        backward: whether backward follows.
        batch_last: whether the batch is the innermost axis.
    """

    number: int
    start: int
    stop: int
    chunk: int
    backward: bool
    batch_last: bool

    @property
    def rows(self) -> slice:
        """Its rows of the batch."""
        return slice(self.start, self.stop)


class ShardResult(NamedTuple):
    """What one shard gave.

    Attributes:
        loss: its part of the batch's loss.
        correct: right predictions, or None where the loss has no notion of right.
        gradients: {layer: {variable: gradient}}, views of a plan's buffers, which hold until its next call, or of the
            memory of a worker process, which hold as long as it is borrowed.
    """

    loss: float
    correct: Array | None
    gradients: dict[str, dict[str, Array]]


class ShardTask(Protocol[Result_co]):
    """Work that any shard of a batch can be given to a process for."""

    def request(self, shard: Shard) -> Request:
        """What the process is asked."""

    def result(self, shard: Shard, value: Any, results: dict[str, Array]) -> Result_co:
        """What its answer says."""


class InferenceTask(NamedTuple):
    """Fill a shard's rows of ``output``."""

    params: Params
    state: Params
    x: Array
    output: Array

    def request(self, shard: Shard) -> Request:
        """See :class:`ShardTask`."""
        layout = ((shard.stop - shard.start, *self.output.shape[1:]), self.output.dtype.str)
        inputs = {**flatten(self.params), **flatten(self.state), "x": self.x[shard.rows]}
        return inputs, {"output": layout}, {"shard": shard}

    def result(self, shard: Shard, value: Any, results: dict[str, Array]) -> None:
        """See :class:`ShardTask`."""
        np.copyto(self.output[shard.rows], results["output"])


class LossTask(NamedTuple):
    """The loss of a shard, and the gradients of the trainable parameters where backward follows."""

    params: Params
    state: Params
    batch: Batch
    sources: Mapping[int, MaskSource]
    trainable: tuple[str, ...]

    @classmethod
    def of(
        cls, params: Params, state: Params, batch: Batch, sources: Mapping[int, MaskSource], spec: ModelSpec
    ) -> LossTask | None:
        """The task, or None where a process cannot have it: losses and masks of the caller's own code stay with him."""
        known = all(isinstance(source, (KerasMask, FastMask)) for source in sources.values())
        if batch.functions is not loss_function or not known:
            return None
        return cls(params, state, batch, sources, tuple(spec.trainable_parameters))

    def request(self, shard: Shard) -> Request:
        """See :class:`ShardTask`."""
        batch = self.batch.of_rows(shard.rows)
        inputs = {**flatten(self.params), **flatten(self.state), "x": batch.x, "y": batch.y}
        if batch.sample_weight is not None:
            inputs["sample_weight"] = batch.sample_weight
        results = {}
        if shard.backward:
            for name in self.trainable:
                value = inputs[name]
                results[name] = (value.shape, value.dtype.str)
        return (
            inputs,
            results,
            {
                "shard": shard,
                "rule": batch.rule,
                "training": batch.training,
                "sources": dict(self.sources),
                "examples": len(self.batch.x),
            },
        )

    def result(self, shard: Shard, value: tuple[float, Array | None], results: dict[str, Array]) -> ShardResult:
        """See :class:`ShardTask`."""
        return ShardResult(*value, unflatten(results))
