"""How a loss is defined: what the judge holds a loss and its gradient against."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LossDefinition:
    """One way to define the loss.

    Attributes:
        name: short, for reports.
        who: where this definition is found.
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


KERAS = LossDefinition("Keras' own", "Keras")
"""The mean over the batch from logits, penalties without a half."""
