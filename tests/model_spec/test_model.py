"""ModelSpec: names, shapes, counts, summary, and errors that name the layer, the shape and the fix."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import model_spec as ms
from model_spec import zoo


def test_unnamed_layers_get_names_in_the_style_of_keras():
    layers = [ms.Conv2D(2, 3), ms.Conv2D(2, 3), ms.MaxPooling2D(), ms.Flatten(), ms.Dense(3), ms.Dense(2)]
    names = [layer.name for layer in ms.ModelSpec("net", (9, 9, 1), layers).layers]
    assert names == ["conv2d", "conv2d_1", "max_pooling2d", "flatten", "dense", "dense_1"]


def test_automatic_names_step_around_given_ones():
    layers = [ms.Dense(3), ms.Dense(3, name="dense"), ms.Dense(3, name="dense_1"), ms.Dense(3)]
    names = [layer.name for layer in ms.ModelSpec("net", (4,), layers).layers]
    assert names == ["dense_2", "dense", "dense_1", "dense_3"]


def test_lenet_by_hand():
    spec = zoo.lenet()
    assert spec.output_shapes == (
        (26, 26, 16),
        (24, 24, 32),
        (12, 12, 32),
        (10, 10, 64),
        (5, 5, 64),
        (5, 5, 64),
        (1600,),
        (128,),
        (128,),
        (10,),
    )
    assert spec.output_shape == (10,)
    assert spec.input_shapes[0] == (28, 28, 1)
    convolutions = 9 * 16 + 16 + 9 * 16 * 32 + 32 + 9 * 32 * 64 + 64
    assert spec.parameter_count == convolutions + 1600 * 128 + 128 + 128 * 10 + 10
    assert spec.parameter_shapes["conv2d_1/kernel"] == (3, 3, 16, 32)


def test_lenet_keeps_something_of_an_eight_by_eight_digit():
    assert zoo.lenet((8, 8, 1)).layers[0].padding == "same"
    assert zoo.lenet((12, 12, 1)).layers[0].padding == "valid"
    with pytest.raises(ValueError, match="does not fit into"):
        zoo.lenet((8, 8, 1), padding="valid")


def test_zoo_by_name():
    assert zoo.build("mlp", (8, 8, 1), 3) == zoo.mlp((8, 8, 1), 3)
    assert zoo.mlp((784,)).layers[0] == ms.Dense(16, activation="sigmoid", name="dense")
    assert zoo.mlp().parameter_count == 784 * 16 + 16 + 16 * 10 + 10
    assert zoo.cnn().parameter_count == 9 * 8 + 8 + 28 * 28 * 8 * 10 + 10
    with pytest.raises(
        ValueError, match="unknown architecture 'vgg'; known are mlp, cnn, lenet, bn_cnn, resnet8, inception_block"
    ):
        zoo.build("vgg")


def test_frozen_layers_and_moving_statistics_are_told_apart():
    spec = ms.ModelSpec("net", (4,), [ms.Dense(3, trainable=False), ms.BatchNormalization(), ms.Dense(2)])
    assert spec.trainable_parameters == (
        "batch_normalization/gamma",
        "batch_normalization/beta",
        "dense_1/kernel",
        "dense_1/bias",
    )
    assert list(spec.variable_shapes) == [
        "dense/kernel",
        "dense/bias",
        "batch_normalization/gamma",
        "batch_normalization/beta",
        "batch_normalization/moving_mean",
        "batch_normalization/moving_variance",
        "dense_1/kernel",
        "dense_1/bias",
    ]
    assert spec.parameter_count == 4 * 3 + 3 + 3 + 3 + 3 * 2 + 2
    assert "Parameters: 29 (frozen: 15)" in spec.summary()


def test_variables_come_in_the_order_of_keras_get_weights():
    keras = pytest.importorskip("keras")
    spec = ms.ModelSpec(
        "net", (6, 6, 1), [ms.Conv2D(2, 3), ms.BatchNormalization(), ms.Dropout(0.5), ms.Flatten(), ms.Dense(2)]
    )
    layers = keras.layers
    theirs = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(2, 3),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    assert list(spec.variable_shapes.values()) == [array.shape for array in theirs.get_weights()]


def test_summary_is_a_table():
    lines = zoo.cnn().summary().splitlines()
    assert lines[0] == "Model cnn: input (28, 28, 1)"
    assert lines[-1] == "Parameters: 62,810"
    assert "conv2d: Conv2D(8, (3, 3), padding='same', activation='relu')" in lines[3]
    assert "(28, 28, 8)" in lines[3]
    assert lines[3].endswith("80")


def test_an_integer_is_an_input_shape():
    assert ms.ModelSpec("net", 4, [ms.Dense(2)]).input_shape == (4,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ms.ModelSpec("", (4,), [ms.Dense(2)]), "name must be a non-empty string, got ''"),
        (lambda: ms.ModelSpec("net", (), [ms.Dense(2)]), r"input_shape must be a tuple such as .*got \(\)"),
        (lambda: ms.ModelSpec("net", (None, 4), [ms.Dense(2)]), r"input_shape\[0\] must be an integer .*got None"),
        (lambda: ms.ModelSpec("net", (4,), []), "model 'net' has no layers; give at least one"),
        (lambda: ms.ModelSpec("net", (4,), [ms.Dense(2), "relu"]), "layer 1 must be a layer of model_spec.layers"),
        (
            lambda: ms.ModelSpec("net", (4,), [ms.Dense(2, name="a"), ms.Dense(2, name="a")]),
            "layer name 'a' is used 2 times; give every layer its own name",
        ),
        (
            lambda: ms.ModelSpec("net", (28, 28), [ms.Conv2D(8, 3)]),
            r"model 'net', layer 0 'conv2d' \(Conv2D\(8, \(3, 3\)\)\) cannot take input of shape \(28, 28\): "
            r"an image \(height, width, channels\) was expected, got shape \(28, 28\); add a Reshape",
        ),
        (
            lambda: ms.ModelSpec("net", (4, 4, 1), [ms.MaxPooling2D(), ms.Conv2D(8, 3)]),
            r"layer 1 'conv2d' .* cannot take input of shape \(2, 2, 1\): .*does not fit into \(2, 2\); use a smaller",
        ),
        (
            lambda: ms.ModelSpec("net", (10,), [ms.Reshape((3, 4), name="fold")]),
            r"layer 0 'fold' .*target_shape \(3, 4\) cannot hold the 10 values .*choose sizes whose product is 10",
        ),
        (
            lambda: ms.ModelSpec("net", (10,), [ms.Reshape((3, -1))]),
            r"target_shape \(3, -1\) cannot hold the 10 values of shape \(10,\)",
        ),
    ],
)
def test_errors_name_the_place_and_the_fix(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@given(
    side=st.integers(8, 20),
    channels=st.integers(1, 3),
    filters=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    padding=st.sampled_from(["valid", "same"]),
)
def test_shapes_chain_and_counts_add_up(side, channels, filters, padding):
    layers = [ms.Conv2D(count, 3, padding=padding) for count in filters]
    spec = ms.ModelSpec("net", (side, side, channels), [*layers, ms.GlobalAveragePooling2D(), ms.Dense(2)])
    assert spec.input_shapes[1:] == spec.output_shapes[:-1]
    expected, before = 0, channels
    for count in filters:
        expected += 9 * before * count + count
        before = count
    assert spec.parameter_count == expected + before * 2 + 2
    assert len({layer.name for layer in spec.layers}) == len(spec.layers)
