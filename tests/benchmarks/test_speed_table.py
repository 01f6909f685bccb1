"""The speed table: resident processes, arms that do their work, ratios, changes against an earlier run."""

import json
import os

import numpy as np
import pytest

from benchmarks import arms, speed_table
from benchmarks.cli import main
from benchmarks.environment import better_blas_core
from benchmarks.resident import ResidentArm, ResidentProcess, seconds_of
from benchmarks.textbook import TextbookNetwork, col2im, im2col
from benchmarks.timing import compare_speed
from core_numpy import NumpyModel
from model_spec import Conv2D, Dense, Flatten, MaxPooling2D, ModelSpec, TrainingSpec, zoo


def test_a_resident_process_has_its_own_environment():
    with ResidentProcess({"CROSSCHECK_TEST": "7"}) as process:
        assert process.call("os:getenv", "CROSSCHECK_TEST") == "7"
        assert process.call("os:getpid") != os.getpid()
        arm = ResidentArm(process, "benchmarks.arms:numpy_inference", ("784-16 sigmoid-10", 2, "digits-28", "auto", 1))
        with pytest.raises(ValueError, match="digits-28"):
            arm.sample(1)


@pytest.mark.parametrize("network", list(arms.NETWORKS))
def test_every_arm_finishes_its_work(network):
    loss = arms.numpy_step(network, 8, "random", "auto", 1)()
    assert 0 < loss < 10
    assert arms.numpy_inference(network, 4, "random", "auto", 1)().shape == (4, 10)
    assert len(arms.numpy_epoch(network, 4, 8, "random", "auto", 1)().history["loss"]) == 1
    assert 0 < arms.textbook_step(network, 8, "random")() < 100


def test_the_command_measures_and_compares_with_an_earlier_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.resident.SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(speed_table, "INFERENCE_BATCHES", (1,))
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
    assert f"{network}, inference 1, 1 threads" in shown
    assert "times as long as in the earlier run" in shown
    assert [found["batch"] for found in json.loads(paths["new"].read_text())["cells"]] == [1]
    assert "Written by `crosscheck speed" in paths["record"].read_text()


def test_seconds_are_those_of_the_calls():
    assert seconds_of("tests.benchmarks.slow_task:build", (0.01,), 3) == pytest.approx(0.03, abs=0.02)


def test_the_textbook_computes_the_same_network():
    """Its gradients are those of the from-scratch layers, so its time is that of the same work."""
    spec = ModelSpec(
        "small",
        (6, 6, 2),
        (
            Conv2D(3, 3, padding="same", activation="relu"),
            MaxPooling2D(2),
            Flatten(),
            Dense(4, activation="sigmoid"),
            Dense(3, activation="softmax"),
        ),
    )
    textbook, ours = TextbookNetwork(spec), NumpyModel(spec)
    convolution, first, second = (layer for layer in textbook.layers if hasattr(layer, "w"))
    weights = ours.weights
    # (filters, c, h, w) -> (h, w, c, filters), and rows of the first Dense from (c, h, w) to (h, w, c)
    weights["conv2d/kernel"] = convolution.w.transpose(2, 3, 1, 0)
    weights["dense/kernel"] = first.w.reshape(3, 3, 3, 4).transpose(1, 2, 0, 3).reshape(27, 4)
    weights["dense_1/kernel"] = second.w
    ours.set_weights(weights)
    random = np.random.default_rng(1)
    x, y = random.normal(size=(5, 6, 6, 2)).astype(np.float32), random.integers(0, 3, 5)
    found = ours.loss_and_gradients(x, y)
    loss = textbook.train_step(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), y)
    assert loss == pytest.approx(found.loss, rel=1e-5)
    kernel = found.parameters["conv2d/kernel"]
    assert np.abs(convolution.dw.transpose(2, 3, 1, 0) - kernel).max() < 1e-5 * np.abs(kernel).max()
    with pytest.raises(ValueError, match="textbook baseline has no"):
        TextbookNetwork(zoo.bn_cnn())


def test_im2col_and_back_by_hand():
    image = np.arange(9.0).reshape(1, 1, 3, 3)
    rows = im2col(image, 2, 2, 1, 0)
    assert rows[0].tolist() == [0, 1, 3, 4]
    # The middle cell stands in four windows
    assert col2im(rows, image.shape, 2, 2, 1, 0)[0, 0, 1, 1] == 4 * 4


def comparison():
    def clock(state=[0.0]):  # noqa: B006 - a clock that counts its calls
        state[0] += 0.1
        return state[0]

    return compare_speed({"tf.function": lambda: None, "NumPy": lambda: None}, blocks=5, clock=clock)


def table():
    return speed_table.SpeedTable([speed_table.Cell("cnn", "train", 8, 2, comparison())], {"cpu": "some"}, None)


def test_the_table_shows_times_as_fast_and_is_json():
    text = "\n".join(table().lines())
    assert "cnn, train 8, 2 threads" in text
    assert "NumPy 1.00 [1.00, 1.00] no demonstrable difference" in text
    assert json.loads(json.dumps(table().to_dict()))["cells"][0]["network"] == "cnn"


def test_changes_against_an_earlier_run(tmp_path):
    earlier = table().to_dict()
    earlier["cells"][0]["ratios"][0]["ratio"] = 0.5
    path = tmp_path / "old.json"
    path.write_text(json.dumps(earlier))
    (change,) = speed_table.changes(table(), speed_table.load_earlier(path))
    assert change.ratio == pytest.approx(2.0)
    with pytest.raises(ValueError, match="no file"):
        speed_table.load_earlier(tmp_path / "none.json")
    path.write_text("{}")
    with pytest.raises(ValueError, match="no result of crosscheck speed"):
        speed_table.load_earlier(path)


def test_limits():
    assert speed_table.slowdown_limit("slower:1.25") == 1.25
    assert speed_table.slowdown_limit(None) == float("inf")
    with pytest.raises(ValueError, match="slower:RATIO"):
        speed_table.slowdown_limit("faster:2")


def test_unknown_networks_are_refused_before_anything_starts():
    with pytest.raises(ValueError, match="unknown networks vgg; known are"):
        speed_table.run(["vgg"])


def test_blas_kernels_are_named_or_left():
    assert better_blas_core() in {None, "SkylakeX"}


def test_a_training_spec_for_all():
    assert isinstance(arms.TRAINING, TrainingSpec)
