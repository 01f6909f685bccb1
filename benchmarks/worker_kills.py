"""Worker processes of the NumPy engine killed at random moments, or their parent: what is left, and what comes next."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import datasets
from bridge.progress import Show, silent
from core_numpy import NumpyModel
from core_numpy.engine.worker_process import WorkerDied
from model_spec import TrainingSpec, zoo

STEPS = 30
_END_SECONDS = 10.0
_SHARED = Path("/dev/shm")


def _train(workers: str) -> tuple[NumpyModel, str]:
    """Take some steps on images that are worth two shards: the model, and a hash of all weights."""
    (x, y), _ = datasets.images("digits", limit=512)
    model = NumpyModel(zoo.lenet((8, 8, 1)), seed=3, workers=workers, threads=2)
    model.start_training(TrainingSpec(optimizer="adam", batch_size=512))
    if workers == "processes":
        model.predict(x)
        print("worker", *model._running_engine().tier.team.process_ids, flush=True)  # type: ignore[attr-defined]
    for _ in range(STEPS):
        model.train_on_batch(x, y)
    digest = hashlib.sha256()
    for value in model.get_weights():
        digest.update(value.tobytes())
    return model, digest.hexdigest()


def main() -> None:
    """Train, and train again where a worker died; print what happened."""
    for _ in range(2):
        try:
            print("bits", _train("processes")[1], flush=True)
            return
        except WorkerDied as error:
            print("died", error, flush=True)


def kills(count: int, seed: int = 0, show: Show = silent) -> dict[str, Any]:
    """Kill a worker, or its parent, at random moments of a training, in turns.

    A parent whose worker was killed must say so and train again to the bits of threads; a worker whose parent was
    killed must end; nothing may be left in shared memory.
    """
    random = np.random.default_rng(seed)
    expected = _train("threads")[1]
    before = _names()
    found = {"kills": 0, "told": 0, "different": 0, "orphans": 0, "shared_memory_left": 0}
    while found["kills"] < count:
        show("workers and parents killed", found["kills"], count)
        command = [sys.executable, "-m", "benchmarks.worker_kills"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            worker = int(next(iter(process.stdout or ())).split()[1])
            time.sleep(random.uniform(0, 0.3))
            parent_dies = found["kills"] % 2 == 1
            os.kill(process.pid if parent_dies else worker, signal.SIGKILL)
            said = process.communicate()[0].split("\n")
        found["kills"] += 1
        if not parent_dies:
            # Not told where the training was over before
            found["told"] += any(line.startswith("died worker process") for line in said)
            bits = [line.split()[1] for line in said if line.startswith("bits")]
            found["different"] += bits != [expected]
        found["orphans"] += not _ended(worker)
    found["shared_memory_left"] = len(_left(before))
    return found


def _left(before: set[str]) -> set[str]:
    """Names that came and stay: other programs' come and go."""
    deadline = time.monotonic() + _END_SECONDS
    left = _names() - before
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left &= _names()
    return left


def _names() -> set[str]:
    return {path.name for path in _SHARED.iterdir()} if _SHARED.is_dir() else set()


def _ended(process_id: int) -> bool:
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline:
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


if __name__ == "__main__":
    main()
