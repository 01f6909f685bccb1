"""Files of data as users have them: sorted by class, as floats on the scale of bytes; and places to write into."""

import json

import numpy as np
import pytest

import model_spec as ms
from benchmarks import own_data
from benchmarks.cli import main
from benchmarks.commands.common import CANNOT_COMPARE
from benchmarks.experiments import load_data
from core_numpy import NumpyModel

CLASSES = 4


@pytest.fixture
def file(tmp_path):
    """Writes a data file whose 200 training rows stand sorted by class; an input's first number is its class."""

    def write(order=None, scale=1.0):
        y = np.repeat(np.arange(CLASSES), 50)[slice(None) if order is None else order]
        x = np.random.default_rng(0).random((200, 6, 6)) * scale
        x[:, 0, 0] = y
        path = tmp_path / "own.npz"
        np.savez(path, x_train=x, y_train=y, x_test=x[::20], y_test=y[::20])
        return str(path)

    return write


@pytest.mark.parametrize("limit", [None, 60, 8])
def test_rows_sorted_by_class_are_mixed_and_it_is_said(file, limit):
    data = load_data(file(), limit)
    x, y = data.train
    assert len(y) == (200 if limit is None else limit)
    np.testing.assert_array_equal(x[:, 0, 0, 0], y)
    kept = len(y) - max(len(y) // 10, 1)
    assert set(y[:kept]) == set(range(CLASSES))
    assert np.ptp(np.bincount(y, minlength=CLASSES)) <= 1
    assert any("grouped by class" in note for note in data.notes)


def test_rows_in_any_order_stay_as_they_are(file):
    order = np.random.default_rng(1).permutation(200)
    data = load_data(file(order))
    np.testing.assert_array_equal(data.train[1], np.repeat(np.arange(CLASSES), 50)[order])
    assert data.notes == ()


def test_floats_on_the_scale_of_bytes_are_said(file):
    order = np.random.default_rng(1).permutation(200)
    (note,) = load_data(file(order, scale=255.0)).notes
    assert "only uint8 images are divided by 255" in note


def test_every_part_of_mixed_rows_holds_its_share():
    y = np.array([0] * 90 + [1] * 9 + [2])
    order = own_data.mixed_classes(y)
    assert sorted(order) == list(range(100))
    for part in np.split(y[order], 10)[:9]:
        assert np.count_nonzero(part == 1) in (0, 1, 2)
    assert not np.array_equal(order, own_data.mixed_classes(y, seed=1))


def test_the_command_says_what_it_did(file, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("keras_models.set_threads", lambda threads: None)  # TensorFlow has run in this process
    assert main(["train", "mlp", "--data", file(), "--epochs", "1", "--quiet", "--output", "runs"]) == 0
    assert "grouped by class" in capsys.readouterr().err
    (result,) = (tmp_path / "runs/latest").glob("result.json")
    assert json.loads(result.read_text())["configuration"]["data"].endswith("own.npz")


def test_the_library_warns_where_a_hold_out_lacks_training():
    spec = ms.ModelSpec("m", (2,), (ms.Dense(3, activation="softmax"),))
    x, y = np.random.default_rng(0).random((30, 2)), np.repeat(np.arange(3), 10)
    training = ms.TrainingSpec(epochs=1, validation_split=1 / 3)
    for labels in (y, np.eye(3)[y]):
        with pytest.warns(UserWarning, match="the last 10 of 30 rows.*hold classes 2, which no other row has"):
            NumpyModel(spec).fit(x, labels, training, verbose=0)
    x, y = np.tile(x, (10, 1)), np.repeat(np.arange(3), 100)
    with pytest.warns(UserWarning, match="the last 30 of 300 rows.*are all of class 2"):
        NumpyModel(spec).fit(x, y, training.replace(validation_split=0.1), verbose=0)
    mixed = own_data.mixed_classes(y)
    NumpyModel(spec).fit(x[mixed], y[mixed], training, verbose=0)  # no warning: warnings are errors here


@pytest.mark.parametrize(
    "line",
    [
        "compare mlp --output file/runs",
        "train mlp --output file",
        "fuzz -n 1 --output file",
        "sweep --directory file/a",
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_work(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("a file where a folder was meant")
    monkeypatch.setattr("benchmarks.commands.common.prepare", None)  # work that began would fail here
    assert main([*line.split(), "--quiet"]) == CANNOT_COMPARE
    assert "nothing can be written to file" in capsys.readouterr().err
