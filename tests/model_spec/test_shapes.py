"""Window, stride and padding arithmetic: hand numbers, properties, and the installed Keras' own shapes."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

import model_spec as ms
from model_spec.shapes import (
    element_count,
    image_shape,
    output_size,
    padding_amount,
    padding_that_keeps_size,
    same_padding,
    transposed_size,
    window_extent,
    windowed_shape,
)


@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "dilation", "expected"),
    [
        (28, 3, 1, "valid", 1, 26),
        (28, 3, 1, "same", 1, 28),
        (28, 5, 2, "valid", 1, 12),
        (28, 5, 2, "same", 1, 14),
        (7, 3, 2, "same", 1, 4),
        (7, 2, 2, "valid", 1, 3),
        (7, 2, 2, "same", 1, 4),
        (10, 3, 1, "valid", 2, 6),
        (3, 3, 1, "valid", 1, 1),
        (2, 3, 1, "valid", 1, 0),
    ],
)
def test_output_size_by_hand(size, window, stride, padding, dilation, expected):
    assert output_size(size, window, stride, padding, dilation) == expected


@pytest.mark.parametrize(
    ("size", "window", "stride", "dilation", "expected"),
    [
        (28, 3, 1, 1, (1, 1)),
        (28, 3, 2, 1, (0, 1)),
        (28, 5, 2, 1, (1, 2)),
        (7, 3, 2, 1, (1, 1)),
        (8, 2, 1, 1, (0, 1)),
        (8, 3, 1, 2, (2, 2)),
        (8, 1, 3, 1, (0, 0)),
    ],
)
def test_same_padding_by_hand(size, window, stride, dilation, expected):
    assert same_padding(size, window, stride, dilation) == expected
    assert padding_amount(size, window, stride, "same", dilation) == expected
    assert padding_amount(size, window, stride, "valid", dilation) == (0, 0)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("window", [1, 2, 3, 5])
def test_transposed_sizes_are_keras_and_hold_as_many_windows(window, padding):
    keras = pytest.importorskip("keras")
    for size, stride in product((1, 4), (1, 2, 3)):
        least = int(padding == "same" and window % 2 == 0)
        for chosen in (None, *range(least, stride)):
            layer = keras.layers.Conv2DTranspose(1, window, stride, padding, chosen)
            found = transposed_size(size, window, stride, padding, chosen)
            assert found == layer.compute_output_shape((None, size, size, 1))[1], (size, stride, chosen)
            assert output_size(found, window, stride, padding) == size, (size, stride, chosen)


def test_extents_and_counts():
    assert (window_extent(3), window_extent(3, 2), window_extent(1, 5)) == (3, 5, 1)
    assert (element_count((28, 28, 1)), element_count((7,))) == (784, 7)


def test_padding_that_keeps_the_size_is_the_inverse_of_output_size():
    for window, dilation in [(1, 1), (3, 1), (5, 1), (3, 2), (2, 2)]:
        cells = padding_that_keeps_size(window, dilation)
        assert output_size(20 + 2 * cells, window, dilation=dilation) == 20
    with pytest.raises(ValueError, match='even window extent, got 4; use padding="same"'):
        padding_that_keeps_size(4)


def test_a_window_that_does_not_fit_is_refused_with_the_fix():
    with pytest.raises(ValueError, match=r"spanning \(5, 5\) does not fit into \(4, 9\); use a smaller window"):
        windowed_shape((4, 9, 1), (3, 3), (1, 1), "valid", (2, 2))
    assert windowed_shape((4, 9, 1), (3, 3), (1, 1), "same", (2, 2)) == (4, 9)


def test_an_image_is_no_sequence():
    with pytest.raises(ValueError, match=r"sequence \(steps, channels\) was expected, got shape \(8, 8, 1\)"):
        ms.Conv1D(2, 3).output_shape((8, 8, 1))


def test_a_row_is_no_image():
    with pytest.raises(ValueError, match=r"got shape \(784,\); add a Reshape in front"):
        image_shape((784,))


@given(
    size=st.integers(1, 40),
    window=st.integers(1, 7),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
)
def test_padding_and_size_fit_together(size, window, stride, dilation):
    before, after = same_padding(size, window, stride, dilation)
    assert 0 <= after - before <= 1
    assert output_size(size + before + after, window, stride, "valid", dilation) >= output_size(
        size, window, stride, "same"
    )
    positions = output_size(size, window, stride, "valid", dilation)
    if positions > 0:
        extent = window_extent(window, dilation)
        assert (positions - 1) * stride + extent <= size < positions * stride + extent


# (our layer, name of the Keras class, its arguments, input shape)
TABLE = [
    (ms.Dense(5), "Dense", {"units": 5}, (7,)),
    (ms.Dense(5), "Dense", {"units": 5}, (4, 7)),
    (ms.Conv2D(8, 3), "Conv2D", {"filters": 8, "kernel_size": 3}, (9, 8, 2)),
    (
        ms.Conv2D(8, (2, 3), padding="same"),
        "Conv2D",
        {"filters": 8, "kernel_size": (2, 3), "padding": "same"},
        (9, 8, 2),
    ),
    (ms.Conv2D(4, 3, strides=2), "Conv2D", {"filters": 4, "kernel_size": 3, "strides": 2}, (9, 8, 2)),
    (
        ms.Conv2D(4, 3, strides=(2, 3), padding="same"),
        "Conv2D",
        {"filters": 4, "kernel_size": 3, "strides": (2, 3), "padding": "same"},
        (9, 8, 2),
    ),
    (
        ms.Conv2D(4, 3, dilation_rate=2),
        "Conv2D",
        {"filters": 4, "kernel_size": 3, "dilation_rate": 2},
        (9, 8, 2),
    ),
    (
        ms.DepthwiseConv2D(3, depth_multiplier=2),
        "DepthwiseConv2D",
        {"kernel_size": 3, "depth_multiplier": 2},
        (9, 8, 2),
    ),
    *(
        (
            ms.Conv1D(4, 3, stride, padding, dilation),
            "Conv1D",
            {"filters": 4, "kernel_size": 3, "strides": stride, "padding": padding, "dilation_rate": dilation},
            (10, 2),
        )
        for stride, dilation in ((1, 1), (2, 1), (1, 2))
        for padding in ("valid", "same", "causal")
    ),
    *(
        (getattr(ms, name)(3, 2, padding), name, {"pool_size": 3, "strides": 2, "padding": padding}, (10, 2))
        for name in ("MaxPooling1D", "AveragePooling1D")
        for padding in ("valid", "same")
    ),
    (ms.ZeroPadding1D((2, 1)), "ZeroPadding1D", {"padding": (2, 1)}, (10, 2)),
    (ms.Cropping2D(((1, 2), 1)), "Cropping2D", {"cropping": ((1, 2), (1, 1))}, (9, 8, 3)),
    (ms.GlobalMaxPooling1D(), "GlobalMaxPooling1D", {}, (10, 2)),
    (ms.GlobalAveragePooling1D(), "GlobalAveragePooling1D", {}, (10, 2)),
    (
        ms.SeparableConv2D(4, 3, depth_multiplier=2, padding="same"),
        "SeparableConv2D",
        {"filters": 4, "kernel_size": 3, "depth_multiplier": 2, "padding": "same"},
        (9, 8, 2),
    ),
    (
        ms.Conv2DTranspose(4, (3, 2), 2),
        "Conv2DTranspose",
        {"filters": 4, "kernel_size": (3, 2), "strides": 2},
        (9, 8, 2),
    ),
    (ms.MaxPooling2D(), "MaxPooling2D", {}, (9, 8, 3)),
    (ms.MaxPooling2D(3, strides=2), "MaxPooling2D", {"pool_size": 3, "strides": 2}, (9, 8, 3)),
    (ms.MaxPooling2D(2, padding="same"), "MaxPooling2D", {"pool_size": 2, "padding": "same"}, (9, 8, 3)),
    (ms.AveragePooling2D((2, 3)), "AveragePooling2D", {"pool_size": (2, 3)}, (9, 8, 3)),
    (
        ms.AveragePooling2D(3, strides=2, padding="same"),
        "AveragePooling2D",
        {"pool_size": 3, "strides": 2, "padding": "same"},
        (9, 8, 3),
    ),
    (ms.GlobalAveragePooling2D(), "GlobalAveragePooling2D", {}, (9, 8, 3)),
    (ms.GlobalMaxPooling2D(), "GlobalMaxPooling2D", {}, (9, 8, 3)),
    (ms.ZeroPadding2D(), "ZeroPadding2D", {}, (9, 8, 3)),
    (ms.ZeroPadding2D(2), "ZeroPadding2D", {"padding": 2}, (9, 8, 3)),
    (ms.ZeroPadding2D((1, 2)), "ZeroPadding2D", {"padding": (1, 2)}, (9, 8, 3)),
    (ms.ZeroPadding2D(((1, 0), (2, 3))), "ZeroPadding2D", {"padding": ((1, 0), (2, 3))}, (9, 8, 3)),
    (ms.Flatten(), "Flatten", {}, (9, 8, 3)),
    (ms.Flatten(), "Flatten", {}, (9,)),
    (ms.Reshape((4, 6)), "Reshape", {"target_shape": (4, 6)}, (24,)),
    (ms.Reshape((-1, 6)), "Reshape", {"target_shape": (-1, 6)}, (4, 2, 3)),
    (ms.Rescaling(2.0, -1.0), "Rescaling", {"scale": 2.0, "offset": -1.0}, (9, 8, 3)),
    (ms.Dropout(0.5), "Dropout", {"rate": 0.5}, (9,)),
    (ms.BatchNormalization(), "BatchNormalization", {}, (9, 8, 3)),
    (ms.BatchNormalization(scale=False), "BatchNormalization", {"scale": False}, (9,)),
    (ms.Activation("relu"), "Activation", {"activation": "relu"}, (9,)),
]


@pytest.mark.parametrize(
    ("layer", "class_name", "arguments", "input_shape"), TABLE, ids=[f"{i}-{row[1]}" for i, row in enumerate(TABLE)]
)
def test_shapes_and_variables_are_those_of_keras(layer, class_name, arguments, input_shape):
    keras = pytest.importorskip("keras")
    theirs = getattr(keras.layers, class_name)(**arguments)
    assert (None, *layer.output_shape(input_shape)) == tuple(theirs.compute_output_shape((None, *input_shape)))
    theirs.build((None, *input_shape))
    trained = {variable.name: tuple(variable.shape) for variable in theirs.trainable_weights}
    assert layer.parameter_shapes(input_shape) == trained
    assert list(layer.parameter_shapes(input_shape)) == list(trained)
    # Keras keeps the seed state of Dropout among the non-trainable variables, but not among the weights.
    carried = {variable.name: tuple(variable.shape) for variable in theirs.non_trainable_weights}
    assert layer.state_shapes(input_shape) == carried
