"""What ``fit`` prints for each epoch, the same on both backends."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

_BAR = 20


def print_epoch(epoch: int, epochs: int, logs: Mapping[str, float], seconds: float) -> None:
    """Report one epoch (counted from 0) on standard error: a bar that grows on a terminal, else one line an epoch.

    Args:
        epoch: the one that has ended.
        epochs: how many were asked for.
        logs: its figures.
        seconds: it took; the time left is reckoned from it.
    """
    figures = " ".join(f"{name}={value:.4f}" for name, value in logs.items())
    left = f", {seconds * (epochs - epoch - 1):.0f} s left" if epoch + 1 < epochs else ""
    line = f"epoch {epoch + 1}/{epochs} {figures} ({seconds:.1f} s{left})"
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        print(line, file=sys.stderr, flush=True)
        return
    from shutil import get_terminal_size

    done = _BAR * (epoch + 1) // epochs
    end = "\n" if epoch + 1 == epochs else ""
    # A line that wraps is not cleared by the next
    shown = f"[{'=' * done}{' ' * (_BAR - done)}] {line}"[: get_terminal_size().columns - 1]
    print(f"\r\x1b[2K{shown}", end=end, file=sys.stderr, flush=True)
