"""What a training survives: being killed again and again, running for long, and running beside others of its kind."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import datasets
from bridge.progress import Show, silent
from core_numpy import NumpyModel
from model_spec import EarlyStopping, TrainingSpec, weight_files, zoo

ROWS = 512
TRAINING = TrainingSpec(
    optimizer="adam",
    batch_size=32,
    epochs=8,
    validation_split=0.1,
    early_stopping=EarlyStopping(patience=8, restore_best_weights=True),
)
"""lenet with dropout on digits: every kind of state a checkpoint has to carry."""


def train(checkpoint: Path | None) -> str:
    """Train, going on from the checkpoint where there is one; a hash of all weights and of the history."""
    (x, y), _ = datasets.images("digits", limit=ROWS)
    model = NumpyModel(zoo.lenet((8, 8, 1)), seed=3)
    history = model.fit(x, y, TRAINING, verbose=0, checkpoint=checkpoint, resume=checkpoint is not None)
    digest = hashlib.sha256(json.dumps(history.history).encode())
    for value in model.get_weights():
        digest.update(value.tobytes())
    return digest.hexdigest()


def kills(count: int, seed: int = 0, show: Show = silent) -> dict[str, Any]:
    """Kill checkpointed trainings at random moments until ``count`` kills have struck; finish each that is left over.

    Every file a kill leaves must be readable, and every training must end with the bits of one that was let alone.
    """
    random = np.random.default_rng(seed)
    expected, struck, finished, unreadable, different = train(None), 0, 0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        whole = _seconds_of_one(Path(name))
        while struck < count:
            checkpoint = Path(name) / f"run{finished}.npz"
            kills_here = int(random.integers(1, 6))
            while True:
                wait = random.uniform(0.1, 1.0) * whole if struck < count and kills_here else None
                answer = _run(checkpoint, wait)
                if answer is not None:
                    finished += 1
                    different += answer != expected
                    break
                struck, kills_here = struck + 1, kills_here - 1
                show(f"kills, {finished} trainings finished", struck, count)
                unreadable += not _readable(checkpoint)
        leftovers = len([path for path in Path(name).iterdir() if path.suffix != ".npz"])
    return {
        "kills": struck,
        "trainings": finished,
        "unreadable": unreadable,
        "different": different,
        "temporary_files": leftovers,
    }


def _seconds_of_one(directory: Path) -> float:
    start = time.perf_counter()
    _run(directory / "first.npz", None)
    return time.perf_counter() - start


def _run(checkpoint: Path, wait: float | None) -> str | None:
    """The training in a process of its own, killed after ``wait`` seconds: None then, else its hash."""
    command = [sys.executable, "-m", "benchmarks.endurance", str(checkpoint)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, error = process.communicate(timeout=wait)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return None
    if process.returncode:
        raise ValueError(f"a resumed training failed: {error.strip()[-500:]}")
    return out.strip()


def _readable(checkpoint: Path) -> bool:
    try:
        weight_files.read(checkpoint)
    except weight_files.WeightFileError:
        return not checkpoint.exists()
    return True


def memory(steps: int, show: Show = silent) -> dict[str, Any]:
    """Take so many training steps of lenet on digits; the process' memory after each twentieth of them, in bytes."""
    (x, y), _ = datasets.images("digits")
    model = NumpyModel(zoo.lenet((8, 8, 1)), seed=3)
    model.start_training(TRAINING)
    random = np.random.default_rng(0)
    resident = []
    for step in range(1, steps + 1):
        rows = random.integers(0, len(x), 32)
        model.train_on_batch(x[rows], y[rows])
        if step % (steps // 20) == 0:
            resident.append(_resident())
            show(f"steps, {resident[-1] / 1e6:.1f} MB", step, steps)
    return {"steps": steps, "resident": resident, "growth": resident[-1] / resident[0] - 1}


def _resident() -> int:
    """Memory of this process that lies in RAM, in bytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def together(count: int) -> dict[str, Any]:
    """Start ``crosscheck train`` so many times at once in one directory; how many complete results there are."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "benchmarks", "train", "mlp", "--limit", "300", "--epochs", "2", "--quiet"]
        processes = [
            subprocess.Popen([*command, "--seed", str(seed)], cwd=name, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for seed in range(count)
        ]
        codes = []
        for process in processes:
            process.communicate()
            codes.append(process.returncode)
        # "latest" leads to one of them once more
        paths = {path.resolve() for path in Path(name).glob("runs/*/result.json")}
        results = [json.loads(path.read_text()) for path in paths]
    seeds = sorted(result["configuration"]["seed"] for result in results)
    return {"started": count, "exit_codes": codes, "complete": len(results), "seeds": seeds}


if __name__ == "__main__":
    print(train(Path(sys.argv[1])))
