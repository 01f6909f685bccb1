"""``crosscheck train``: killed at any moment and taken up again, it ends where it would have ended."""

import json
import re
import signal
import subprocess
import sys
import time

import pytest

from benchmarks.cli import main

COMMAND = ["train", "mlp", "--limit", "400", "--epochs", "6", "--threads", "1", "--quiet"]


def figures(directory):
    found = json.loads((directory / "result.json").read_text())["accuracy"]
    return [(one["name"], one["test"], one["history"]["history"]) for one in found["backends"]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The directory of a training that nothing interrupted."""
    directory = tmp_path_factory.mktemp("training") / "whole"
    subprocess.run([sys.executable, "-m", "benchmarks", *COMMAND, "--output", str(directory)], check=True)
    return directory


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("backend", ["numpy", "keras"])
def test_killed_and_taken_up(whole, tmp_path, backend):
    """Killed as soon as a backend has written its first epoch."""
    broken = tmp_path / "broken"
    process = subprocess.Popen([sys.executable, "-m", "benchmarks", *COMMAND, "--output", str(broken)])
    directory = broken / "mlp-training"
    deadline = time.monotonic() + 120
    while not (directory / f"{backend}.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (directory / "result.json").exists()
    command = [sys.executable, "-m", "benchmarks", "train", "--resume", str(directory), "--quiet"]
    assert subprocess.run(command).returncode == 0
    assert figures(directory) == figures(whole / "mlp-training")
    assert sorted(path.name for path in broken.iterdir()) == ["latest", "mlp-training"]
    assert not list(directory.glob(".*.tmp"))


@pytest.mark.parametrize(
    ("content", "models", "message"),
    [
        (None, [], "no file .*run.json; give --resume the directory of an earlier crosscheck train"),
        ("{}", [], "run.json does not say what was asked for"),
        ("[1", [], "run.json does not say what was asked for"),
        ("{}", ["mlp"], "takes network and options from .*run.json, and only --epochs may grow; leave out mlp"),
        ("{}", ["--learning-rate", "5", "--batch-size", "3"], "leave out --batch-size, --learning-rate"),
    ],
)
def test_directories_that_cannot_be_taken_up(tmp_path, capsys, content, models, message):
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    assert main(["train", *models, "--resume", str(tmp_path)]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_run_is_made_longer_and_never_shorter(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.commands.train.prepare", lambda options: 1)
    assert main(["train", "mlp", "--limit", "60", "--epochs", "1", "--quiet", "--output", str(tmp_path)]) == 0
    directory = tmp_path / "mlp-training"
    for epochs in (3, None):
        more = [] if epochs is None else ["--epochs", str(epochs)]
        assert main(["train", "--resume", str(directory), "--quiet", *more]) == 0
        assert [len(history["loss"]) for _, _, history in figures(directory)] == [3, 3]
    assert main(["train", "--resume", str(directory), "--epochs", "2"]) == 2
    assert "the run of" in (said := capsys.readouterr().err) and "has 3 epochs; a run may only grow" in said
