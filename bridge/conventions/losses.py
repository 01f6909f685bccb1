"""Losses as other frameworks and books define them, and penalties with or without the half."""

from __future__ import annotations

from bridge.judge.loss_definition import LossDefinition

LOSS_CONVENTIONS: tuple[LossDefinition, ...] = (
    LossDefinition("sum over the batch in place of the mean", "PyTorch's reduction='sum', the books", per_example=1),
    LossDefinition("half of the loss", "the course's 0.5 * sum of squares", factor=0.5),
    LossDefinition("probabilities clipped at 1e-7 in place of logits", "Keras on JAX and PyTorch", clipped=True),
    LossDefinition("L2 penalty with the half", "the course's 0.5 * lambda * W**2", penalty=0.5),
    LossDefinition("L2 penalty without the half, doubled", "a spec translated the wrong way round", penalty=2.0),
    LossDefinition(
        "no penalty in the gradient", "the course adds it to the loss alone", penalty=0.0, penalty_value=1.0
    ),
)
