"""The speed table: ratios, floors, changes against an earlier run, and the command around it."""

import json
from contextlib import nullcontext
from dataclasses import replace

import pytest

from benchmarks.cli import main
from benchmarks.commands.common import AGREE, CANNOT_COMPARE, DIFFER
from benchmarks.commands.speed import _compared
from benchmarks.environment import better_blas_core
from benchmarks.speed_studies import changes, contestants, floors, table
from benchmarks.timing import compare_speed
from model_spec import Conv2D, Dense, Dropout, Flatten, ModelSpec


def test_the_command_measures_and_compares_with_an_earlier_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.speed_studies.worker_process.SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(table, "INFERENCE_BATCHES", (1,))
    monkeypatch.setattr(contestants, "MOST_TIMES", 1)
    monkeypatch.setattr("benchmarks.environment.busy_share", lambda: 0.02)
    network = "784-16 sigmoid-10"
    # A run in which NumPy was a thousand times as fast
    cell = {"network": network, "phase": "inference", "batch": 1, "threads": 1}
    earlier = {"cells": [{**cell, "ratios": [{"arm": "NumPy", "ratio": 1e-4}]}]}
    paths = {name: tmp_path / f"{name}.json" for name in ("old", "new")} | {"record": tmp_path / "speed.md"}
    paths["old"].write_text(json.dumps(earlier))
    options = ["--phases", "inference", "--data", "random", "--blocks", "5", "--threads", "1", "--quiet"]
    files = ["--output", str(paths["new"]), "--record", str(paths["record"]), "--compare", str(paths["old"])]
    assert main(["speed", network, *options, *files, "--fail-if", "slower:10"]) == 1
    shown = capsys.readouterr().out
    assert f"{network}, inference, batch 1, 1 thread" in shown
    assert "times as long as in the earlier run" in shown
    assert [found["batch"] for found in json.loads(paths["new"].read_text())["cells"]] == [1]
    assert "Written by `crosscheck speed" in paths["record"].read_text()


@pytest.mark.parametrize(("ratios", "code"), [((), CANNOT_COMPARE), ((0.9, 1.1), AGREE), ((0.9, 1.3), DIFFER)], ids=str)
def test_a_gate_that_compares_nothing_does_not_pass(ratios, code):
    told, found = _compared([changes.Change("cnn", ratio) for ratio in ratios], 1.2, "old.json")
    assert found == code
    assert bool(ratios) or told[0].startswith("NOTHING COMPARED: no cell of this run is in old.json")


BOTH = ("tf.function", "NumPy")


def comparison():
    def clock(state=[0.0]):  # noqa: B006 - a clock that counts its calls
        state[0] += 0.1
        return state[0]

    return compare_speed({"tf.function": lambda: None, "NumPy": lambda: None}, blocks=5, clock=clock)


def some_table():
    ceilings = floors.Ceilings(1e9, 1e9)
    cell = table.Cell("cnn", "train", 8, 2, 0.01, comparison(), {"tf.function": 1.0, "NumPy": 1.9})
    return table.SpeedTable([cell], {"blas": [{"core": "SkylakeX"}]}, {"NumPy": None}, ceilings)


def test_the_table_shows_times_as_fast_and_is_json():
    text = "\n".join(some_table().lines())
    assert "cnn, train, batch 8, 2 threads" in text
    assert "1.00 [1.00, 1.00] no demonstrable difference" in text
    assert "10.0 x" in text
    assert json.loads(json.dumps(some_table().to_dict()))["cells"][0]["network"] == "cnn"


def test_pairs_of_processes_make_one_cell():
    one, other = some_table().cells[0], replace(some_table().cells[0], cores={"tf.function": 2.0, "NumPy": 1.9})
    cell = table.Cell.pooled([one, one, other])
    assert cell.processes == 3
    assert cell.cores == {"tf.function": 1.0, "NumPy": 1.9}
    assert len(cell.comparison.arms["NumPy"].samples) == 3 * len(one.comparison.arms["NumPy"].samples)
    assert "2 threads, 3 pairs of processes" in cell.lines()[0]


def test_a_record_wants_an_idle_machine(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.environment.busy_share", lambda: 0.4)
    assert main(["speed", "lenet", "--record", str(tmp_path / "speed.md"), "--output", str(tmp_path / "s.json")]) == 2
    assert "other programs use 40% of this machine's processors" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_output_behind_a_link_to_nowhere_is_refused_with_a_sentence(tmp_path, capsys):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert main(["speed", "lenet", "--output", str(tmp_path / "link" / "s.json")]) == 2
    assert f"nothing can be written to {tmp_path / 'link'}" in capsys.readouterr().err


def test_changes_against_an_earlier_run(tmp_path):
    earlier = some_table().to_dict()
    earlier["cells"][0]["ratios"][0]["ratio"] = 0.5
    path = tmp_path / "old.json"
    path.write_text(json.dumps(earlier))
    (change,) = changes.changes(some_table().to_dict(), changes.load_earlier(path))
    assert change.ratio == pytest.approx(2.0)
    with pytest.raises(ValueError, match="no file"):
        changes.load_earlier(tmp_path / "none.json")
    path.write_text("{}")
    with pytest.raises(ValueError, match="no result of crosscheck speed"):
        changes.load_earlier(path)


def test_limits():
    assert changes.slowdown_limit("slower:1.25") == 1.25
    assert changes.slowdown_limit(None) == float("inf")
    with pytest.raises(ValueError, match="slower:RATIO"):
        changes.slowdown_limit("faster:2")


@pytest.mark.parametrize(
    ("cells", "batches", "said"),
    [
        (0, None, "no cell was measured and no file written"),
        (1, [1], "INTERRUPTED after 1 of 3 measurements; cells below: 1"),
        (3, [1, 128, 1000], None),
    ],
)
def test_an_interrupted_table_says_so_and_keeps_what_was_measured(monkeypatch, tmp_path, capsys, cells, batches, said):
    """On disk and in the record, too; a whole one says nothing of it."""
    answers = [comparison() for _ in range(cells)]
    monkeypatch.setattr("benchmarks.environment.busy_share", lambda: 0.0)

    def measure(*given, **options):
        if not answers:
            raise KeyboardInterrupt
        return answers.pop()

    monkeypatch.setattr(table, "against_best", measure)
    monkeypatch.setattr(table, "with_best_rival", lambda arms, best: {name: arms[name] for name in BOTH})
    monkeypatch.setattr(table.ResidentArm, "cpu_seconds", lambda arm, calls: 0.1)
    # No process starts: what they are asked for is the rates of the machine, and whether there is a oneDNN
    monkeypatch.setattr(contestants.ResidentProcess, "call", lambda process, function: (1e9, 1e9))
    path, record = tmp_path / "speed.json", tmp_path / "speed.md"
    network = "784-16 sigmoid-10"
    options = ["--phases", "inference", "--data", "random", "--threads", "1", "--quiet", "--output", str(path)]
    assert main(["speed", network, *options, "--record", str(record)]) == (0 if said is None else 130)
    shown = "".join(capsys.readouterr())
    if batches is None:
        assert said in shown and not path.exists() and not record.exists()
        return
    entry = json.loads(path.read_text())
    assert [cell["batch"] for cell in entry["cells"]] == batches
    for text in (shown, record.read_text()):
        assert ("INTERRUPTED" in text) == (said is not None) and (said or "") in text
    assert entry.get("interrupted") == (True if said else None)


def test_unknown_networks_are_refused_before_anything_starts():
    with pytest.raises(ValueError, match="unknown networks vgg; known are"):
        table.run(["vgg"])


def test_blas_kernels_are_named_or_left():
    assert better_blas_core() in {None, "SkylakeX"}


def test_which_kernels_are_timed(monkeypatch):
    assert contestants.blas_cores(None) == {"NumPy": None}
    assert contestants.blas_cores("Zen") == {"NumPy": "Zen", "NumPy, default BLAS": None}
    monkeypatch.setattr("benchmarks.environment.better_blas_core", lambda: "SkylakeX")
    assert contestants.blas_cores() == {"NumPy": "SkylakeX", "NumPy, default BLAS": None}
    monkeypatch.setattr("benchmarks.environment.better_blas_core", lambda: None)
    monkeypatch.setattr("benchmarks.environment.blas", lambda: [{"core": "SkylakeX"}])
    assert contestants.blas_cores() == {"NumPy": None, "NumPy, AVX2 kernels": "Haswell"}
    monkeypatch.setattr("benchmarks.environment.blas", lambda: [{"core": "Haswell"}])
    assert contestants.blas_cores() == {"NumPy": None}


@pytest.mark.parametrize(
    ("machine", "wish", "words"),
    [
        ("x86_64", "haswel", r"knows no 'haswel' \(did you mean 'Haswell'\?\); give --blas-core auto, none, or one of"),
        ("AMD64", "", "knows no ''; give --blas-core auto"),
        ("x86_64", "hasWELL", None),
        ("aarch64", "NEOVERSEN1", None),
    ],
)
def test_kernels_that_openblas_does_not_know_are_refused(monkeypatch, machine, wish, words):
    monkeypatch.setattr("platform.machine", lambda: machine)
    with nullcontext() if words is None else pytest.raises(ValueError, match=words):
        contestants.blas_cores(wish)


def test_more_threads_than_cores_are_told(tmp_path, capsys):
    """As the other commands do."""
    assert main(["speed", "cnn", "--threads", "9999", "--data", "typo", "--output", str(tmp_path / "x.json")]) == 2
    assert capsys.readouterr().err.startswith("note: 9999 threads on ")


def test_the_floor_by_hand():
    layers = (Conv2D(2, 3), Dropout(0.5), Flatten(), Dense(3))
    spec = ModelSpec("small", (4, 4, 1), layers)
    # 9 * 2 weights at 4 positions, 8 * 3 at one; 16 numbers come in, 8 and 3 are computed
    assert floors.work_of(spec, training=False) == floors.Work(2 * (18 * 4 + 24), 8 * (16 + 8 + 3))
    assert floors.work_of(spec, training=True) == floors.Work(2 * (2 * 72 + 3 * 24), 16 * (16 + 8 + 3))
    assert floors.Ceilings(100, 1).floor(floors.Work(1000, 20), 3) == 60
    assert all(rate > 1e8 for rate in floors.measure())


def test_it_says_before_anything_starts_what_is_timed_and_how_long_that_takes():
    said = []

    def show(line, done=0, total=0):
        said.append((line, done, total))
        raise KeyboardInterrupt

    for blocks in (15, 5):
        with pytest.raises(KeyboardInterrupt):
            table.run(["lenet"], ["train"], data="random", show=show, pairs=3, blocks=blocks)
    # Two training batches
    assert said == [
        ("times lenet: about 12 minutes; processes start", 0, 6),
        ("times lenet: about 4 minutes; processes start", 0, 6),
    ]
