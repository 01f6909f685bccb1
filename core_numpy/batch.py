"""One batch, what is to be done with it and what came of it, and who does it: the interface of both ways to compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from core_numpy.contract import Array, MaskSources
from core_numpy.engine.plan_cache import PlanCache
from core_numpy.losses import LossFunction
from core_numpy.network import Params
from model_spec import losses as loss_rules

LossFunctions = Callable[[loss_rules.Loss, bool], LossFunction]


class BatchResult(NamedTuple):
    """What one batch gave.

    Attributes:
        loss: mean over the batch, without penalties.
        gradients: {layer: {variable: gradient}} of the trainable layers.
        correct: right predictions, or None where the loss has no notion of right.
        state: moving statistics after the batch.
        values: gradient of x, then of the output of every step; None where it was not computed.
    """

    loss: float
    gradients: dict[str, dict[str, Array]]
    correct: Array | None
    state: Params
    values: list[Array | None]


class Batch(NamedTuple):
    """One checked batch and what is to be done with it.

    Attributes:
        x: inputs (n, ...).
        y: targets as the loss takes them.
        rule: the loss.
        functions: gives the loss's function for a rule and whether it takes logits.
        masks: sources of dropout masks in training, else None.
        training: whether batch statistics and dropout are on.
        sample_weight: one weight per example, or None.
        need_dx: whether the gradient of x is wanted.
    """

    x: Array
    y: Array
    rule: loss_rules.Loss
    functions: LossFunctions
    masks: MaskSources | None = None
    training: bool = False
    sample_weight: Array | None = None
    need_dx: bool = False

    def of_rows(self, rows: slice) -> Batch:
        """These rows of it."""
        weights = None if self.sample_weight is None else self.sample_weight[rows]
        return self._replace(x=self.x[rows], y=self.y[rows], sample_weight=weights)


class Tier(Protocol):
    """What a model asks of either way. ``plans`` is the caller's own until the result has been used or copied."""

    @property
    def refuses_nonfinite(self) -> bool:
        """True where ``infer`` and ``pull_loss`` themselves refuse an x with NaN or infinity in it."""

    def infer(self, params: Params, state: Params, x: Array, plans: PlanCache, rows: int | None = None) -> Array:
        """The output in inference mode, at most ``rows`` examples at once."""

    def evaluate(self, params: Params, state: Params, batch: Batch, plans: PlanCache) -> tuple[float, Array | None]:
        """(mean loss, right predictions or None) in inference mode, for any number of examples."""

    def pull_loss(self, params: Params, state: Params, batch: Batch, plans: PlanCache) -> BatchResult:
        """The mean loss and its gradients."""

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


def all_right(parts: Sequence[Array | None]) -> Array | None:
    """Right predictions of all parts of a batch in one array, or None where the loss has no notion of right."""
    found = [part for part in parts if part is not None]
    if len(found) > 1:
        return np.concatenate(found)
    return found[0] if found else None
