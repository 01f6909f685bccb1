"""How each backend begins: import, build, first image, first step, cold start and memory, in fresh processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bridge.progress import Show, silent

PROGRAM = "benchmarks.speed_studies.fresh"
BACKENDS = ("numpy", "keras")
PHASES = ("import", "build", "first image", "first step", "whole process", "peak memory")


@dataclass(frozen=True)
class Beginning:
    """One network from nothing on both backends.

    Attributes:
        network: name.
        batch: examples of the training steps.
        runs: {backend: {phase: one figure a run}}, seconds, or bytes of memory.
    """

    network: str
    batch: int
    runs: dict[str, dict[str, list[float]]]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return {"network": self.network, "batch": self.batch, "runs": self.runs}

    def lines(self) -> list[str]:
        """A line a phase: the medians of both, and how many times as much Keras takes."""
        lines = [f"{self.network}, batch {self.batch}", f"  {'':<16}{'NumPy':>12}{'Keras':>12}{'times':>8}"]
        for phase in PHASES:
            ours, theirs = (float(np.median(self.runs[backend][phase])) for backend in BACKENDS)
            unit, scale = ("MB", 1e-6) if phase == "peak memory" else ("ms", 1e3)
            lines.append(f"  {phase:<16}{ours * scale:>9.1f} {unit}{theirs * scale:>9.1f} {unit}{theirs / ours:>8.1f}")
        return lines


def run(
    networks: Sequence[str],
    batch: int = 1000,
    steps: int = 5,
    repeats: int = 5,
    threads: int = 2,
    show: Show = silent,
) -> list[Beginning]:
    """Begin ``repeats`` times with each network and backend, in turns.

    Both processes read the program's files from the operating system's cache: the first pair is not counted.
    """
    results = []
    for network in networks:
        runs: dict[str, dict[str, list[float]]] = {backend: {phase: [] for phase in PHASES} for backend in BACKENDS}
        for number in range(repeats + 1):
            for backend in BACKENDS:
                show(f"starts of {network}, {backend}", number, repeats + 1)
                figures = begin(backend, network, batch, steps, threads)
                for phase in PHASES if number else ():
                    runs[backend][phase].append(figures[phase])
        results.append(Beginning(network, batch, runs))
    return results


def begin(backend: str, network: str, batch: int, steps: int, threads: int) -> dict[str, float]:
    """One fresh process; "whole process" is from its start to its end.

    Raises:
        ValueError: the process failed.
    """
    limits = {name: str(threads) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")}
    environment = {**os.environ, **limits, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", PROGRAM, backend, network, str(batch), str(steps)]
    start = time.perf_counter()
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if result.returncode:
        raise ValueError(f"{' '.join(command[1:])} ended with {result.returncode}: {result.stderr.strip()[-500:]}")
    return {**json.loads(result.stdout.splitlines()[-1]), "whole process": seconds}
