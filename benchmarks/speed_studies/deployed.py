"""A converted model where it is used: from the start of a process to one printed answer, beside Keras and its file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bridge.progress import Show, silent

_MEMORY = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
"""Peak memory in KiB, the last line a program prints."""

PROGRAMS = {
    "numpy": (
        "import numpy as np, core_numpy\n"
        "image = np.load('image.npy')\n"
        f"print(core_numpy.load('model.npz').predict(image).argmax())\n{_MEMORY}"
    ),
    "keras": (
        "import numpy as np, keras\n"
        "image = np.load('image.npy')\n"
        f"print(keras.saving.load_model('model.keras').predict(image, verbose=0).argmax())\n{_MEMORY}"
    ),
}


@dataclass(frozen=True)
class Deployed:
    """The figures of all runs.

    Attributes:
        network: name.
        seconds: {backend: from start to end of each process}.
        memory: {backend: peak memory of each process in bytes}.
        file_bytes: {backend: size of its model file}.
    """

    network: str
    seconds: dict[str, list[float]]
    memory: dict[str, list[float]]
    file_bytes: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return dict(vars(self))

    def lines(self) -> list[str]:
        """Medians of both, and how many times as much Keras takes."""
        runs = len(self.seconds["numpy"])
        lines = [f"{self.network}: load the file, predict one image, print the class; {runs} runs"]
        for name, figures, unit, scale in (
            ("process", self.seconds, "s", 1.0),
            ("peak memory", self.memory, "MB", 1e-6),
            ("model file", {backend: [size] for backend, size in self.file_bytes.items()}, "MB", 1e-6),
        ):
            ours, theirs = (float(np.median(figures[backend])) * scale for backend in PROGRAMS)
            times = f"{theirs / ours:.1f} times"
            lines.append(f"  {name:<12} NumPy {ours:8.3f} {unit}, Keras {theirs:8.3f} {unit}: {times}")
        return lines


def run(network: str = "lenet", repeats: int = 20, python: str | None = None, show: Show = silent) -> Deployed:
    """Convert a network and run both programs in turns; the first pair is not counted.

    Args:
        network: a name of ``arms.NETWORKS``.
        repeats: runs of each.
        python: interpreter of NumPy's program, of an environment where this project is installed without extras.
        show: see :class:`bridge.progress.Show`.

    Raises:
        ValueError: no Python there, a program failed, or the two answers differ.
    """
    interpreter = shutil.which(python or sys.executable)
    if interpreter is None:
        raise ValueError(f"no Python was found at {python}; give --python the path of an interpreter")
    from benchmarks.speed_studies.arms import network_of
    from bridge.conversion import to_numpy
    from keras_models import KerasModel
    from keras_models.weight_files import save_model

    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        built = KerasModel(network_of(network), seed=1)
        save_model(built.keras_model, directory / "model.keras")
        to_numpy(directory / "model.keras", directory / "model.npz")
        image = np.random.default_rng(0).random((1, *built.spec.input_shape), np.float32)
        np.save(directory / "image.npy", image)
        seconds: dict[str, list[float]] = {backend: [] for backend in PROGRAMS}
        memory: dict[str, list[float]] = {backend: [] for backend in PROGRAMS}
        # Not a relative path: the programs run in another folder
        interpreters = {"numpy": os.path.abspath(interpreter), "keras": sys.executable}
        for number in range(repeats + 1):
            answers = {}
            for backend in PROGRAMS:
                show(f"runs, {backend}", number, repeats + 1)
                took, (answer, kibibytes) = _run(interpreters[backend], PROGRAMS[backend], directory)
                answers[backend] = answer
                if number:
                    seconds[backend].append(took)
                    memory[backend].append(float(kibibytes) * 1024)
            if len(set(answers.values())) > 1:
                raise ValueError(f"the two models give different classes: {answers}")
        files = {"numpy": "model.npz", "keras": "model.keras"}
        sizes = {backend: (directory / file).stat().st_size for backend, file in files.items()}
    return Deployed(network, seconds, memory, sizes)


def _run(python: str, program: str, directory: Path) -> tuple[float, list[str]]:
    """(seconds, the two lines printed) of one fresh process."""
    settings = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if python == sys.executable:
        # Its directory is another one, and this project may be where it was started
        settings["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    start = time.perf_counter()
    result = subprocess.run([python, "-c", program], cwd=directory, env=settings, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if result.returncode:
        raise ValueError(f"{python} ended with {result.returncode}: {result.stderr.strip()[-500:]}")
    return seconds, result.stdout.split()[-2:]
