"""The studies around the speed table, cut short: each measures what it says and finds what is planted."""

import json
import os
import signal
import sys
import time
from contextlib import nullcontext

import numpy as np
import pytest

from benchmarks.cli import main
from benchmarks.speed_studies import cliffs, deployed, proof, scaling, start, target, trick_tasks, tricks
from benchmarks.speed_studies.contestants import NUMPY, TENSORFLOW
from benchmarks.timing import compare_speed


@pytest.fixture(autouse=True)
def no_settling(monkeypatch):
    monkeypatch.setattr("benchmarks.speed_studies.worker_process.SETTLE_SECONDS", 0.0)


def compared(**seconds):
    """A comparison of arms that take these many seconds each, by a clock that only they move."""
    now = [0.0]

    def arm(cost):
        def run():
            now[0] += cost

        return run

    return compare_speed({name: arm(cost) for name, cost in seconds.items()}, blocks=5, clock=lambda: now[0])


def test_beginnings_from_nothing():
    (found,) = start.run(["784-16 sigmoid-10"], batch=8, steps=1, repeats=1, threads=1)
    assert set(found.runs) == {"numpy", "keras"}
    for runs in found.runs.values():
        assert set(runs) == set(start.PHASES)
        assert all(len(figures) == 1 and figures[0] > 0 for figures in runs.values())
        assert runs["whole process"][0] > runs["import"][0]
    assert found.runs["numpy"]["peak memory"][0] < found.runs["keras"]["peak memory"][0]
    assert "peak memory" in "\n".join(found.lines())
    with pytest.raises(ValueError, match="ended with 1"):
        start.begin("numpy", "no network", 8, 1, 1)


def test_random_networks_are_of_many_kinds_and_all_can_be_built():
    random = np.random.default_rng(0)
    specs = [cliffs.random_image_network(random, number) for number in range(60)]
    kinds = {type(layer).__name__ for spec in specs for layer in spec.layers}
    assert {"Conv2D", "BatchNormalization", "MaxPooling2D", "AveragePooling2D", "Dropout", "Dense"} <= kinds
    assert {spec.input_shape[-1] for spec in specs} == {1, 3}
    assert all(spec.output_shape == (10,) for spec in specs)


def test_cliffs_are_named():
    spec = cliffs.random_image_network(np.random.default_rng(0), 0)
    fine = cliffs.Steepness(spec, compared(**{TENSORFLOW[0]: 0.14, cliffs.FAST: 0.2, cliffs.REFERENCE: 0.4}))
    steep = cliffs.Steepness(spec, compared(**{TENSORFLOW[0]: 0.1, cliffs.FAST: 0.3, cliffs.REFERENCE: 0.4}))
    beaten = cliffs.Steepness(spec, compared(**{TENSORFLOW[0]: 0.1, cliffs.FAST: 0.2, cliffs.REFERENCE: 0.1}))
    assert [found.is_cliff for found in (fine, steep, beaten)] == [False, True, True]
    assert fine.of_tensorflow == pytest.approx(0.7) and fine.of_reference == pytest.approx(2)
    assert "2 cliffs" in cliffs.lines([steep, fine, beaten], 3)[0]
    assert cliffs.lines([fine], 3)[0] == "INTERRUPTED after 1 of 3 networks"


def test_an_interrupted_study_of_cliffs_has_what_was_measured(monkeypatch):
    seconds = iter([0.3, 0.1])

    def measure(who, spec, blocks):
        try:
            fast = next(seconds)
        except StopIteration:
            raise KeyboardInterrupt from None
        return cliffs.Steepness(spec, compared(**{TENSORFLOW[0]: 0.1, cliffs.FAST: fast, cliffs.REFERENCE: 0.4}))

    monkeypatch.setattr(cliffs, "_measure", measure)
    monkeypatch.setattr(cliffs, "contestants", lambda threads, blas_core: nullcontext())
    kept = []
    found = cliffs.run(5, keep=lambda found: kept.append([one.spec.name for one in found]))
    # The slowest beside TensorFlow first
    assert kept == [["random_0"], ["random_0", "random_1"]] and len(found) == 2
    with pytest.raises(KeyboardInterrupt):
        cliffs.run(5)


def test_one_random_network_is_timed():
    (found,) = cliffs.run(1, seed=4, threads=1, blocks=5)
    assert list(found.comparison.arms) == [TENSORFLOW[0], cliffs.FAST, cliffs.REFERENCE]


def test_the_cost_grows_with_the_width(monkeypatch):
    monkeypatch.setitem(scaling.AXES, "width", (1, 4))
    points = scaling.run(["width"], threads=(1,), blocks=5)
    times = [point.comparison.arms[NUMPY].median for point in points]
    assert times[1] > 1.5 * times[0]
    assert scaling.lines(points)[-1].startswith("width      4")
    assert len(scaling.curves(points).axes) == 1


def test_the_network_that_is_scaled():
    assert scaling.network(depth=3).output_shapes[3] == (14, 14, 8)
    assert scaling.network(width=4).output_shapes[0] == (28, 28, 32)


def _result(name, arguments=()):
    return np.asarray(getattr(trick_tasks, name)(*arguments)())


def test_a_python_beside_the_caller_is_found(monkeypatch, tmp_path):
    """The programs run in another folder."""
    (tmp_path / "python").symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(deployed, "_run", lambda python, *rest: asked.append(python) or (1.0, ["3", "1000"]))
    deployed.run("784-16 sigmoid-10", repeats=1, python="./python")
    assert set(asked) == {str(tmp_path / "python"), sys.executable}


@pytest.mark.parametrize(
    "name", ["overlapping windows, not im2col", "comparisons, not scattering", "pooling before relu"]
)
def test_a_trick_and_its_plain_way_do_the_same_work(name):
    plain, trick = (_result(*way) for way in tricks.PAIRS[name])
    assert np.prod(plain.shape) == np.prod(trick.shape)


@pytest.mark.parametrize("name", ["pooling before relu", "comparisons, not scattering", "sums as products with ones"])
def test_a_trick_gives_the_plain_result(name):
    plain, trick = (_result(*way) for way in tricks.PAIRS[name])
    np.testing.assert_allclose(trick.reshape(plain.shape), plain, atol=1e-4)


def test_every_trick_is_a_task_and_is_timed():
    for ways in tricks.PAIRS.values():
        for function, arguments in ways:
            getattr(trick_tasks, function)(*arguments)()
    trick = tricks.Trick("some", compared(plain=0.2, trick=0.1))
    assert tricks.lines([trick])[1].split()[-3:] == ["2.00", "[2.00,", "2.00]"]


def proven(same=1.0, slowed=1.1):
    return compared(**{proof.BASE: 0.1, proof.SAME: 0.1 * same, proof.SLOWED: 0.1 * slowed})


def test_the_self_proof_counts_verdicts():
    good = proof.SelfProof([proven()] * 20)
    assert good.passed
    assert good.lines()[1] == "a task against itself: 20 no demonstrable difference; ratios 1.000 to 1.000"
    assert proof.SelfProof([proven()] * 19 + [proven(same=0.9)]).passed
    assert not proof.SelfProof([proven()] * 18 + [proven(same=0.9)] * 2).passed
    assert proof.SelfProof([proven()] * 18 + [proven(slowed=1.0)] * 2).passed
    assert not proof.SelfProof([proven()] * 17 + [proven(slowed=1.0)] * 3).passed


@pytest.mark.slow
def test_the_proof_starts_processes_afresh(monkeypatch):
    monkeypatch.setattr(proof, "_MOST_TIMES", 1)
    found = proof.run(runs=1, blocks=5)
    (comparison,) = found.comparisons
    assert comparison.blocks == 5
    assert {ratio.arm for ratio in comparison.ratios} == {proof.SAME, proof.SLOWED}


def test_the_planted_slowdown_does_more_work(monkeypatch):
    calls = []
    monkeypatch.setattr("benchmarks.speed_studies.arms.numpy_step", lambda *given: lambda: calls.append(1))
    for slower, expected in ((0.0, 10), (proof.SLOWDOWN, 11)):
        calls.clear()
        proof.step(slower)()
        assert len(calls) == expected


def test_time_to_a_target(monkeypatch):
    """Both backends reach it on real digits, and say how long it took."""
    monkeypatch.setattr("keras_models.set_threads", lambda threads: None)
    for train in (target.train_numpy, target.train_keras):
        seconds, epochs, accuracy = train(0, "digits", 0.3, 1)
        assert seconds > 0 and 1 <= epochs <= target.MOST_EPOCHS and accuracy >= 0.3
    found = target.TimeToTarget("digits", 0.3, {"NumPy": [(1.0, 2, 0.4)], "Keras fit": [(2.0, 2, 0.4)]})
    assert found.lines()[-1] == "  NumPy is 2.00 times as fast"
    with pytest.raises(ValueError, match="no target accuracy for 'random'"):
        target.run(data="random")


def test_sigterm_ends_a_study_as_ctrl_c_does(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(proof, "run", lambda **options: [os.kill(os.getpid(), signal.SIGTERM), time.sleep(5)])
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert main(["speed", "--study", "proof", "--quiet", "--output", str(tmp_path / "proof.json")]) == 130
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().err == "interrupted\n"
    assert list(tmp_path.iterdir()) == []


def test_the_command_runs_a_study(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(proof, "run", lambda **options: proof.SelfProof([proven()]))
    monkeypatch.setattr("benchmarks.environment.busy_share", lambda: 0.0)
    files = ["--output", str(tmp_path / "proof.json"), "--record", str(tmp_path / "new" / "proof.md")]
    assert main(["speed", "--study", "proof", "--quiet", *files]) == 0
    assert capsys.readouterr().out.startswith("PASSED: 1 comparisons, ")
    assert json.loads((tmp_path / "proof.json").read_text())["machine"]["numpy"] == np.__version__
    assert (tmp_path / "new" / "proof.md").read_text().startswith("# Speed: proof")
