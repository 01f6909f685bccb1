"""A full disk at every kind of file the program writes: a clear error, the old file as it was, nothing left over."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from keras_models import KerasModel
from keras_models.weight_files import save_model
from model_spec import Dense, ModelSpec

PROJECT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a limit on file sizes is POSIX")

# What writes the file named by `path`; it is run once without a limit, and once with one that is too small
WRITERS = {
    "weights of NumPy": ("old.npz", "NumpyModel(SPEC, seed=seed).save_weights(path)"),
    "checkpoint": (
        "old.npz",
        "NumpyModel(SPEC, seed=seed).fit(X, Y, TrainingSpec(epochs=1), verbose=0, checkpoint=path)",
    ),
    "report.json": ("report.json", "from model_spec.whole_files import write_whole\nwrite_whole(path, '{}' * 9999)"),
    "report.html": (
        "report.html",
        "from benchmarks import experiments, report, compare as job\n"
        "import bridge\n"
        "data = experiments.load_data('digits', limit=20)\n"
        "from model_spec import zoo\n"
        "spec = zoo.mlp((8, 8, 1))\n"
        "one, other = (NumpyModel(spec, dtype='float64', engine=engine) for engine in ('fast', 'reference'))\n"
        "parity = bridge.compare_models(one, other, data.train[0][:4], data.train[1][:4])\n"
        "configuration = {'data': 'digits', 'training_rows': 20, 'test_rows': 1, 'seed': 0, 'threads': 1}\n"
        "report.write_whole(path, report.render(job.Comparison(spec, data, parity, configuration)))",
    ),
    "saved case": (
        "case.npz",
        "from model_spec.whole_files import whole_file\n"
        "with whole_file(path) as file:\n"
        "    np.savez(file, x=np.ones((99, 99)))",
    ),
}

PROGRAM = """
import resource, signal, sys
import numpy as np
from core_numpy import NumpyModel
from model_spec import Dense, ModelSpec, TrainingSpec
SPEC = ModelSpec("large", (50,), (Dense(60), Dense(3, activation="softmax")))
X, Y = np.ones((4, 50)), np.arange(4) % 3
path, seed, limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if limit:
    {imports}
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
{write}
except (OSError, ValueError) as error:
    print("refused", type(error).__name__)
else:
    print("written")
"""


def run(path, write, seed, limit):
    imports = "import bridge" if "bridge" in write else "pass"
    indented = "\n".join(f"    {line}" for line in write.splitlines())
    program = PROGRAM.format(imports=imports, write=indented)
    settings = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", program, str(path), str(seed), str(limit)]
    done = subprocess.run(command, cwd=PROJECT, env=settings, capture_output=True, text=True, timeout=120)
    return done.stdout.strip(), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRITERS)
def test_the_old_file_stays(kind, tmp_path):
    name, write = WRITERS[kind]
    path = tmp_path / name
    shown, error = run(path, write, 1, 0)
    assert shown == "written", error
    before = path.read_bytes()
    assert len(before) > 4096
    shown, error = run(path, write, 2, 4096)
    assert shown.startswith("refused"), (shown, error)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", ["old.weights.h5", "old.keras"])
def test_keras_files_are_begun_only_where_there_is_room(name, tmp_path, monkeypatch):
    """HDF5 ends the process where a disk fills under it (seen with h5py 3.14), so the room is looked at first."""
    model = KerasModel(ModelSpec("large", (50,), (Dense(60),)), seed=1)
    write = model.save_weights if name.endswith("h5") else lambda path: save_model(model.keras_model, path)
    path = tmp_path / name
    write(path)
    before = path.read_bytes()
    free = shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda directory: free)
    with pytest.raises(ValueError, match=r"cannot be written: .*bytes are needed, 10000 are free"):
        write(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [name]
