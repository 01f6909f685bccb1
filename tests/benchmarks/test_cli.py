"""The command: what it prints, what it writes, and its exit codes."""

import argparse
import json
import os
import re
import runpy
import subprocess
import sys
import time
import webbrowser
from pathlib import Path

import pytest

import keras_models
from benchmarks import calibration
from benchmarks.cli import CANNOT_COMPARE, INTERRUPTED, main
from benchmarks.commands import common, parity
from bridge import plant
from bridge.fuzzing.fuzz import Case
from bridge.fuzzing.saved_cases import SavedCase
from bridge.fuzzing.task_runner import Outcome
from bridge.judge import keras_noise
from bridge.judge.bounds import SAFETY
from bridge.selftest.faults import FAULTS
from core_numpy.ops.activations import FUNCTIONS, ActivationFunction
from model_spec import losses, zoo

PROJECT = Path(__file__).resolve().parents[2]


def run(*arguments, cwd):
    """The command as a process of its own: TensorFlow takes its number of threads only once."""
    code = f"import sys; sys.path.insert(0, {str(PROJECT)!r}); from benchmarks.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300
    )


def test_help_is_quick_and_loads_nothing_heavy():
    code = (
        "import sys; from benchmarks.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'sklearn', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        seconds.append(time.perf_counter() - start)
        assert result.returncode == 0, result.stderr
    assert "compare" in result.stdout
    assert min(seconds) < 0.3


def test_list_names_everything(capsys):
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in [*zoo.ZOO, "mnist", *FAULTS])
    assert main(["list", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["networks"]) == set(zoo.ZOO | zoo.CLASSIFIERS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["compare", "typo"], "unknown architecture 'typo'; known are mlp, cnn, lenet"),
        (["compare", "none.toml"], "no file none.toml"),
        (["compare", "mlp", "--data", "typo"], "unknown data set 'typo'"),
        (["compare", "mlp", "--fault", "typo"], "unknown fault 'typo'; known are"),
        (["compare", "mlp", "--config", "none.toml"], "no file none.toml"),
        (["replay", "none.json"], "no file none.json; give a case that crosscheck fuzz has saved"),
        (["fuzz", "--fault", "typo"], "unknown fault 'typo'; known are"),
    ],
)
def test_what_cannot_be_compared_is_exit_code_2_and_one_line(arguments, expected, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == CANNOT_COMPARE
    error = capsys.readouterr().err
    assert error.startswith("crosscheck: ")
    assert expected in error
    assert len(error.splitlines()) == 1


def test_no_command_prints_help_and_is_exit_code_2(capsys):
    assert main([]) == CANNOT_COMPARE
    assert "usage: crosscheck" in capsys.readouterr().out


def test_configuration_file_gives_defaults_and_refuses_unknown_names(tmp_path, capsys):
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text('data = "typo"\nbatch-size = 16\n')
    bad.write_text("epoch = 3\n")
    assert main(["compare", "mlp", "--config", str(good)]) == CANNOT_COMPARE
    assert "unknown data set 'typo'" in capsys.readouterr().err
    assert main(["compare", "mlp", "--config", str(bad)]) == CANNOT_COMPARE
    assert "unknown option epoch; known are" in capsys.readouterr().err


def test_a_model_file_that_does_not_fit_the_data_is_refused(tmp_path, capsys):
    path = tmp_path / "small.toml"
    path.write_text('name = "small"\ninput_shape = [4]\n[[layers]]\ntype = "Dense"\nunits = 3\n')
    assert main(["compare", str(path)]) == CANNOT_COMPARE
    assert "model 'small' takes input (4,), data set 'digits' has (8, 8, 1)" in capsys.readouterr().err


def test_main_job_writes_both_reports(tmp_path):
    result = run("compare", "mlp", "--epochs", "2", "--limit", "300", "--drift", "3", "--quiet", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("AGREE: mlp")
    for word in ("parity", "lock-step training", "accuracy", "speed, float32", "AGREE: mlp on digits"):
        assert word in result.stdout
    assert result.stderr == ""
    report = json.loads((tmp_path / "runs/mlp/report.json").read_text())
    assert report["verdict"] == "AGREE"
    assert report["configuration"]["training_rows"] == 300
    assert report["configuration"]["training"]["epochs"] == 2
    numpy_side, keras_side = report["accuracy"]["backends"]
    assert numpy_side["history"]["history"]["loss"] == pytest.approx(keras_side["history"]["history"]["loss"], rel=1e-3)
    assert set(report["speed"]["phases"]) == {"train step, batch 128", "inference, 1000 rows"}
    assert [drift["dtype"] for drift in report["drift"]] == ["float64", "float32"]
    for drift in report["drift"]:
        assert drift["verdict"] == "AGREE"
        assert len(drift["steps"]) == len(drift["control"]) == 3
        assert "epochs" in drift["training"]
    page = (tmp_path / "runs/mlp/report.html").read_text()
    assert "<h2>Lock-step training</h2>" in page
    assert "Keras from itself, 4 controls" in page


def test_planted_fault_is_exit_code_1_and_names_the_layer(tmp_path):
    result = run("compare", "cnn", "--fault", "dropped-bias-gradient", "--json", "--quiet", cwd=tmp_path)
    assert result.returncode == 1, result.stderr
    (entry,) = json.loads(result.stdout)
    assert entry["parity"]["first_divergence"]["layer"] == "conv2d"
    assert entry["parity"]["first_divergence"]["tensor"] == "gradient of conv2d/bias"
    assert entry["accuracy"] is None


def test_parity_over_seeds(tmp_path):
    result = run("parity", "mlp", "--seeds", "2", "--rows", "8", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    # The rate of the first seed tells the time of the second
    assert re.search(r"^1/2, .+ left mlp \(8, 8, 1\), seed 1$", result.stderr, re.MULTILINE)
    assert "seed 1: AGREE" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("AGREE: 2 comparisons")


def test_parity_shows_the_noise_floor_beside_it(capsys, monkeypatch):
    """In one process, for speed: Keras is then equal to itself; processes of their own: tests/bridge."""
    monkeypatch.setattr(parity, "prepare", lambda options: 1)
    monkeypatch.setattr(keras_models, "set_threads", lambda threads: None)
    monkeypatch.setattr(
        keras_noise, "_in_own_process", lambda configuration, *rest: keras_noise._record(configuration.threads, *rest)
    )
    assert main(["parity", "mlp", "--rows", "4", "--noise-floor", "--quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    first = lines.index(f"Keras against itself ({keras_noise.CONFIGURATIONS[0].name}):")
    shown = [line.split() for line in lines[first + 1 : first + 4]]
    assert [" ".join(words[:4]).rstrip(",") for words in shown] == [
        configuration.name.rstrip(",") for configuration in keras_noise.CONFIGURATIONS[1:]
    ]
    assert {tuple(words[-3:-1]) for words in shown} == {("0.00e+00", "0")}
    assert lines[-1].startswith("AGREE: 1 comparisons")


def test_calibrate_prints_and_records_how_tight_the_bounds_are(tmp_path, capsys):
    record = tmp_path / "bounds.md"
    arguments = ["-n", "2", "--trainings", "1", "--seed", "3", "--output", str(tmp_path), "--record", str(record)]
    assert main(["calibrate", *arguments, "--quiet"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"SAFETY = {SAFETY:g}: error/bound 1 is {SAFETY:g} standard deviations")
    assert "AGREE: 2 networks" in text.partition("random networks")[2]
    assert "AGREE: 1 networks" in text.partition("trained networks")[2]
    lines = [line.split() for line in text.splitlines()]
    smallest = {
        words[0]: [float(number) for number in words[1:]] for words in lines if len(words) == 5 and "/" in words[0]
    }
    assert list(smallest) == list(zoo.lenet((8, 8, 1)).parameter_shapes)
    for single, _, double, _ in smallest.values():
        assert 0 < double < 1e-9 < single < 1e-3
    page = record.read_text()
    assert page.startswith(
        "# How tight the bounds are\n\nWritten by `crosscheck calibrate -n 2 --seed 3 --trainings 1`"
    )
    assert text.strip() in page


def test_calibrate_is_exit_code_1_and_says_why_where_a_trained_network_differs(tmp_path, capsys, monkeypatch):
    right = calibration.compare_models

    def wrong(ours, *rest, **options):
        plant("dropped-bias-gradient")(ours)
        return right(ours, *rest, **options)

    monkeypatch.setattr(calibration, "compare_models", wrong)
    monkeypatch.setattr(calibration, "sensitivities", lambda *arguments: [])
    arguments = ["-n", "1", "--trainings", "1", "--output", str(tmp_path), "--quiet"]
    assert main(["calibrate", *arguments]) == 1
    assert "mlp trained from seed 0, gradient of dense/bias: " in capsys.readouterr().out
    assert main(["calibrate", *arguments, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["trained"]["verdict"] == "DIFFER"


def test_fuzz_counts_and_replay_gives_the_same_verdict(tmp_path, capsys):
    assert main(["fuzz", "-n", "3", "--seed", "4", "--quiet", "--output", str(tmp_path), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["networks"] == 3
    assert result["float32_tensors"] > 20
    assert 0 < result["largest_error_over_bound"] < 1
    case = Case(zoo.mlp((4, 4, 1), 3), 2, 7, losses.CategoricalCrossentropy())
    assert main(["fuzz", "-n", "3", "--seed", "4", "--quiet", "--output", str(tmp_path), "--json"]) == 0
    assert {**json.loads(capsys.readouterr().out), "seconds": 0} == {**result, "seconds": 0}
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case.to_dict()))
    assert main(["replay", str(path)]) == 0
    assert capsys.readouterr().out.startswith("AGREE: mlp (4, 4, 1)")


def test_fuzz_saves_the_smallest_of_what_differs(tmp_path, capsys, monkeypatch):
    wrong = ActivationFunction(FUNCTIONS["relu"].forward, lambda x, y, dy: 2 * dy)
    monkeypatch.setitem(FUNCTIONS, "relu", wrong)
    monkeypatch.setattr("benchmarks.fuzzing.SHRINK_SECONDS", 2)
    monkeypatch.setattr("bridge.conventions.explain._SECONDS", 0.01)
    code = main(["fuzz", "-n", "6", "--seed", "11", "--quiet", "--output", str(tmp_path)])
    text = capsys.readouterr().out
    assert code == 1
    saved = sorted(tmp_path.glob("seed11-*.json"))
    assert saved
    assert all(path.with_suffix(".npz").is_file() for path in saved)
    assert f"case: {saved[0]}" in text
    assert "networks differ first in" in text
    assert main(["replay", str(saved[0])]) == 1
    assert capsys.readouterr().out.startswith("DIFFER: fuzz")
    assert main(["replay", str(saved[0]), "--pytest", str(tmp_path / "test_case.py")]) == 0
    with pytest.raises(AssertionError, match="DIFFER: fuzz"):
        runpy.run_path(str(tmp_path / "test_case.py"))["test_backends_agree"]()


def test_fuzz_takes_up_what_an_interrupted_run_has_finished(tmp_path, capsys, monkeypatch):
    """Twenty-one networks are two cells; Ctrl-C comes after the first."""
    from benchmarks import fuzzing

    finding = SavedCase(Case(zoo.mlp((4, 4, 1), 3), 2, 7, losses.CategoricalCrossentropy())).to_dict()

    def interrupted(cells, *arguments):
        figures = {"float32 eager forward Dense": [2.0]}
        network = {"figures": figures, "ties": 0, "vacuous": 0, "planted": False, "gives_zeros": False}
        yield Outcome(cells[0], {"networks": [network] * 20, "findings": [{"kind": "float32 one", **finding}]})
        raise KeyboardInterrupt

    monkeypatch.setattr(fuzzing, "run_tasks", interrupted)
    assert main(["fuzz", "-n", "21", "--output", str(tmp_path)]) == INTERRUPTED
    text, progress = capsys.readouterr()
    assert "20/21 networks, " in progress
    assert "1 differ" in progress
    assert text.splitlines()[-1].endswith("interrupted, 20 of 21 networks")
    assert SavedCase.load(tmp_path / "seed0-float32-one.json")[0].to_dict() == finding


def test_fuzz_without_every_chunk_is_exit_code_2(tmp_path, capsys, monkeypatch):
    from benchmarks import fuzzing

    monkeypatch.setattr(
        fuzzing, "run_tasks", lambda cells, *arguments: [Outcome(cell, None, "its process died: 9") for cell in cells]
    )
    assert main(["fuzz", "-n", "5", "--quiet", "--output", str(tmp_path)]) == CANNOT_COMPARE
    text = capsys.readouterr().out
    assert "could not be compared, networks from 1: its process died: 9" in text
    assert "FAILED: 0 networks" in text


def test_selftest_runs_a_part_and_refuses_unknown_names(tmp_path, capsys):
    result = run("selftest", "--only", "missing-bias", "dense-pairwise", "--json", "--quiet", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    facts = json.loads(result.stdout)
    assert facts["passed"]
    assert facts["faults"][0]["found"] == facts["faults"][0]["blamed"] == "dense_1"
    assert main(["selftest", "--only", "typo", "--quiet"]) == CANNOT_COMPARE
    assert "no fault, variant, probe or slip is called typo" in capsys.readouterr().err


def test_selftest_is_exit_code_1_where_the_judge_is_wrong(monkeypatch, capsys):
    from bridge.selftest import running

    entry = {"name": "unseen", "check": "compare", "blamed": "dense", "rows": [], "culprits": []}
    monkeypatch.setitem(running.TASKS, "fault", lambda name, workbench: entry | {"compared": 0, "largest": 0.0})
    assert main(["selftest", "--only", "missing-bias", "--quiet"]) == 1
    assert "not caught: unseen" in capsys.readouterr().out


def test_a_closed_pipe_is_quiet(tmp_path):
    code = f"import sys; sys.path.insert(0, {str(PROJECT)!r}); from benchmarks.cli import main; sys.exit(main())"
    for arguments in (["list"], ["schema"]):
        command = [sys.executable, "-W", "error", "-c", code, *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 141


def test_options_of_all_commands_may_stand_in_front(capsys):
    assert main(["--json", "list"]) == 0
    assert "networks" in json.loads(capsys.readouterr().out)


def test_more_threads_than_cores_are_said(capsys, monkeypatch):
    monkeypatch.setattr(keras_models, "set_threads", lambda threads: None)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for threads, said in ((usable + 1, f"note: {usable + 1} threads on {usable} cores"), (usable, "")):
        common.prepare(argparse.Namespace(threads=threads))
        assert capsys.readouterr().err.startswith(said) if said else capsys.readouterr().err == ""


def test_latest_leads_to_the_newest_run_and_open_opens_it(tmp_path, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    assert main(["open", str(tmp_path)]) == 2
    assert "no report in" in capsys.readouterr().err
    for _ in range(2):
        directory = common.run_directory(tmp_path, "mlp")
        (directory / "report.html").write_text("")
    assert (tmp_path / "latest").resolve() == tmp_path / "mlp-2"
    assert main(["open", str(tmp_path)]) == main(["open", str(tmp_path / "mlp")]) == 0
    time.sleep(0.01)
    (tmp_path / "side_by_side.html").write_text("")
    assert main(["open", str(tmp_path)]) == 0
    names = [Path(address).relative_to(tmp_path.resolve().as_uri()).as_posix() for address in opened]
    assert names == ["mlp-2/report.html", "mlp/report.html", "side_by_side.html"]
    # A training alone has no page; the newest one is that of another run
    (tmp_path / "side_by_side.html").unlink()
    common.run_directory(tmp_path, "mlp-training")
    assert main(["open", str(tmp_path)]) == 0
    assert opened[-1].endswith("mlp-2/report.html")


def test_a_file_called_latest_stays(tmp_path):
    (tmp_path / "latest").write_text("mine")
    common.run_directory(tmp_path, "mlp")
    assert (tmp_path / "latest").read_text() == "mine"
