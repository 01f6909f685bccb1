"""The line that ``fit`` prints for each epoch, the same on both backends."""

from __future__ import annotations

import sys
from collections.abc import Mapping


def print_epoch(epoch: int, epochs: int, logs: Mapping[str, float], seconds: float) -> None:
    """Print the figures of one epoch (counted from 0) on standard error."""
    figures = " ".join(f"{name}={value:.4f}" for name, value in logs.items())
    print(f"epoch {epoch + 1}/{epochs} {figures} ({seconds:.1f} s)", file=sys.stderr, flush=True)
