"""The courses' numbers, worked by hand there, computed here."""

import math

import numpy as np
import pytest

import model_spec as ms
from benchmarks.datasets import class_data
from core_numpy import NumpyModel
from core_numpy.ops import convolve1d, convolve2d, correlate1d, correlate2d, max_pooling2d
from core_numpy.ops.windows import Windows
from model_spec.shapes import output_size, padding_that_keeps_size, same_padding

SIGNAL = np.array([2, 8, 3, 7, 1, 2, 0, 4, 5])
KERNEL = np.array([2, 1, 5, 3])


def test_convolution_of_a_signal():
    assert convolve1d(SIGNAL, KERNEL).tolist() == [63, 48, 49, 28, 21, 20]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("valid", [48, 57, 24, 25, 16, 39]),
        ("full", [6, 34, 51, 48, 57, 24, 25, 16, 39, 29, 13, 10]),
        ("same", [34, 51, 48, 57, 24, 25, 16, 39, 29]),
    ],
)
def test_cross_correlation_of_a_signal(mode, expected):
    assert correlate1d(SIGNAL, KERNEL, mode).tolist() == expected


IMAGE = np.array([[1, 2, 3, 0], [0, 1, 2, 3], [3, 0, 1, 2], [2, 3, 0, 2]])
FILTER = np.array([[2, 0, 1], [0, 1, 2], [1, 0, 2]])
PADDED = [[7, 12, 10, 2], [4, 15, 16, 10], [10, 6, 17, 6], [8, 10, 6, 4]]


def test_filter_on_an_image():
    assert correlate2d(IMAGE, FILTER).tolist() == [[15, 16], [6, 17]]
    # A border of one cell is what "same" adds for a 3x3 filter.
    assert correlate2d(np.pad(IMAGE, 1), FILTER).tolist() == PADDED
    assert correlate2d(IMAGE, FILTER, "same").tolist() == PADDED
    assert convolve2d(IMAGE, FILTER[::-1, ::-1], "same").tolist() == PADDED


def test_the_layers_give_the_same_numbers():
    layers = (ms.ZeroPadding2D(1), ms.Conv2D(1, 3, use_bias=False))
    model = NumpyModel(ms.ModelSpec("filter", (4, 4, 1), layers), dtype="float64")
    model.set_weights({"conv2d/kernel": FILTER.reshape(3, 3, 1, 1)})
    assert model.predict(IMAGE.reshape(1, 4, 4, 1))[0, :, :, 0].tolist() == PADDED


SQUARE = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
SUMS = np.array([[12, 16, 9], [24, 28, 15], [15, 17, 9]])


def test_window_sums():
    assert correlate2d(SQUARE, np.ones((2, 2), int), "same").tolist() == SUMS.tolist()


def test_three_filters():
    filters = np.ones((2, 2, 1, 3), int) * np.array([1, 10, -1])
    found = correlate2d(SQUARE, filters, "same")
    assert found.shape == (3, 3, 3)
    for index, factor in enumerate((1, 10, -1)):
        assert found[..., index].tolist() == (factor * SUMS).tolist()


def test_channels_are_summed():
    random = np.random.default_rng(0)
    image, kernel = random.integers(-9, 9, (5, 6, 3)), random.integers(-9, 9, (3, 2, 3))
    for function in (correlate2d, convolve2d):
        by_channel = [function(image[..., channel], kernel[..., channel]) for channel in range(3)]
        assert function(image, kernel).tolist() == sum(by_channel).tolist()


def test_max_pooling_of_four_cells():
    image = np.array([[4.0, 3.0], [2.0, 1.0]])[None, :, :, None]
    assert max_pooling2d(image, Windows((2, 2), (2, 2), (1, 1)))[0].tolist() == [[[[4.0]]]]
    same, _ = max_pooling2d(image, Windows((2, 2), (2, 2), (1, 1), "same"))
    assert same.tolist() == image.tolist()


def test_parameter_count_of_a_cnn():
    spec = ms.ModelSpec(
        "cnn",
        (28, 28, 1),
        (
            ms.Conv2D(10, 3, padding="same", activation="relu"),
            ms.MaxPooling2D(2),
            ms.Flatten(),
            ms.Dense(100, activation="relu"),
            ms.Dense(10, activation="softmax"),
        ),
    )
    arrays = NumpyModel(spec).weights
    by_layer = {
        layer.name: sum(value.size for name, value in arrays.items() if name.startswith(f"{layer.name}/"))
        for layer in spec.layers
    }
    assert by_layer == {"conv2d": 100, "max_pooling2d": 0, "flatten": 0, "dense": 196_100, "dense_1": 1_010}
    assert spec.parameter_count == sum(value.size for value in arrays.values()) == 197_210


def test_cross_entropy_of_a_network_of_ones():
    (x, y), _ = class_data()
    np.testing.assert_allclose(x[:2], [[-0.14173827, 0.86533666], [-0.86972023, -1.25107804]], atol=5e-9)
    layers = (ms.Dense(2, activation="sigmoid"), ms.Dense(3, activation="softmax"))
    model = NumpyModel(ms.ModelSpec("two layers", (2,), layers), dtype="float64")
    model.set_weights([np.ones_like(value) for value in model.get_weights()])
    # Equal weights give equal logits: each class has one third, whatever the input.
    loss = model.loss_and_gradients(x[:2], y[:2]).loss
    assert loss == pytest.approx(1.0986122886681098, rel=1e-15)
    assert loss == pytest.approx(math.log(3), rel=1e-15)


def test_derivative_of_a_cubic():
    h = 1e-5
    for x, expected in ((1.0, 5.0), (2.0, 14.0), (3.0, 29.0)):
        measured = [point**3 + 2 * point + 5 for point in (x - h, x + h)]
        # The error is h**2 for a cubic, and 40 * 1e-16 / h from rounding.
        assert (measured[1] - measured[0]) / (2 * h) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("window", [1, 3, 5, 7])
@pytest.mark.parametrize("dilation", [1, 2])
def test_padding_that_keeps_the_size_is_the_inverse(window, dilation):
    padding = padding_that_keeps_size(window, dilation)
    assert output_size(20 + 2 * padding, window, dilation=dilation) == 20
    assert same_padding(20, window, dilation=dilation) == (padding, padding)


def test_output_size_formula():
    for n, k, p, s in ((28, 3, 0, 1), (28, 5, 2, 1), (7, 3, 1, 2), (10, 4, 0, 3)):
        assert output_size(n + 2 * p, k, s) == (n + 2 * p - k) // s + 1
