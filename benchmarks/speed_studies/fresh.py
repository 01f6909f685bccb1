"""One backend from nothing, in the process this runs in: import, build, first step, memory; prints JSON.

Run as ``python -m benchmarks.speed_studies.fresh BACKEND NETWORK BATCH STEPS``.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any


def measure(backend: str, network: str, batch: int, steps: int) -> dict[str, float]:
    """Seconds of each beginning, and the process' peak memory in bytes after ``steps`` training steps."""
    start = time.perf_counter()
    seconds = {}

    def lap(name: str) -> None:
        nonlocal start
        now = time.perf_counter()
        seconds[name] = now - start
        start = now

    model_class = _import(backend)
    lap("import")
    from benchmarks.speed_studies.arms import RANDOM, TRAINING, batch_for, network_of

    spec = network_of(network)
    x, y = batch_for(spec, batch, RANDOM)
    start = time.perf_counter()
    model = model_class(spec)
    lap("build")
    model.predict(x[:1])
    lap("first image")
    model.start_training(TRAINING)
    model.train_on_batch(x, y)
    lap("first step")
    for _ in range(steps - 1):
        model.train_on_batch(x, y)
    return {**seconds, "peak memory": peak_memory()}


def peak_memory() -> float:
    """Largest memory of this process so far, in bytes.

    Linux' VmHWM, because ``ru_maxrss`` begins with what the process was forked from.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024.0


def _import(backend: str) -> Any:
    if backend == "numpy":
        from core_numpy import NumpyModel

        return NumpyModel
    from keras_models import KerasModel

    return KerasModel


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
