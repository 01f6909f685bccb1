"""Weights in the books' and in PyTorch's layouts give, in Keras' layouts, the network they gave there."""

import numpy as np
import pytest

import model_spec as ms
from bridge import from_channels_first, random_weights
from core_numpy import NumpyModel

SPEC = ms.ModelSpec(
    "book",
    (6, 5, 2),
    (
        ms.Conv2D(3, (3, 2), activation="relu"),
        ms.BatchNormalization(),
        ms.Flatten(),
        ms.BatchNormalization(),
        ms.Dense(7, activation="tanh"),
        ms.Dense(4),
    ),
)


def channels_first(weights, dense_layout="IO"):
    """The same weights as a channels-first framework keeps them, written by hand for SPEC."""
    arrays = []
    # Features of a 4x4x3 image in the order (channel, row, column)
    places = [(row * 4 + column) * 3 + channel for channel in range(3) for row in range(4) for column in range(4)]
    for name, value in weights.items():
        if name == "conv2d/kernel":
            value = np.stack([[value[:, :, channel, number] for channel in range(2)] for number in range(3)])
        elif name == "dense/kernel" or name.startswith("batch_normalization_1/"):
            value = value[places]
        if name.startswith("dense") and value.ndim == 2 and dense_layout == "OI":
            value = value.T
        arrays.append(value)
    return arrays


@pytest.mark.parametrize("layout", ["IO", "OI"])
@pytest.mark.parametrize("as_mapping", [False, True])
def test_the_weights_come_back(layout, as_mapping):
    weights = random_weights(SPEC, 2)
    arrays = channels_first(weights, layout)
    if as_mapping:
        arrays = {f"{number}.weight": value for number, value in enumerate(arrays)}
        arrays["1.num_batches_tracked"] = np.array(3)
    found = from_channels_first(SPEC, arrays)
    assert list(found) == list(weights)
    for name, value in weights.items():
        np.testing.assert_array_equal(found[name], value)
    NumpyModel(SPEC).set_weights(found)


def test_a_value_for_every_place_or_feature_is_turned_too():
    spec = ms.ModelSpec("slopes", (3, 3, 3), (ms.PReLU(), ms.PReLU(shared_axes=(1, 2)), ms.Flatten(), ms.PReLU()))
    alpha, channels, features = (value for value in random_weights(spec, 2).values())
    # [row, column, channel] -> [channel, row, column]
    arrays = [alpha.transpose(2, 0, 1), channels.transpose(2, 0, 1), features.reshape(3, 3, 3).transpose(2, 0, 1)]
    found = from_channels_first(spec, [*arrays[:2], arrays[2].reshape(-1)])
    for name, value in random_weights(spec, 2).items():
        np.testing.assert_array_equal(found[name], value)


def test_square_kernels_need_a_word():
    spec = ms.ModelSpec("square", (3,), (ms.Dense(3, use_bias=False),))
    kernel = np.arange(9.0).reshape(3, 3)
    with pytest.raises(ValueError, match="fit both layouts"):
        from_channels_first(spec, [kernel])
    np.testing.assert_array_equal(from_channels_first(spec, [kernel], "OI")["dense/kernel"], kernel.T)
    np.testing.assert_array_equal(from_channels_first(spec, [kernel], "IO")["dense/kernel"], kernel)
    with pytest.raises(ValueError, match="dense_layout"):
        from_channels_first(spec, [kernel], "XY")


def test_what_does_not_fit_is_refused():
    arrays = channels_first(random_weights(SPEC, 2))
    with pytest.raises(ValueError, match="has 14 variables.*got 13 arrays"):
        from_channels_first(SPEC, arrays[:-1])
    with pytest.raises(ValueError, match="conv2d/kernel: turned to Keras' layout"):
        from_channels_first(SPEC, [arrays[0].transpose(1, 0, 2, 3), *arrays[1:]])
    with pytest.raises(ValueError, match="or all of them transposed"):
        from_channels_first(SPEC, [*arrays[:-2], arrays[-2].T, arrays[-1]])
    spec = ms.ModelSpec("reshaped", (4, 4, 1), (ms.Reshape((16,)), ms.Dense(2)))
    with pytest.raises(ValueError, match="not known"):
        from_channels_first(spec, [np.zeros((16, 2)), np.zeros(2)])


def equal_layers():
    spec = ms.ModelSpec("equal", (16,), (ms.Dense(16, activation="relu"), ms.Dense(16), ms.Dense(16)))
    random = np.random.default_rng(3)
    arrays = {f"{kind}{i}": random.normal(size=(16, 16) if kind == "W" else 16) for i in (1, 2, 3) for kind in "Wb"}
    return spec, arrays


@pytest.mark.parametrize("order", ["W3 b3 W1 b1 W2 b2", "b2 W3 W2 b1 b3 W1", "W1 W2 W3 b1 b2 b3"])
def test_names_say_which_array_is_which(order):
    spec, arrays = equal_layers()
    right = from_channels_first(spec, arrays, dense_layout="IO")
    other = from_channels_first(spec, {name: arrays[name] for name in order.split()}, dense_layout="IO")
    assert all(np.array_equal(right[name], other[name]) for name in right)
    state = {f"net.{i}.{'weight' if k == 'W' else 'bias'}": arrays[f"{k}{i}"] for i in (3, 1, 2) for k in "bW"}
    by_state = from_channels_first(spec, state, dense_layout="IO")
    assert all(np.array_equal(right[name], by_state[name]) for name in right)


def test_an_order_that_nothing_tells_is_said():
    spec, arrays = equal_layers()
    with pytest.warns(UserWarning, match="dense/kernel, dense_1/kernel, dense_2/kernel have one shape"):
        from_channels_first(spec, list(arrays.values()), dense_layout="IO")
    with pytest.warns(UserWarning, match="have one shape"):
        from_channels_first(spec, {f"array {i}": value for i, value in enumerate(arrays.values())}, dense_layout="IO")


def test_names_of_other_layers_are_refused():
    spec, arrays = equal_layers()
    wrong = {name.replace("b3", "beta3"): value for name, value in arrays.items()}
    with pytest.raises(ValueError, match="by their names it would get W3, beta3"):
        from_channels_first(spec, wrong, dense_layout="IO")


@pytest.mark.parametrize("multiplier", [1, 2])
def test_depthwise_kernels_are_turned(multiplier):
    # 3 channels and a 3x1 kernel: with one output a channel both layouts have one shape
    spec = ms.ModelSpec("depthwise", (5, 5, 3), (ms.DepthwiseConv2D((3, 1), depth_multiplier=multiplier),))
    given = np.random.default_rng(0).normal(size=(3 * multiplier, 1, 3, 1))
    kernel = from_channels_first(spec, [given, np.zeros(3 * multiplier)])["depthwise_conv2d/kernel"]
    for output in range(3 * multiplier):
        assert np.array_equal(kernel[:, :, output // multiplier, output % multiplier], given[output, 0])


def test_kernels_of_transposed_convolutions_are_turned():
    # 2 channels and 2 filters: both layouts of the kernel have one shape
    spec = ms.ModelSpec("transposed", (3, 3, 2), (ms.Conv2DTranspose(2, 2, 2),))
    given = np.random.default_rng(0).normal(size=(2, 2, 2, 2))
    kernel = from_channels_first(spec, [given, np.zeros(2)])["conv2d_transpose/kernel"]
    for channel, output in np.ndindex(2, 2):
        assert np.array_equal(kernel[:, :, output, channel], given[channel, output])
