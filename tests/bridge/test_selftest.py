"""The judge judged: faults are caught and placed, right variants accepted, and the tables say what is missing."""

import json
import os
from functools import cache

import pytest

from bridge import selftest
from bridge.selftest import running, tasks
from bridge.selftest.comparisons import COMPARISONS, blamed, escaping, is_caught, is_placed
from bridge.selftest.faults import FAULTS
from bridge.selftest.faults.fault import TRAINING
from bridge.selftest.faults.probes import PROBES
from bridge.selftest.report import SelftestReport
from bridge.selftest.running import TASKS, report_of
from bridge.selftest.variants import VARIANTS
from bridge.selftest.workbench import Workbench
from bridge.selftest.written_elsewhere import PARTS

pytestmark = pytest.mark.usefixtures("short_search")

# Each training task builds and traces four models
TRAINED = (
    "summed-training-loss",
    "momentum-slot-of-other-sign",
    "adam-without-bias-correction",
    "statistics-not-updated",
    "adam-of-means",
)


@pytest.fixture(scope="module")
def workbench():
    return Workbench()


@pytest.fixture(scope="module")
def judged(workbench, tmp_path_factory):
    """judged(kind, name): what that task says, each run once for all tests of all of pytest-xdist's processes."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder

    def ask(kind, name):
        path = folder / f"selftest {kind} {name}.json"
        if not path.exists():
            part = path.with_suffix(f".{os.getpid()}")
            part.write_text(json.dumps(TASKS[kind](name, workbench)))
            part.replace(path)
        return json.loads(path.read_text())

    return cache(ask)


def quick(table):
    return [name for name, change in table.items() if change.training is None or name in TRAINED]


def test_there_are_enough_of_them():
    assert len(FAULTS) >= 100
    assert len(VARIANTS) >= 90
    assert all(change.probe in PROBES for change in (*FAULTS.values(), *VARIANTS.values()))
    assert len({comparison.name for comparison in COMPARISONS}) == len(COMPARISONS)
    assert all(change.description and change.shows for change in (*FAULTS.values(), *VARIANTS.values()))


@pytest.mark.parametrize("name", quick(FAULTS))
def test_fault_is_caught_and_placed(name, judged):
    entry = judged("fault", name)
    assert is_caught(entry)
    assert is_placed(entry), f"{blamed(entry)} is blamed for {entry['blamed']}"


@pytest.mark.parametrize("name", quick(VARIANTS))
def test_right_variant_is_accepted(name, judged):
    entry = judged("variant", name)
    assert entry["compared"] > 0
    assert not entry["rows"]


@pytest.mark.parametrize("name", PROBES)
def test_probe_as_it_is_agrees(name, judged):
    assert not judged("probe", name)["rows"]


@pytest.mark.parametrize("name", PARTS)
def test_slip_of_a_part_written_elsewhere_is_caught_and_its_mended_twin_accepted(name, judged):
    slip, twin = judged("slip", name), judged("twin", name)
    assert is_caught(slip)
    assert is_placed(slip), f"{blamed(slip)} is named for {slip['blamed']}"
    assert twin["compared"] > 0
    assert not twin["rows"]


def test_a_task_is_plain_data_and_needs_nothing_but_its_name(workbench):
    alone, shared = tasks.judge_fault("missing-bias"), tasks.judge_fault("missing-bias", workbench)
    assert json.loads(json.dumps(alone)) == shared


def test_a_comparison_is_needed_where_a_fault_escapes_without_it(judged):
    names = (
        "softmax-backward-without-sum",
        "statistics-updated-in-inference",
        "pooling-gradient-to-all-maxima",
        "copied-as-text",
        "missing-bias",
    )
    entries = [judged("fault", name) for name in names]
    lost = {comparison.name: escaping(entries, comparison) for comparison in COMPARISONS}
    assert lost["pullback of a random cotangent"] == ["softmax-backward-without-sum"]
    assert lost["sums that poolings conserve"] == ["pooling-gradient-to-all-maxima"]
    assert lost["search for the culprit"] == ["statistics-updated-in-inference"]
    assert lost["equality of copied weights"] == ["copied-as-text"]
    assert lost["training: counters"] == []
    assert not any("missing-bias" in faults for faults in lost.values())


def row(**changed):
    plain = {"stage": "forward", "mode": "inference", "dtype": "float64", "kind": "value", "tensor": "dense"}
    return plain | {"layer": "dense", "verdict": "BUG", "ratio": 9.0, "finite": True} | changed


def entry(name, *rows, culprits=(), expected="dense"):
    return {
        "name": name,
        "check": "compare",
        "blamed": expected,
        "rows": list(rows),
        "culprits": list(culprits),
        "compared": 5,
        "largest": 0.5,
    }


def test_the_side_and_the_layer_must_both_be_right():
    assert is_placed(entry("a", row()))
    assert not is_placed(entry("a", row(layer="dense_1")))
    assert not is_placed(entry("a", row(), culprits=[row(side="Keras")]))
    assert is_placed(entry("a", row(layer="dense_1"), culprits=[row(side="NumPy")]))


def test_report_names_what_is_wrong():
    results = [
        ("fault", entry("unseen")),
        ("fault", entry("elsewhere", row(layer="dense_1"))),
        ("fault", entry("found", row())),
        ("variant", entry("right", row())),
    ]
    report = report_of(results)
    assert (report.missed, report.misplaced, report.accused) == (["unseen"], ["elsewhere"], ["right"])
    assert report.removal["values in inference mode"] == ["found"]
    assert "training: loss" in report.redundant
    assert not report.passed
    text = str(report)
    assert "FAILED: 2 of 3 faults caught, 1 placed; 0 of 1 right variants accepted (largest error/bound 0.5)" in text
    assert "not caught: unseen" in text
    assert "not placed: elsewhere" in text
    assert "right, and called a bug: right" in text
    assert not SelftestReport().passed


def test_part_of_it_runs_and_is_reported():
    shown = []
    report = selftest.run(lambda *one: shown.append(one), only=["missing-bias", "dense-pairwise", "dense"])
    assert report.passed, str(report)
    assert shown == [("fault missing-bias", 1, 3), ("variant dense-pairwise", 2, 3), ("probe dense", 3, 3)]
    assert report.removal == {}
    facts = json.loads(json.dumps(report.to_dict()))
    assert facts["counts"]["faults"] == facts["counts"]["variants"] == 1
    assert facts["faults"][0]["placed"]
    assert "PASSED: 1 of 1 faults caught, 1 placed; 2 of 2 right variants accepted" in str(report)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="no fault, variant, probe or slip is called typo; known are flipped-kernel"):
        selftest.run(only=["typo"])
    with pytest.raises(ValueError, match="unknown fault 'typo'; known are"):
        tasks.judge_fault("typo")


@pytest.mark.slow
def test_the_whole_selftest_passes(judged):
    report = report_of([(kind, judged(kind, name)) for kind, name in running.tasks()])
    assert report.passed, str(report)
    assert (report.missed, report.misplaced, report.accused, report.redundant) == ([], [], [], [])
    assert "pooling-gradient-to-all-maxima" in report.removal["sums that poolings conserve"]
    assert sum(fault.check == TRAINING for fault in FAULTS.values()) >= 20
