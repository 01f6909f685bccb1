"""Random architectures agree; a case survives the way through JSON; a fault that needs a search is found."""

import builtins
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import given, settings

from bridge import plant
from bridge.fuzzing import fuzz
from bridge.fuzzing import tasks as fuzz_cells
from bridge.fuzzing.saved_cases import SavedCase
from bridge.fuzzing.shrink import shrink
from bridge.fuzzing.summary import FuzzSummary
from bridge.judge.tensor import VACUOUS
from core_numpy.ops import windows
from model_spec import Add, Dense, ModelSpec, Multiply
from model_spec.layers import LAYERS
from model_spec.layers.ends import is_end
from model_spec.losses import CategoricalCrossentropy, MeanSquaredError
from model_spec.shapes import element_count
from model_spec.verdict import Verdict

PROJECT = Path(__file__).resolve().parents[2]

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
    # Several inputs and a merge of them
    assert len([layer for layer in case.spec.layers if not is_end(layer)]) <= 9
    assert case.spec.outputs is not None or case.spec.output_shape[0] in range(2, 7)
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
    @settings(max_examples=1000, derandomize=False, phases=[hypothesis.Phase.generate])
    @given(spec=fuzz.specs())
    def collect(spec):
        found.update(type(layer) for layer in spec.layers)

    collect()
    assert found == set(LAYERS.values())


@settings(max_examples=150)
@given(spec=fuzz.specs())
def test_what_crashes_tensorflow_is_not_drawn(spec):
    """A strided 1x1 convolution in float32: heap corruption, see bridge.fuzzing.random_networks."""
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
        "Conv2DTranspose",
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

    monkeypatch.setattr("bridge.fuzzing.fuzz.compare", broken)
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
    assert not fuzz.failures(report)
    # The hidden layer may be dead; where the output is, the network is counted apart
    assert fuzz.gives_zeros(report)
    assert fuzz_cells.figures_of(report)["gives_zeros"]
    del report.rows[1]
    assert not fuzz.gives_zeros(report)
    summary = FuzzSummary()
    network = {"figures": {"float64 eager": [0.1]}, "ties": 0, "vacuous": 1, "planted": False}
    summary.add(0, {"networks": [{**network, "gives_zeros": True}], "findings": []})
    assert summary.verdict == Verdict.NOTHING_COMPARED
    summary.add(0, {"networks": [{**network, "gives_zeros": False}], "findings": []})
    assert summary.verdict == Verdict.AGREE
    assert summary.to_dict()["zero_outputs"] == 1
    assert "1 networks give zeros alone, on both sides: they neither agree nor differ" in summary.lines()


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
    program = "import sys, bridge.fuzzing.fuzz; sys.exit('hypothesis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_fault_is_planted_where_it_fits():
    assert fuzz.check(CASE, "float64", plant("flipped-kernel"), locate=False).prepared == (
        "planted fault: flipped-kernel in dense"
    )
    report = fuzz.check(CASE, "float64", plant("uninverted-dropout"), locate=False)
    assert report.prepared is None
    assert not fuzz.failures(report)
    with pytest.raises(ValueError, match="unknown fault 'typo'"):
        plant("typo")


@pytest.mark.parametrize(
    ("fault", "seed"), [("flipped-kernel", 3), ("uninverted-dropout", 2), ("missing-mean", 1), ("missing-bias", 1)]
)
def test_a_finding_shrinks_to_two_layers_and_the_output(fault, seed):
    drawn = []
    (finding,) = fuzz.run(
        200, seed, lambda *_: drawn.append(_), dtypes="float64", most=1, prepare=plant(fault), locate=False
    )
    assert len(drawn) < 200

    def differs(case):
        again = fuzz.examine(case, "float64", plant(fault), locate=False)[1]
        return again is not None and again.kind == finding.kind

    smallest = shrink(finding.case, differs, 200, seed, seconds=60)
    assert len(smallest.spec.layers) <= 3
    assert len(smallest.spec.layers) <= len(finding.case.spec.layers)
    assert differs(smallest)


def test_a_fault_in_a_branch_shrinks_to_the_merge():
    """Layers around the branches go, and so do branches that are not needed to see it."""
    layers = (
        Dense(4, activation="tanh", name="stem"),
        Dense(4, name="a"),
        Dense(4, inputs="stem", name="b"),
        Add(inputs=("a", "b", "stem"), name="first"),
        Dense(4, activation="tanh", inputs="stem", name="c"),
        Multiply(inputs=("first", "c"), name="second"),
        Dense(2, activation="softmax"),
    )
    case = replace(CASE, spec=ModelSpec("branching", (4,), layers))

    def differs(case):
        return fuzz.examine(case, "float64", plant("add-forgets-an-input"), locate=False)[1] is not None

    assert differs(case)
    smallest = shrink(case, differs, 5, 0, seconds=30)
    assert len(smallest.spec.layers) <= 3
    assert any(isinstance(layer, Add) for layer in smallest.spec.layers)


@pytest.fixture(scope="module")
def with_several_ends():
    """Cases with several inputs or outputs, drawn as the campaign draws: each seed gives one case."""
    found = []

    def keep(case):
        if case.spec.input_parts or case.spec.outputs:
            found.append(case)

    for seed in range(80):

        @hypothesis.seed(seed)
        @settings(max_examples=2, derandomize=False, phases=[hypothesis.Phase.generate], database=None)
        @given(case=fuzz.cases())
        def collect(case):
            keep(case)

        collect()
    return found


@pytest.mark.parametrize("kind", ["inputs", "outputs"])
def test_networks_with_several_inputs_and_outputs_are_drawn_and_agree(kind, with_several_ends, tmp_path):
    cases = [case for case in with_several_ends if (case.spec.input_parts if kind == "inputs" else case.spec.outputs)]
    assert len(cases) >= 4
    for case in cases[:4]:
        SavedCase(case).save(tmp_path / "case.json")
        saved, arrays = SavedCase.load(tmp_path / "case.json")
        assert saved.case == case
        assert (arrays[1] is None) == (case.spec.outputs is not None)
        report, finding = fuzz.examine(case, paths=("eager", "fast"), locate=False, arrays=arrays)
        assert finding is None, str(finding)
        assert {row.stage for row in report.rows} >= {"forward", "pullback"}


@pytest.mark.parametrize("fault", ["add-forgets-an-input", "flipped-kernel"])
def test_a_fault_in_a_network_with_several_ends_shrinks_to_four_layers(fault):
    layers = (
        Dense(4, activation="tanh", inputs="left", name="a"),
        Dense(4, inputs="right", name="b"),
        Add(inputs=("a", "b", "a"), name="first"),
        Dense(4, activation="tanh", inputs="a", name="c"),
        Multiply(inputs=("first", "c"), name="second"),
        Dense(2, activation="softmax", name="one"),
        Dense(3, inputs="second", name="two"),
    )
    spec = ModelSpec("ends", {"left": (4,), "right": (4,)}, layers, outputs=("two", "one"))
    case = replace(CASE, spec=spec)

    def differs(case):
        finding = fuzz.examine(case, "float64", plant(fault), locate=False)[1]
        return finding is not None and finding.error is None

    assert differs(case)
    smallest = shrink(case, differs, 5, 0, seconds=30)
    assert len(smallest.spec.layers) <= 4, smallest.spec.summary()
    assert smallest.spec.outputs is None


def test_shrinking_ends_in_time_and_never_loses_the_case():
    drawn = []
    fuzz.run(12, 3, lambda number, case, report: drawn.append(case), max_layers=4, dtypes="float64")
    largest = max(drawn, key=lambda case: len(case.spec.layers))
    assert shrink(largest, lambda case: True, 12, 3, seconds=0, max_layers=4) == largest
    assert shrink(largest, lambda case: False, 12, 3, max_layers=4) == largest
    # A case that was not drawn by this seed loses layers, and is never drawn anew
    assert shrink(CASE, lambda case: False, 12, 3, max_layers=4) == CASE
    (only,) = shrink(CASE, lambda case: True, 12, 3, max_layers=4).spec.layers
    assert only.name == "dense_1"
    simplest = shrink(largest, lambda case: True, 12, 3, max_layers=4)
    assert len(simplest.spec.layers) == 1


@pytest.mark.parametrize("seed", [1, 2])
def test_layers_that_do_not_matter_are_left_out(seed):
    """The strategy shrinks well: whatever surrounds a layer disappears, from full networks too."""
    drawn = []

    @hypothesis.seed(seed)
    @settings(max_examples=200, derandomize=False, phases=[hypothesis.Phase.generate])
    @given(case=fuzz.cases())
    def collect(case):
        drawn.append(case)

    def has_pooling(case):
        if len(case.spec.input_shape) < 3:  # images made of rows need a Reshape in front
            return False
        return any(type(layer).__name__ == "MaxPooling2D" for layer in case.spec.layers)

    collect()
    start = max(filter(has_pooling, drawn), key=lambda case: len(case.spec.layers))
    smallest = shrink(start, has_pooling, 200, seed)
    assert [type(layer).__name__ for layer in smallest.spec.layers] == ["MaxPooling2D", "Flatten", "Dense"]


def test_a_chunk_is_the_same_each_time_and_counts_every_tensor():
    first = fuzz_cells.compare_chunk(3, 1, 2)
    assert json.loads(json.dumps(first)) == fuzz_cells.compare_chunk(3, 1, 2)
    assert first["findings"] == []
    assert len(first["networks"]) == 2
    for network in first["networks"]:
        assert all(kind.split()[0] in ("float32", "float64") for kind in network["figures"])
        assert all(0 <= figure <= 1 for figures in network["figures"].values() for figure in figures)
    summary = FuzzSummary()
    summary.add(1, first)
    facts = summary.to_dict()
    assert facts["verdict"] == "AGREE"
    assert facts["tensors"] == sum(facts["histogram"]["float32"].values()) * 2 + facts["ties"] + facts["vacuous"]
    assert "over 1" not in facts["histogram"]["float32"]


def test_every_twentieth_network_is_compared_on_the_compiled_paths(monkeypatch):
    drawn = []

    def examine(case, dtypes, fault, paths, locate):
        drawn.append((case, tuple(paths)))
        return None, None

    monkeypatch.setattr("bridge.fuzzing.fuzz.examine", examine)
    cells = fuzz_cells.chunk_tasks(70, 0)
    assert [cell.arguments["count"] for cell in cells] == [20, 20, 20, 10]
    assert cells[:3] == fuzz_cells.chunk_tasks(60, 0)
    for cell in cells:
        fuzz_cells.compare_chunk(**cell.arguments)
    compiled = [number for number, (_, paths) in enumerate(drawn, 1) if paths != ("eager", "fast")]
    assert compiled == [20, 40, 60]
    assert drawn[19][1] == ("eager", "fast", "graph", "xla")
    assert len({case.spec for case, _ in drawn}) > 65


def test_summary_of_findings_and_failures_depends_on_no_order():
    def chunk(kind, ratio):
        network = {
            "figures": {"float32 eager forward Dense": [ratio, 0.0]},
            "ties": 1,
            "vacuous": 2,
            "planted": True,
            "gives_zeros": False,
        }
        return {"networks": [network], "findings": [{"kind": kind}] if kind else []}

    chunks = [chunk("a", "inf"), chunk(None, 0.02), chunk("a", 3e-9), chunk("b", 2.0)]
    forth, back = FuzzSummary(), FuzzSummary()
    for number, result in enumerate(chunks):
        forth.add(number, result)
    for number, result in reversed(list(enumerate(chunks))):
        back.add(number, result)
    assert forth.to_dict() == back.to_dict()
    assert forth.kinds == back.kinds
    facts = forth.to_dict()
    assert (facts["verdict"], facts["differing"], facts["kinds"]) == ("DIFFER", 3, {"a": 2, "b": 1})
    assert facts["largest_error_over_bound"] == "inf"
    assert facts["histogram"]["float32"] == {"equal": 4, "below 1e-7": 1, "1e-2 to 1e-1": 1, "over 1": 2}
    assert "2 networks differ first in a" in forth.lines()
    assert FuzzSummary().verdict == "NOTHING COMPARED"
    assert FuzzSummary(networks=3, failed=["died"]).verdict == "FAILED"


@pytest.fixture(scope="module")
def saved():
    _, finding = fuzz.examine(CASE, prepare=plant("missing-bias"))
    return SavedCase(CASE, fault="missing-bias", report=finding.report.to_dict())


def test_replay_gives_the_same_verdict(saved, tmp_path):
    path = tmp_path / "case.json"
    saved.save(path)
    again, arrays = SavedCase.load(path)
    assert again == SavedCase.from_dict(json.loads(json.dumps(saved.to_dict())))
    for ours, drawn in zip(arrays, CASE.arrays(), strict=True):
        np.testing.assert_array_equal(ours, drawn)
    report, finding = again.replay(arrays, plant(again.fault))
    assert finding.case == CASE
    assert report.to_dict()["rows"] == saved.report["rows"]
    assert report.verdict == again.verdict == "DIFFER"
    assert replace(again, fault=None).replay(arrays)[1] is None


def test_files_that_cannot_be_replayed_say_why(saved, tmp_path):
    path = tmp_path / "case.json"
    path.write_text(json.dumps(CASE.to_dict()))
    assert SavedCase.load(path) == (SavedCase(CASE), None)
    saved.save(path)
    with np.load(path.with_suffix(".npz")) as archive:
        arrays = dict(archive)
    np.savez(path.with_suffix(".npz"), **{**arrays, "weights/dense/bias": arrays["weights/dense/bias"] + 1})
    with pytest.raises(ValueError, match="holds other weights than NumPy .* draws from seed 5"):
        SavedCase.load(path)
    path.with_suffix(".npz").write_bytes(b"PK damaged")
    with pytest.raises(ValueError, match="cannot be read: .*; remove it to draw the arrays again"):
        SavedCase.load(path)
    path.write_text(json.dumps({**saved.to_dict(), "more": 1}))
    with pytest.raises(ValueError, match="a saved case must be a table with case, error, options, report"):
        SavedCase.load(path)
    path.write_text("{")
    with pytest.raises(ValueError, match="case.json cannot be read"):
        SavedCase.load(path)


def test_a_written_pytest_file_fails_and_passes_without_the_fault(saved, tmp_path):
    (tmp_path / "test_faulty.py").write_text(saved.as_pytest())
    (tmp_path / "test_right.py").write_text(replace(saved, fault=None).as_pytest())
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--tb=short", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "1 failed, 1 passed" in result.stdout, result.stdout
    assert "test_faulty.py::test_backends_agree" in result.stdout
    assert "planted fault: missing-bias in dense" in result.stdout


def test_a_finding_of_a_chunk_is_shrunk_and_located(short_search):
    planting = ["bridge.selftest.faults:plant", "missing-mean"]
    result = fuzz_cells.compare_chunk(0, 0, 4, planting)
    finding = min(result["findings"], key=lambda one: len(one["case"]["spec"]["layers"]))
    shrunk = fuzz_cells.shrink_finding(finding, 20, planting)
    assert shrunk["kind"] == finding["kind"]
    assert len(shrunk["case"]["spec"]["layers"]) <= 3
    assert shrunk["report"]["verdict"] == "DIFFER"
    assert {culprit["side"] for culprit in shrunk["report"]["culprits"]} == {"NumPy"}
    assert "planted fault: missing-mean" in shrunk["text"]
    with pytest.raises(ValueError, match="did not differ again"):
        fuzz_cells.shrink_finding(finding, 0)
