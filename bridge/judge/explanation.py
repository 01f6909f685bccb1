"""What explains a layer that differs: a convention of others that it follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bridge.judge.bounds import ExpectedGradients
from bridge.judge.local import LocalRow, Observed
from model_spec import Gradients


@dataclass(frozen=True)
class Explanation:
    """A convention that explains one culprit.

    Attributes:
        side: the model that follows it.
        layer: the layer, or "loss".
        convention: its name; or a sentence about a slip.
        who: where it is found; "" for a slip, which is nobody's convention.
    """

    side: str
    layer: str
    convention: str
    who: str

    @property
    def is_slip(self) -> bool:
        """True for a mistake, which explains a difference and does not excuse it."""
        return not self.who

    def __str__(self) -> str:
        if self.is_slip:
            return f"{self.layer!r} of {self.side}: {self.convention}"
        return f"{self.layer!r} of {self.side} follows another convention: {self.convention} ({self.who})"


Explain = Callable[[Observed, list[LocalRow]], list[Explanation]]
"""Names the conventions that explain these culprits of one side; ``bridge.conventions.explain`` knows them."""


def explain_nothing(observed: Observed, culprits: list[LocalRow]) -> list[Explanation]:
    """Looks for no convention."""
    return []


ExplainGradients = Callable[[str, Gradients, ExpectedGradients, int, str], list[Explanation]]
"""Names slips by the gradients of one side: (side, what it gave, what it should, size of the batch, precision)."""


def explain_no_gradients(
    side: str, found: Gradients, expected: ExpectedGradients, batch: int, dtype: str
) -> list[Explanation]:
    """Looks for nothing."""
    return []
