"""Losses as other frameworks and books define them, and penalties with or without the half."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LossConvention:
    """One other way to define the loss.

    Attributes:
        name: short, for reports.
        who: where the convention is found.
        per_example: factor of the loss and its gradient is the batch size to this power (1: sum in place of mean).
        factor: factor of loss and gradient.
        clipped: computed from clipped probabilities in place of logits.
        penalty: factor of regularization penalties in the gradients.
        penalty_value: their factor in the loss's value; None takes ``penalty``.
    """

    name: str
    who: str
    per_example: int = 0
    factor: float = 1.0
    clipped: bool = False
    penalty: float = 1.0
    penalty_value: float | None = None

    def scale(self, examples: int) -> float:
        """What loss and gradient are multiplied with, for a batch of this size."""
        return self.factor * float(examples) ** self.per_example


KERAS = LossConvention("Keras' own", "Keras")
"""The mean over the batch from logits, penalties without a half."""

LOSS_CONVENTIONS: tuple[LossConvention, ...] = (
    LossConvention("sum over the batch in place of the mean", "PyTorch's reduction='sum', the books", per_example=1),
    LossConvention("half of the loss", "the course's 0.5 * sum of squares", factor=0.5),
    LossConvention("probabilities clipped at 1e-7 in place of logits", "Keras on JAX and PyTorch", clipped=True),
    LossConvention("L2 penalty with the half", "the course's 0.5 * lambda * W**2", penalty=0.5),
    LossConvention("L2 penalty without the half, doubled", "a spec translated the wrong way round", penalty=2.0),
    LossConvention(
        "no penalty in the gradient", "the course adds it to the loss alone", penalty=0.0, penalty_value=1.0
    ),
)
