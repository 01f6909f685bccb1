"""What explains a layer that differs: a convention of others that it follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bridge.judge.local import LocalRow, Observed


@dataclass(frozen=True)
class Explanation:
    """A convention that explains one culprit.

    Attributes:
        side: the model that follows it.
        layer: the layer, or "loss".
        convention: its name.
        who: where it is found.
    """

    side: str
    layer: str
    convention: str
    who: str

    def __str__(self) -> str:
        return f"{self.layer!r} of {self.side} follows another convention: {self.convention} ({self.who})"


Explain = Callable[[Observed, list[LocalRow]], list[Explanation]]
"""Names the conventions that explain these culprits of one side; ``bridge.conventions.explain`` knows them."""


def explain_nothing(observed: Observed, culprits: list[LocalRow]) -> list[Explanation]:
    """Looks for no convention."""
    return []
