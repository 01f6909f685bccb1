"""Borders given in cells: NumPy (reference and engine) and Keras compute the same, and bad ones are refused."""

import json

import numpy as np
import pytest

from bridge import compare
from core_numpy import NumpyModel
from model_spec import AveragePooling2D, Conv2D, Dense, Flatten, MaxPooling2D, ModelSpec
from model_spec.serialization import model_from_json, to_dict

SPEC = ModelSpec(
    "borders",
    (7, 6, 2),
    (
        Conv2D(4, 3, strides=2, padding=1, activation="relu"),
        MaxPooling2D(3, 2, padding=1),
        Conv2D(3, 3, padding=((2, 0), (1, 2))),
        AveragePooling2D(2, padding=((0, 1), (1, 0))),
        Flatten(),
        Dense(3, activation="softmax"),
    ),
)
RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(5, 7, 6, 2)) - 2.0, np.arange(5) % 3


def test_both_backends_agree_on_every_path():
    report = compare(SPEC, X, Y, paths=("eager", "graph", "fast"))
    assert report.passed, str(report)
    assert {row.path for row in report.rows} == {"eager", "graph", "fast"}


def test_a_negative_image_shows_what_pads_a_maximum():
    spec = ModelSpec("m", (3, 3, 1), (MaxPooling2D(2, 2, padding=1),))
    x = -np.ones((1, 3, 3, 1))
    for engine in ("reference", "fast"):
        assert NumpyModel(spec, engine=engine).predict(x).tolist() == (-np.ones((1, 2, 2, 1))).tolist()


def test_zeros_of_a_border_count_in_a_mean():
    spec = ModelSpec("m", (2, 2, 1), (AveragePooling2D(2, 2, padding=1),))
    assert NumpyModel(spec).predict(np.ones((1, 2, 2, 1))).ravel().tolist() == [0.25] * 4


def test_they_survive_json():
    assert model_from_json(json.dumps(to_dict(SPEC))) == SPEC


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Conv2D(1, 3, padding=-1), "at least 0"),
        (lambda: Conv2D(1, 3, padding=1.5), "must be an integer"),
        (lambda: Conv2D(1, 3, padding=(1, 2, 3)), '"valid" and "same" are taken too'),
        (lambda: Conv2D(1, 3, padding="full"), "one of same, valid"),
        (lambda: MaxPooling2D(2, padding=2), "smaller than pool_size"),
    ],
)
def test_other_borders_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
