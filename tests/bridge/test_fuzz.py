"""Random architectures agree; a case survives the way through JSON; a fault that needs a search is found."""

import builtins
import json
import subprocess
import sys

import hypothesis
import numpy as np
import pytest
from hypothesis import given, settings

from bridge import fuzz
from bridge.verdict import VACUOUS
from core_numpy.ops import windows
from model_spec import Dense, ModelSpec
from model_spec.layers import LAYERS
from model_spec.losses import CategoricalCrossentropy, MeanSquaredError
from model_spec.shapes import element_count

CASE = fuzz.Case(
    ModelSpec("dead", (3,), (Dense(4, activation="relu"), Dense(2, activation="softmax"))),
    batch=2,
    seed=5,
    loss=CategoricalCrossentropy(label_smoothing=0.1),
    data="integers",
)


def test_forty_random_networks_agree():
    seen = []
    findings = fuzz.run(40, seed=7, show=lambda number, case, report: seen.append((number, case, report)))
    assert not findings, "\n".join(str(finding) for finding in findings)
    assert [number for number, _, _ in seen] == list(range(1, 41))
    rows = [row for _, _, report in seen for row in report.rows]
    vacuous = [row for row in rows if row.verdict == VACUOUS]
    assert all(row.error == 0 and row.values == (0, 0, 0) for row in vacuous)
    assert len(vacuous) < 0.1 * len(rows)
    assert {row.dtype for row in rows} == {"float32", "float64"}


def test_the_same_seed_draws_the_same_cases():
    def drawn(seed):
        cases = []
        fuzz.run(6, seed, show=lambda number, case, report: cases.append(case), dtypes="float64", max_layers=4)
        return cases

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


@settings(max_examples=150)
@given(case=fuzz.cases())
def test_cases_are_small_valid_and_survive_json(case):
    assert fuzz.Case.from_dict(json.loads(json.dumps(case.to_dict()))) == case
    assert len(case.spec.layers) <= 8
    assert case.spec.output_shape[0] in range(2, 7)
    assert len(case.spec.output_shape) == 1
    assert 1 <= case.batch <= 5
    assert max(element_count(shape) for shape in case.spec.output_shapes) <= 4000
    x, y = case.arrays()
    again, targets = case.arrays()
    assert x.shape == (case.batch, *case.spec.input_shape)
    np.testing.assert_array_equal(x, again)
    np.testing.assert_array_equal(y, targets)


def test_every_layer_is_drawn():
    found = set()

    @hypothesis.seed(0)
    @settings(max_examples=300, derandomize=False, phases=[hypothesis.Phase.generate])
    @given(spec=fuzz.specs())
    def collect(spec):
        found.update(type(layer) for layer in spec.layers)

    collect()
    assert found == set(LAYERS.values())


@settings(max_examples=150)
@given(spec=fuzz.specs())
def test_what_crashes_tensorflow_is_not_drawn(spec):
    """A strided 1x1 convolution in float32: heap corruption, see bridge.random_networks."""
    for layer in spec.layers:
        assert not (getattr(layer, "kernel_size", None) == (1, 1) and layer.strides != (1, 1))


def test_max_layers_is_kept_and_too_few_are_refused():
    @settings(max_examples=60)
    @given(spec=fuzz.specs(max_layers=4))
    def collect(spec):
        assert len(spec.layers) <= 4

    collect()
    with pytest.raises(ValueError, match="max_layers must be at least 4, got 3"):
        fuzz.specs(max_layers=3)


@pytest.mark.parametrize("kind", fuzz.DATA)
def test_inputs_of_each_kind(kind):
    x = fuzz.random_inputs(kind, (4, 6, 6, 2), np.random.default_rng(0))
    assert x.shape == (4, 6, 6, 2)
    repeated = x.size - len(np.unique(x))
    assert (repeated > x.size / 2) == (kind != "normal")
    with pytest.raises(ValueError, match="data must be one of"):
        fuzz.random_inputs("noise", (1, 2), np.random.default_rng(0))


def test_fault_in_a_corner_is_found(monkeypatch):
    """SAME padding with the odd cell in front: shows only in some windows, strides and sizes."""
    right = windows.padding_amount

    def wrong(size, window, stride, padding, dilation=1):
        before, after = right(size, window, stride, padding, dilation)
        return after, before

    monkeypatch.setattr(windows, "padding_amount", wrong)
    examined = []
    findings = fuzz.run(200, 0, lambda number, *_: examined.append(number), dtypes="float64", most=1)
    assert len(findings) == 1
    assert len(examined) < 200
    first = findings[0].report.first_divergence
    assert type(next(layer for layer in findings[0].case.spec.layers if layer.name == first.layer)).__name__ in {
        "Conv2D",
        "MaxPooling2D",
        "AveragePooling2D",
    }
    assert findings[0].case.spec.summary() in str(findings[0])
    # The case is all it takes to see it again, and without the fault it agrees
    again = fuzz.Case.from_dict(findings[0].case.to_dict())
    assert fuzz.failures(fuzz.check(again, "float64"))
    monkeypatch.undo()
    assert not fuzz.failures(fuzz.check(again, "float64"))


def test_an_error_of_a_backend_is_a_finding(monkeypatch):
    def broken(*arguments, **options):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("bridge.fuzz.compare", broken)
    findings = fuzz.run(3, 0)
    assert len(findings) >= 1
    assert findings[0].error == "ZeroDivisionError: planted"
    assert findings[0].report is None


def test_a_dead_network_is_accepted_only_while_both_sides_are_zero():
    report = fuzz.check(CASE, "float64")
    assert not fuzz.failures(report)
    row = next(row for row in report.rows if row.tensor == "dense")
    last = next(row for row in report.rows if row.tensor == "dense_1")
    report.rows = [type(row)(**{**vars(row), "verdict": VACUOUS}), type(last)(**{**vars(last), "verdict": VACUOUS})]
    # The hidden layer may be dead, the output may not
    assert [failure.tensor for failure in fuzz.failures(report)] == ["dense_1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"batch": 0}, "batch must be"), ({"data": "noise"}, "data must be"), ({"seed": -1}, "seed must be")],
)
def test_bad_cases_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        fuzz.Case(**{**vars(CASE), **change})
    with pytest.raises(ValueError, match="a case must be a table with batch, data"):
        fuzz.Case.from_dict({"batch": 1})


def test_targets_fit_the_loss():
    random = np.random.default_rng(0)
    assert fuzz.random_targets(CategoricalCrossentropy(), (5, 3), False, random).shape == (5,)
    rows = fuzz.random_targets(CategoricalCrossentropy(), (5, 3), True, random)
    assert rows.shape == (5, 3)
    assert rows.sum(axis=1).tolist() == [1] * 5
    assert fuzz.random_targets(MeanSquaredError(), (5, 3), True, random).shape == (5, 3)


def test_without_hypothesis_the_error_says_what_to_install(monkeypatch):
    importing = builtins.__import__

    def without(name, *arguments, **options):
        if name.partition(".")[0] == "hypothesis":
            raise ModuleNotFoundError("No module named 'hypothesis'", name="hypothesis")
        return importing(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'hypothesis is missing\): pip install "crosscheck\[test\]"'):
        fuzz.run(1, 0)


def test_import_loads_no_hypothesis():
    program = "import sys, bridge.fuzz; sys.exit('hypothesis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
