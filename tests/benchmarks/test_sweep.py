"""Sweeps: killed, resumed, on several processes and on a cluster, the results file is the same."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import sweep
from benchmarks.cli import main
from benchmarks.sweep_result import SweepResult
from bridge.fuzzing.task_runner import Outcome, Task

PROJECT = Path(__file__).resolve().parents[2]
TRAINING = {"epochs": 1, "batch_size": 32}
COMMAND = "sweep mlp --backends numpy --seeds 3 --limit 300 --epochs 3 --quiet".split()


def start(directory, *more):
    code = f"import sys; sys.path.insert(0, {str(PROJECT)!r}); from benchmarks.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *COMMAND, "--directory", str(directory), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_cells_are_every_combination():
    cells = sweep.cells_of(["mlp", "cnn"], ["digits", "class_data"][:1], ["numpy", "keras"], 3, TRAINING, 50)
    assert len(cells) == 2 * 3 * (2 + 1)
    assert len({cell.key for cell in cells}) == len(cells)
    with pytest.raises(ValueError, match="unknown architecture 'typo'"):
        sweep.cells_of(["typo"], ["digits"], ["numpy"], 1, TRAINING)
    with pytest.raises(ValueError, match="epochs"):
        sweep.cells_of(["mlp"], ["digits"], ["numpy"], 1, {"epochs": -1})
    with pytest.raises(ValueError, match="epoch"):
        sweep.cells_of(["mlp"], ["digits"], ["numpy"], 1, {"epoch": 1})
    with pytest.raises(ValueError, match="torch"):
        sweep.cells_of(["mlp"], ["digits"], ["torch"], 1, TRAINING)


def test_results_of_a_file_that_was_edited_are_not_kept(tmp_path):
    random = np.random.default_rng(0)
    x, y = random.random((60, 4, 4, 1), np.float32), np.arange(60) % 3
    found = {}
    for content, labels in (("first", y), ("second", y[::-1].copy()), ("first again", y)):
        np.savez(tmp_path / "own.npz", x_train=x, y_train=labels, x_test=x, y_test=labels)
        cells = sweep.cells_of(["mlp"], [str(tmp_path / "own.npz")], ["numpy"], 1, TRAINING)
        found[content] = sweep.run(cells[:1], tmp_path / "results").outcomes[0]
    assert found["first"].result != found["second"].result
    assert [outcome.kept for outcome in found.values()] == [False, False, True]
    edited = {"x_train": x, "y_train": y[::-1].copy(), "x_test": x, "y_test": y}
    np.savez(tmp_path / "own.npz", **edited)
    late = sweep.run(cells[:1], tmp_path / "elsewhere").failed[0].error
    assert "holds other data than when the sweep began" in late


def test_one_backend_that_diverged_is_compared_with_nothing():
    cells = sweep.cells_of(["mlp"], ["digits"], ["numpy"], 1, TRAINING, 50)
    outcome = Outcome(cells[0], {"accuracy": 0.1, "loss": float("nan")})
    assert SweepResult([outcome], 1).verdict == "NOTHING COMPARED"


def test_both_backends_train_and_agree(tmp_path):
    cells = sweep.cells_of(["mlp"], ["digits"], ["numpy", "keras"], 1, TRAINING, 200)
    result = sweep.run(cells, tmp_path)
    assert result.verdict == "AGREE", str(result)
    ours, theirs, parity = (outcome.result for outcome in result.outcomes)
    assert ours["accuracy"] == pytest.approx(theirs["accuracy"], abs=0.01)
    assert parity["verdict"] == "AGREE"
    assert result.parts()[-1].rows[-1] == ["mlp", "digits", "parity", "1 agree", "1"]
    again = sweep.run(cells, tmp_path)
    assert all(outcome.kept for outcome in again.outcomes)
    assert again.to_dict() == result.to_dict()


def test_the_data_of_a_network_s_file_are_swept(tmp_path, monkeypatch, capsys):
    x = np.random.default_rng(0).random((40, 3), np.float32)
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(40))
    layers = 'layers = [{type = "Dense", units = 1}]'
    text = (
        f'name = "mine"\ninput_shape = [3]\n{layers}\n[training]\nloss = "mse"\n[data]\npath = "own.npz"\nlimit = 20\n'
    )
    (tmp_path / "mine.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    taken = []
    monkeypatch.setattr(sweep, "run", lambda cells, *rest: taken.extend(cells) or SweepResult([], 0))
    main(["sweep", "mine.toml", "--seeds", "1", "--backends", "numpy", "--quiet"])
    train, parity = (cell.arguments for cell in taken)
    assert (train["data"], train["limit"], train["as_values"]) == ("own.npz", 20, True)
    assert sweep.parity(**parity)["verdict"] == "AGREE"


def test_a_failing_cell_is_reported_and_stops_nothing(tmp_path, capsys):
    cells = sweep.cells_of(["mlp"], ["digits"], ["numpy"], 2, TRAINING, 50)
    broken = Task(cells[0].function, {**cells[0].arguments, "data": "nowhere.npz"}, cells[0].version)
    result = sweep.run([broken, cells[2]], tmp_path)
    assert len(result.outcomes) == 2
    assert "nowhere.npz" in result.failed[0].error
    assert "Traceback" in result.failed[0].error
    assert result.outcomes[1].error is None
    assert result.verdict != "AGREE"
    assert result.parts()[-1].startswith("  FAILED mlp nowhere.npz numpy seed 0: ValueError")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The directory of a sweep that nothing interrupted."""
    directory = tmp_path_factory.mktemp("sweep") / "whole"
    assert main([*COMMAND, "--directory", str(directory)]) == 0
    return directory


@pytest.mark.slow
def test_killed_and_resumed_gives_the_same_file(whole, tmp_path):
    broken = tmp_path / "broken"
    for wait in (1, 3):
        process = start(broken)
        deadline = time.monotonic() + 120
        while len(list(broken.glob("cells/*.json"))) < wait and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    process = start(broken, "--jobs", "2")
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    assert (broken / "results.json").read_bytes() == (whole / "results.json").read_bytes()
    assert len(json.loads((whole / "results.json").read_text())["cells"]) == 6
    assert not list(broken.rglob("*.tmp")) or (broken / "results.json").exists()


@pytest.mark.slow
def test_a_cluster_gives_the_same_file_though_a_worker_dies(whole, tmp_path):
    distributed = pytest.importorskip("distributed")
    shared = tmp_path / "shared"
    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**settings, silence_logs=50) as cluster:
        process = start(shared, "--dask", cluster.scheduler_address)
        deadline = time.monotonic() + 120
        while not list(shared.glob("cells/*.json")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        victim = next(iter(cluster.workers.values()))
        os.kill(victim.pid, signal.SIGKILL)
        _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    assert (shared / "results.json").read_bytes() == (whole / "results.json").read_bytes()


def test_no_scheduler_is_one_line_and_exit_code_2(tmp_path, capsys, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.chdir(tmp_path)
    assert main([*COMMAND, "--directory", "x", "--dask", "tcp://127.0.0.1:1"]) == 2
    assert "no Dask scheduler answers at 'tcp://127.0.0.1:1'" in capsys.readouterr().err
