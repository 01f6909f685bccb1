"""How long computations say how far they are: they call a ``show``, and know nothing of terminals."""

from __future__ import annotations

from typing import Protocol


class Show(Protocol):
    """Takes a line of progress; with it how much is done of how much, where that is known."""

    def __call__(self, line: str, done: int = 0, total: int = 0) -> None: ...


def silent(line: str, done: int = 0, total: int = 0) -> None:
    """Show nothing."""
