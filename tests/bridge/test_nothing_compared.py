"""Ways to compare nothing, or NaN with NaN: none of them is AGREE, and none leaves with exit code 0 or 1."""

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import bridge
from benchmarks.accuracy import AccuracyComparison, accuracy_verdict
from benchmarks.cli import main
from benchmarks.commands.common import CANNOT_COMPARE, CRASHED, exit_code
from benchmarks.compare import Comparison
from benchmarks.optimizer_parity import OptimizerParity
from benchmarks.sweep_result import SweepResult
from bridge.fuzzing.conversions import ConversionCampaign
from bridge.fuzzing.summary import FuzzSummary
from bridge.fuzzing.task_runner import Outcome, Task
from bridge.judge.report import ParityReport
from bridge.lockstep.report import Step, TrainingParityReport
from bridge.outside.layer_report import LayerReport
from core_numpy import NumpyModel
from model_spec import SGD, Dense, ModelSpec, TrainingSpec
from model_spec.verdict import Verdict, combine

SPEC = ModelSpec("small", (4,), (Dense(3, activation="relu"), Dense(2, activation="softmax")))
RUN = TrainingSpec(SGD(0.1), batch_size=4)
X, Y = np.random.default_rng(0).normal(size=(8, 4)), np.arange(8) % 2
SAME = Step(0.0, 0.0, 0.0, 0.0, "loss")
BOTH = replace(SAME, loss=math.inf, diverged=("NumPy", "Keras"))


class Constant:
    """A model that gives the same number for everything."""

    dtype, dropout_seed = "float32", 0

    def __init__(self, value):
        self.spec, self.value, self.weights = SPEC, value, NumpyModel(SPEC).weights

    def predict(self, x, batch_size=None):
        return np.full((len(x), 2), self.value, np.float32)


class OneNaN(Constant):
    def predict(self, x, batch_size=None):
        output = super().predict(x)
        output[0, 0] = np.nan
        return output


def training(*steps, control=SAME):
    return TrainingParityReport(SPEC, RUN, "float64", False, 1, list(steps), [control] * len(steps))


def accuracy(*values):
    backends = tuple(
        SimpleNamespace(name=name, test={"loss": value, "accuracy": 0.1}, probabilities=np.full((2, 2), value))
        for name, value in zip(("NumPy", "Keras"), values, strict=True)
    )
    return AccuracyComparison(SPEC, RUN, backends, Y[:2], 1.0, (0, 0), 0.0)


def sweep(*losses):
    cells = [Task("f", {"name": "m", "data": "d", "seed": 0, "backend": str(at)}, "v") for at in range(len(losses))]
    outcomes = [Outcome(cell, {"loss": loss, "accuracy": 0.1}) for cell, loss in zip(cells, losses, strict=True)]
    return SweepResult(outcomes, len(outcomes))


def zeros():
    model = NumpyModel(ModelSpec("zeros", (4,), (Dense(3), Dense(2))))
    model.set_weights({name: np.zeros_like(value) for name, value in model.weights.items()})
    return model


def models(first, second):
    return lambda: bridge.compare_models(first, second, X, Y).verdict


WAYS = {
    "no tensor": lambda: ParityReport(SPEC, 0, ("a", "b")).verdict,
    "no row of a layer": lambda: LayerReport("Layer", "Dense(2)", "inference").verdict,
    "no step": lambda: training().verdict,
    "no network": lambda: FuzzSummary().verdict,
    "networks without a tensor": lambda: FuzzSummary(networks=3).verdict,
    "only failed chunks": lambda: FuzzSummary(failed=["error"]).verdict,
    "no conversion": lambda: ConversionCampaign().verdict,
    "failed conversions": lambda: ConversionCampaign(failed=["error"]).verdict,
    "no cell": lambda: SweepResult().verdict,
    "missing cells": lambda: SweepResult([], 3).verdict,
    "trainings without a comparison": lambda: sweep(0.5).verdict,
    "diverged sweep": lambda: sweep("nan", math.inf).verdict,
    "no optimizer": lambda: combine([]),
    "an empty comparison": lambda: Comparison(SPEC, None, ParityReport(SPEC, 0, ("a", "b")), {}).verdict,
    "both diverged": lambda: training(SAME, BOTH, control=replace(SAME, loss=math.inf)).verdict,
    "both accuracies of NaN": lambda: accuracy(math.nan, math.nan).verdict,
    "both accuracies of NaN, all seeds": lambda: accuracy_verdict([accuracy(math.nan, math.nan)] * 2),
    "optimizers that diverge": lambda: OptimizerParity("m", "sgd", 1, math.inf, "w", 0, 0, ("NumPy", "Keras")).verdict,
    "two models of NaN": models(Constant(np.nan), Constant(np.nan)),
    "two models of infinity": models(Constant(np.inf), Constant(np.inf)),
    "two networks of zeros": lambda: bridge.compare_models(zeros(), zeros(), X).verdict,
    "one NaN at the same place": models(OneNaN(0.5), OneNaN(0.5)),
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_and_nan_are_no_agreement(way):
    verdict = WAYS[way]()
    assert verdict in (Verdict.NOTHING_COMPARED, Verdict.BOTH_DIVERGED, Verdict.FAILED)
    assert exit_code(verdict) == CANNOT_COMPARE


def test_what_differs_beside_it_is_still_seen():
    assert models(Constant(np.nan), Constant(0.5))() == Verdict.DIFFER
    assert models(Constant(np.inf), Constant(-np.inf))() == Verdict.DIFFER
    assert accuracy(math.nan, 0.5).verdict == Verdict.DIFFER
    assert sweep("nan", 0.5).verdict == Verdict.DIFFER
    assert training(replace(BOTH, diverged=("NumPy",))).verdict == Verdict.DIFFER
    assert OptimizerParity("m", "sgd", 1, math.inf, "w", 0, 0, ("NumPy",)).verdict == Verdict.DIFFER


DENSE = '[[layers]]\ntype = "Flatten"\n[[layers]]\ntype = "Dense"\nunits = 10\nactivation = "softmax"\n'
FILES = {
    "cnn.toml": f'name = "cnn"\ninput_shape = [8, 8, 1]\n{DENSE}',
    "last.toml": f'name = "last"\ninput_shape = [8, 8, 1]\n{DENSE}[[layers]]\ntype = "Dropout"\nrate = 0.5\n',
    "empty.json": "{}",
}

# The line, a configuration, and words of the answer
LINES = {
    "no seeds": ("parity mlp", "seeds = 0", "--seeds: must be at least 1, got 0"),
    "no rows": ("parity mlp", "rows = 0", "--rows: must be at least 1"),
    "negative rows": ("parity mlp", "rows = -3", "must be at least 1, got -3"),
    "unknown path": ("parity mlp", 'paths = ["bogus"]', "unknown value 'bogus'"),
    "no path": ("parity mlp", "paths = []", "paths must be a list with entries"),
    "no model": ("parity", "models = []", "models must be a list with entries"),
    "a word for a switch": ("parity mlp", 'quiet = "no"', "quiet must be true or false, got 'no'"),
    "a switch for a number": ("parity mlp", "seed = true", "seed must be a value, got True"),
    "a table": ("parity mlp", "[paths]\na = 1", "paths must be a number, a string or a list"),
    "a fault that is no name": ("compare mlp", "fault = 5", "unknown fault '5'"),
    "no steps of drift": ("compare mlp", "drift = -1", "must be at least 1, got -1"),
    "no epochs": ("train mlp", "epochs = 0", "must be at least 1, got 0"),
    "no training rows": ("train mlp", "limit = 0", "must be at least 1, got 0"),
    "nothing on the fast path": ("parity last.toml --paths fast --quiet", None, "NOTHING COMPARED: last"),
    "a network twice": ("sweep cnn cnn", None, "'cnn' are given more than once"),
    "two networks of one name": ("sweep cnn.toml cnn", None, "2 of the networks are called 'cnn'"),
    "a data set twice": ("sweep cnn --data digits digits", None, "'digits' are given more than once"),
    "no place": ("compare mlp", 'output = ""', "--output: is empty; name a file or folder"),
    "no networks": ("fuzz -n 0", None, "must be at least 1"),
    "an empty case": ("replay empty.json", None, "a case must be a table with"),
}


@pytest.mark.parametrize("way", LINES)
def test_a_line_that_compares_nothing_is_exit_code_2(way, tmp_path, monkeypatch, capsys):
    line, configuration, words = LINES[way]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("keras_models.set_threads", lambda threads: None)  # TensorFlow has run in this process
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    if configuration is not None:
        (tmp_path / "run.toml").write_text(configuration)
        line += " --config run.toml"
    try:
        code = main(line.split())
    except SystemExit as left:
        code = left.code
    found = capsys.readouterr()
    assert code == CANNOT_COMPARE
    assert words in found.out + found.err
    assert "AGREE:" not in found.out


def test_what_stands_on_the_line_wins_over_the_configuration(tmp_path, capsys):
    path = tmp_path / "run.toml"
    path.write_text('models = ["typo"]\nseeds = 0\nquiet = true\ndata = "typo"\n')
    assert main(["parity", "mlp", "--seeds", "1", "--config", str(path)]) == CANNOT_COMPARE
    assert "unknown data set 'typo'" in capsys.readouterr().err


def test_a_crash_has_an_exit_code_of_its_own_and_leaves_its_traceback(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("benchmarks.commands.list.run", lambda options: 1 // 0)
    assert main(["list"]) == CRASHED == 70
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "the program itself failed: ZeroDivisionError" in error
    (file,) = tmp_path.iterdir()
    assert "Traceback" in file.read_text()
    assert str(file) in error


def test_training_sees_nan_in_any_tensor_it_carries():
    for resync in (False, True):
        report = bridge.compare_training(SPEC, X, Y, RUN, 2, resync=resync, prepare=bridge.plant("nan-after-the-step"))
        assert report.verdict == Verdict.DIFFER
        assert report.steps[0].diverged == ("NumPy",)
        json.loads(json.dumps(report.to_dict(), allow_nan=False))


@pytest.mark.filterwarnings("ignore:.*encountered in.*:RuntimeWarning")
def test_trainings_that_diverge_together():
    wild = TrainingSpec(SGD(1e30), loss="mean_squared_error", batch_size=4)
    spec = ModelSpec("wild", (4,), (Dense(3), Dense(2)))
    report = bridge.compare_training(spec, X, np.eye(2)[Y], wild, 8, dtype="float32")
    assert report.verdict == Verdict.BOTH_DIVERGED
    assert not report.passed
    assert "not finite from step" in str(report)
    assert len(report.steps) < 8
    json.loads(json.dumps(report.to_dict(), allow_nan=False))
