"""Shapes that are given by mistake: channels first, examples as columns, the batch axis in the shape of one example."""

import numpy as np
import pytest

from bridge import check_layer, model_from_layers
from core_numpy import NumpyModel
from model_spec import Conv2D, Dense, Flatten, ModelSpec
from model_spec.inputs import check_x
from tests.bridge.own_affine import Affine


class Flat:
    def forward(self, x):
        return x.reshape(len(x), -1)

    def backward(self, dy):
        return dy


ORDERS = [
    ((7, 1, 6, 5), (6, 5, 1), (0, 2, 3, 1)),
    ((7, 3, 6, 6), (6, 6, 3), (0, 2, 3, 1)),
    ((7, 2, 2, 3), (2, 3, 2), (0, 2, 3, 1)),
    ((7, 5, 6, 3), (6, 5, 3), (0, 2, 1, 3)),
    ((7, 2, 9), (9, 2), (0, 2, 1)),
    ((4, 9), (4,), (1, 0)),
]


@pytest.mark.parametrize(("shape", "wanted", "axes"), ORDERS)
def test_axes_in_another_order_are_to_be_transposed(shape, wanted, axes):
    x = np.zeros(shape)
    with pytest.raises(ValueError, match=r"transpose it with x\.transpose") as error:
        check_x(x, wanted, "float64")
    assert str(error.value).endswith(f"x.transpose{axes}") and "reshape" not in str(error.value)
    assert check_x(x.transpose(axes), wanted, "float64").shape[1:] == wanted


def test_predict_says_so():
    model = NumpyModel(ModelSpec("net", (6, 6, 1), (Conv2D(2, 3),)))
    with pytest.raises(ValueError, match=r"got \(4, 1, 6, 6\); .* x\.transpose\(0, 2, 3, 1\)"):
        model.predict(np.zeros((4, 1, 6, 6)))


@pytest.mark.parametrize("shape", [(4, 6, 6, 1), (None, 6, 6, 1)])
def test_a_batch_axis_that_the_claim_cannot_take(shape):
    with pytest.raises(ValueError, match=r"without the batch axis: \(6, 6, 1\)$"):
        check_layer(Affine(), Conv2D(2, 3), shape)


def test_a_batch_axis_that_the_layer_cannot_take():
    report = check_layer(Affine(), Dense(5), (4, 6))
    assert not report.passed
    (words,) = report.explanations
    assert words == "it is right on (6,): input_shape is that of one example, without the batch axis"
    wrong = type("Wrong", (Affine,), {"backward": lambda self, dy: -Affine.backward(self, dy)})()
    assert not any("batch axis" in words for words in check_layer(wrong, Dense(5), (4, 6)).explanations)


def test_a_flatten_of_channels_first():
    with pytest.raises(ValueError, match=r"in model_from_layers give None in its place"):
        model_from_layers([Flat()], ModelSpec("net", (4, 4, 2), (Flatten(),)), layout="NCHW")
