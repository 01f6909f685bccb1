"""Networks beside one another: the figures of their reports, and a page with a way to each."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import side_by_side
from benchmarks.accuracy import AccuracyComparison
from benchmarks.network_differences import differences, holm
from benchmarks.trained import TrainedBackend
from core_numpy import NumpyModel
from model_spec import History, TrainingSpec, zoo
from model_spec.verdict import Verdict

pytest.importorskip("jinja2")


def comparison(name, right, step):
    """Stands in for a comparison: the page reads nothing else of one."""
    spec = zoo.build(name, (8, 8, 1), 10)
    model, labels = NumpyModel(spec), np.arange(10)
    backends = tuple(
        TrainedBackend(side, model, History(), {"accuracy": right / 10, "loss": 0.5}, np.eye(10))
        for side in ("NumPy", "Keras")
    )
    accuracy = AccuracyComparison(spec, TrainingSpec(), backends, labels, 1.0, (0, 0), 0.0)
    arms = {"Keras train_on_batch": step * 9, "tf.function": step * 3, "NumPy": step}
    phase = SimpleNamespace(arms={arm: SimpleNamespace(median=seconds) for arm, seconds in arms.items()})
    return SimpleNamespace(
        spec=spec,
        data=SimpleNamespace(name="digits", is_regression=False),
        verdict=Verdict.AGREE,
        parity=SimpleNamespace(verdict=Verdict.AGREE),
        accuracy=accuracy,
        accuracies=[accuracy],
        speed=SimpleNamespace(phases={"train": phase, "predict": phase}),
        beginning={"numpy": {"peak memory": 40e6}, "keras": {"peak memory": 700e6}},
        configuration={"test_rows": 10, "threads": 2},
    )


def test_lines_page_and_table(tmp_path):
    results = [(comparison("mlp", 9, 0.001), tmp_path / "mlp"), (comparison("cnn", 8, 0.002), tmp_path / "cnn-2")]
    page = side_by_side.save(results, tmp_path / "side-by-side")
    lines = json.loads((tmp_path / "side-by-side/side_by_side.json").read_text())
    assert [(line["network"], line["backend"], line["step_ms"]) for line in lines] == [
        ("mlp", "NumPy", 1.0),
        ("mlp", "Keras", 3.0),
        ("cnn", "NumPy", 2.0),
        ("cnn", "Keras", 6.0),
    ]
    assert lines[0]["weights_kb"] == pytest.approx(results[0][0].spec.parameter_count * 4 / 1e3)
    # Wilson's interval of 9 right in 10
    assert (lines[0]["low"], lines[0]["high"]) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    text = page.read_text()
    assert re.findall(r'<td><a href="([^"]*)"', text) == ["../mlp/report.html"] * 2 + ["../cnn-2/report.html"] * 2
    assert text.count("no more than chance") == 2 and text.count("<td>mlp - cnn</td>") == 2
    apart = json.loads((tmp_path / "side-by-side/differences.json").read_text())
    assert [(each["first"], each["backend"], each["p_value"]) for each in apart] == [
        ("mlp", "NumPy", 1.0),
        ("mlp", "Keras", 1.0),
    ]
    assert re.findall(r'(?:src|href)="(?!#|data:)([^"]*:[^"]*)"', text) == []
    shown = str(side_by_side.table(side_by_side.lines_of(results, tmp_path)))
    assert max(map(len, shown.splitlines())) <= 72
    assert "mlp      NumPy  AGREE     0.9000" in shown


def trained(name, right, examples=200, labels=0):
    """Classifiers that answer the first ``right`` of the examples rightly, on both backends."""
    outputs = np.eye(2)[(np.arange(examples) >= right).astype(int)]
    backends = tuple(
        TrainedBackend(side, None, History(), {"accuracy": right / examples, "loss": 0.5}, outputs)
        for side in ("NumPy", "Keras")
    )
    labels = np.full(examples, labels)
    return AccuracyComparison(zoo.build(name, (8, 8, 1), 10), TrainingSpec(), backends, labels, 1.0, (0, 0), 0.0)


def test_differences_of_networks_are_paired_and_corrected():
    found = differences([trained("mlp", 150), trained("cnn", 158), trained("lenet", 190)])
    assert [(each.first, each.second, each.backend) for each in found][::2] == [
        ("mlp", "cnn", "NumPy"),
        ("mlp", "lenet", "NumPy"),
        ("cnn", "lenet", "NumPy"),
    ]
    # 8 examples are right on one side alone: p is 2 / 2**8 by itself, and 6 pairs were tested, of which 4 are surer
    assert found[0].p_value == pytest.approx(2 * 2 / 2**8)
    assert found[2].p_value == pytest.approx(6 * 2 / 2**40)
    assert [each.exceeds_chance for each in found] == [False, False, True, True, True, True]
    assert found[0].difference == pytest.approx(-0.04)
    assert differences([trained("mlp", 150), trained("cnn", 158, labels=1)]) == []
    nan = trained("cnn", 158)
    nan.backends[0].test["loss"] = np.nan
    assert [each.backend for each in differences([trained("mlp", 150), nan])] == ["Keras"]


def test_holm_is_that_of_the_textbook():
    assert holm([]) == []
    assert holm([0.01, 0.02, 0.022, 0.09, 0.5]) == pytest.approx([0.05, 0.08, 0.08, 0.18, 0.5])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_what_was_not_trained_has_no_page(tmp_path):
    result = comparison("mlp", 9, 0.001)
    result.accuracy = None
    assert side_by_side.save([(result, tmp_path)], tmp_path) is None
    assert list(tmp_path.iterdir()) == []
