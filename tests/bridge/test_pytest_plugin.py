"""The pytest plugin: a disagreement fails the user's test with the report, and JUnit's file has the verdict."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from importlib.metadata import entry_points

import pytest

pytest_plugins = "pytester"

LAYER = """
import numpy as np
import model_spec

class Affine:
    sign = 1
    def __init__(self):
        self.W, self.b = np.ones((4, 3)), np.ones(3)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dy):
        self.dW, self.db = self.sign * self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.W.T

class Wrong(Affine):
    sign = -1
"""


@pytest.fixture
def outcome(pytester):
    """Runs one test file as a user would, and returns (result, {test name: properties in JUnit's file})."""

    def run(source):
        pytester.makepyfile(source)
        # In a process of its own: within this one, modules would be loaded twice
        result = pytester.runpytest_subprocess("--junitxml=junit.xml", "-p", "no:cacheprovider")
        properties = {
            case.get("name"): {entry.get("name"): entry.get("value") for entry in case.iter("property")}
            for case in ElementTree.parse(pytester.path / "junit.xml").iter("testcase")
        }
        return result, properties

    return run


def test_plugin_is_installed():
    assert [entry.value for entry in entry_points(group="pytest11", name="crosscheck")] == ["crosscheck.pytest_plugin"]


def test_importing_it_loads_nothing_heavy():
    heavy = ("numpy", "keras", "bridge", "core_numpy", "model_spec")
    code = f"import sys, crosscheck.pytest_plugin; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "[]", run.stderr


def test_layers_that_agree_and_that_do_not(outcome):
    result, properties = outcome(
        LAYER
        + """
def test_right(crosscheck):
    assert crosscheck.check_layer(Affine(), model_spec.Dense(3), (4,)).passed

def test_wrong(crosscheck):
    crosscheck.check_layer(Wrong(), model_spec.Dense(3), (4,))
"""
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "DIFFER: Wrong (NHWC, IO) as Dense(3) on (4,)*",
            "first failing tensor: gradient of kernel (float64)",
            "*BUG float64 pullback: gradient of kernel*",
        ]
    )
    # The report, not the trace of the judge
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")
    assert properties["test_right"]["crosscheck_verdict"].startswith("AGREE: Affine")
    assert properties["test_right"]["crosscheck_first_divergence"] == "none"
    assert properties["test_wrong"]["crosscheck_verdict"].startswith("DIFFER: Wrong")
    assert properties["test_wrong"]["crosscheck_first_divergence"] == "gradient of kernel (float64)"


def test_models_that_agree_and_that_do_not(outcome):
    result, properties = outcome(
        """
import numpy as np
import bridge
from bridge.selftest.faults import find
from core_numpy import NumpyModel
from model_spec import zoo

X = np.random.default_rng(0).uniform(size=(4, 8, 8, 1))

def models(fault=None):
    spec = zoo.cnn((8, 8, 1))
    a, b = (NumpyModel(spec, seed=seed, dtype="float64") for seed in (1, 2))
    a.set_weights(bridge.random_weights(spec, 3))
    bridge.copy_weights(a, b)
    if fault:
        find(fault).plant(b)
    return a, b

def test_right(crosscheck):
    crosscheck.compare_models(*models(), X, np.arange(4))

def test_wrong(crosscheck):
    crosscheck.compare_models(*models("missing-bias"), X, np.arange(4))
"""
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["DIFFER: cnn (8, 8, 1)*", "first divergence: layer 'conv2d', forward*"])
    assert properties["test_right"]["crosscheck_verdict"].startswith("AGREE: cnn")
    assert properties["test_wrong"]["crosscheck_first_divergence"] == "conv2d/preactivation (float64)"


def test_compare_runs_both_backends(outcome):
    result, properties = outcome(
        """
import numpy as np
from bridge import plant
from model_spec import zoo

X = np.random.default_rng(0).uniform(size=(2, 8, 8, 1))

def test_right(crosscheck):
    assert crosscheck.compare(zoo.mlp((8, 8, 1)), X, [1, 2], dtype="float64").passed

def test_wrong(crosscheck):
    crosscheck.compare(zoo.mlp((8, 8, 1)), X, [1, 2], dtype="float64", prepare=plant("dropped-bias-gradient"))
"""
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["DIFFER: mlp (8, 8, 1), NumPy and Keras*"])
    assert properties["test_wrong"]["crosscheck_first_divergence"] == "gradient of dense/bias (float64)"


def test_a_backend_that_agrees_and_one_that_does_not(outcome):
    result, properties = outcome(
        """
from core_numpy import NumpyModel
from model_spec import Activation, Dense

KNOWN = {"networks": 20, "layers": (Dense, Activation)}

class Mine(NumpyModel):
    def __init__(self, spec, weights):
        super().__init__(spec, weights=weights)

class Wrong(Mine):
    def predict(self, x):
        return super().predict(x) + 1

def test_right(crosscheck):
    assert crosscheck.fuzz(Mine, **KNOWN).networks

def test_wrong(crosscheck):
    crosscheck.fuzz(Wrong, **KNOWN)
"""
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["DIFFER: 0 networks on Wrong*", "    spec = ModelSpec('fuzz', *"])
    assert properties["test_right"]["crosscheck_verdict"].startswith("AGREE: ")
    assert properties["test_wrong"]["crosscheck_first_divergence"].endswith("by predict (float32)")


def test_under_hypothesis_and_where_nothing_is_proved(outcome):
    result, properties = outcome(
        """
import numpy as np
import pytest
from core_numpy import NumpyModel
from hypothesis import given, settings
from hypothesis import strategies as some
from model_spec import Activation, Dense, ModelSpec

class Relu:
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask
    def backward(self, dy):
        return dy * self.mask

@settings(max_examples=5, deadline=None)
@given(some.integers(1, 4))
def test_relu(crosscheck, size):
    crosscheck.check_layer(Relu(), Activation("relu"), (size,))

def dead():
    model = NumpyModel(ModelSpec("dead", (3,), (Dense(2, activation="relu"),)), dtype="float64")
    model.set_weights([-np.ones((3, 2)), -np.ones(2)])
    return model

def test_dead_fails(crosscheck):
    crosscheck.compare_models(dead(), dead(), np.ones((4, 3)))

def test_dead_passes(crosscheck):
    report = crosscheck.compare_models(dead(), dead(), np.ones((4, 3)), nothing_compared="pass")
    assert report.verdict == "NOTHING COMPARED"

def test_slip(crosscheck):
    with pytest.raises(ValueError, match='must be "fail" or "pass"'):
        crosscheck.compare_models(dead(), dead(), np.ones((4, 3)), nothing_compared="ignore")
"""
    )
    result.assert_outcomes(passed=3, failed=1)
    assert "crosscheck_verdict" in properties["test_relu"]


def test_an_assertion_shows_what_differs(outcome):
    result, _ = outcome(
        LAYER
        + """
import crosscheck as cc

def test_wrong():
    report = cc.check_layer(Wrong(), model_spec.Dense(3), (4,))
    assert report.passed, report
"""
    )
    result.stdout.fnmatch_lines(["*AssertionError: DIFFER: Wrong*", "*first failing tensor: gradient of kernel*"])
    result.stdout.no_fnmatch_line("*LayerReport(*")


def test_speeds_that_hold_and_that_do_not(outcome):
    result, properties = outcome(
        """
        SHORT = {"blocks": 5, "minimum_sample_seconds": 0.01, "warmup_seconds": 0.02}

        def work(rounds=3000):
            return sum(range(rounds))

        def test_a_task_beside_itself(crosscheck):
            crosscheck.compare_speed(work, lambda: work(), at_least=0.5, **SHORT)

        def test_a_task_beside_three_of_it(crosscheck):
            crosscheck.compare_speed(work, lambda: work(9000), names=("once", "thrice"), **SHORT)

        def test_not_fast_enough(crosscheck):
            crosscheck.compare_speed(lambda: work(9000), work, at_least=30, **SHORT)
        """
    )
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["thrice is 0.[234]* times as fast as once *, where at least 1 was asked for"])
    assert "times as fast as work" in properties["test_a_task_beside_itself"]["crosscheck_speed"]
