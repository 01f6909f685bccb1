"""What the command prints: results on standard output, progress on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.accuracy import AccuracyComparison
    from benchmarks.compare import Comparison
    from benchmarks.speed import SpeedReport


def progress(line: str) -> None:
    """One line on standard error; on a terminal it replaces the line before."""
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{line[:100]}", end="", file=sys.stderr, flush=True)
    else:
        print(line, file=sys.stderr, flush=True)


def end_of_progress() -> None:
    """Clear a progress line from the terminal."""
    if sys.stderr.isatty():
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)


@contextmanager
def without_import_chatter() -> Iterator[None]:
    """Keep off the terminal what C++ libraries print while they are imported; TensorFlow cannot be told in time.

    Python's own messages and errors are not touched: only file descriptor 2 is turned away meanwhile.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def accuracy_lines(accuracy: AccuracyComparison) -> list[str]:
    """Test accuracy of both backends, and whether they differ by more than chance."""
    lines = []
    for backend in accuracy.backends:
        epochs = len(backend.history.epoch)
        stop = "" if backend.history.stopped_epoch is None else f", stopped early, best {_one_based(backend)}"
        lines.append(
            f"  {backend.name}: test accuracy {backend.test['accuracy']:.4f}, loss {backend.test['loss']:.4f}, "
            f"{epochs} epochs in {backend.history.seconds:.1f} s{stop}"
        )
    word = "no more than chance" if accuracy.agrees else "MORE than this test set explains"
    lines.append(
        f"  difference {accuracy.difference:+.4f}: right on one side only {accuracy.only[0]} and {accuracy.only[1]}, "
        f"p = {accuracy.p_value:.3g}, {word}"
    )
    return lines


def _one_based(backend: Any) -> int:
    return int(backend.history.best_epoch) + 1


def speed_lines(speed: SpeedReport) -> list[str]:
    """Medians of all arms, and NumPy's ratio to each of Keras' ways."""
    lines = []
    for phase, timing in speed.phases.items():
        medians = ", ".join(f"{name} {arm.median * 1e3:.2f} ms" for name, arm in timing.arms.items())
        lines.append(f"  {phase}: {medians}")
        lines += [
            f"    {ratio.arm} {ratio.verdict}: takes {ratio.ratio:.2f} ({ratio.low:.2f} to {ratio.high:.2f}) "
            f"of the time of {ratio.baseline}"
            for ratio in timing.ratios
            if ratio.arm == "NumPy"
        ]
    return lines


def comparison_text(result: Comparison) -> str:
    """One network's whole result, the verdict first."""
    lines = [f"{'AGREE' if result.agrees else 'DIFFER'}: {result.spec.name}", "parity"]
    lines += [f"  {line}" for line in str(result.parity).splitlines()]
    for report in result.drift:
        lines += ["lock-step training", *(f"  {line}" for line in str(report).splitlines())]
    if result.accuracy is not None:
        lines += ["accuracy", *accuracy_lines(result.accuracy)]
        if len(result.accuracies) > 1:
            differences = [one.difference for one in result.accuracies]
            lines.append(
                f"  over {len(differences)} seeds: differences {' '.join(f'{value:+.4f}' for value in differences)}, "
                f"p = {result.p_value:.3g}"
            )
    if result.speed is not None:
        lines += [f"speed, float32, {result.speed.threads} threads, medians of interleaved samples"]
        lines += speed_lines(result.speed)
    return "\n".join(lines)
