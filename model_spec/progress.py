"""What ``fit`` prints for each epoch, the same on both backends."""

from __future__ import annotations

import sys
from collections.abc import Mapping

_BAR = 20


def print_epoch(epoch: int, epochs: int, logs: Mapping[str, float], seconds: float) -> None:
    """Report one epoch (counted from 0) on standard error: a bar that grows on a terminal, else one line an epoch."""
    figures = " ".join(f"{name}={value:.4f}" for name, value in logs.items())
    line = f"epoch {epoch + 1}/{epochs} {figures} ({seconds:.1f} s)"
    if not sys.stderr.isatty():
        print(line, file=sys.stderr, flush=True)
        return
    done = _BAR * (epoch + 1) // epochs
    end = "\n" if epoch + 1 == epochs else ""
    print(f"\r\x1b[2K[{'=' * done}{' ' * (_BAR - done)}] {line}", end=end, file=sys.stderr, flush=True)
