"""Layer specifications: what they accept, how they are normalised, and the words of their errors."""

import dataclasses

import pytest

import model_spec as ms
from model_spec import initializers, regularizers
from model_spec.layers import LAYERS
from model_spec.layers.base import snake_case

# What Keras wants to be given; AveragePooling2D and Rescaling have defaults here.
REQUIRED = {
    "Dense": {"units": 3},
    "Conv1D": {"filters": 3, "kernel_size": 2},
    "Conv2D": {"filters": 3, "kernel_size": 2},
    "DepthwiseConv2D": {"kernel_size": 2},
    "SeparableConv2D": {"filters": 3, "kernel_size": 2},
    "Conv2DTranspose": {"filters": 3, "kernel_size": 2},
    "AveragePooling1D": {"pool_size": 2},
    "AveragePooling2D": {"pool_size": (2, 2)},
    "Permute": {"dims": (2, 1)},
    "RepeatVector": {"n": 2},
    "Reshape": {"target_shape": (3,)},
    "Rescaling": {"scale": 1.0},
    "Dropout": {"rate": 0.5},
    "Activation": {"activation": "relu"},
}


def test_values_are_normalised():
    layer = ms.Conv2D(4, 3, strides=[2, 1], activation=None, kernel_initializer="he_normal", kernel_regularizer="l2")
    assert layer.kernel_size == (3, 3)
    assert layer.strides == (2, 1)
    assert layer.activation == "linear"
    assert layer.kernel_initializer == initializers.HeNormal()
    assert layer.kernel_regularizer == regularizers.L2(0.01)
    assert ms.MaxPooling2D(3).strides == (3, 3)
    assert ms.ZeroPadding2D((1, 2)).padding == ((1, 1), (2, 2))
    assert ms.Reshape(12).target_shape == (12,)


def test_layers_are_values():
    assert ms.Dense(3) == ms.Dense(3) != ms.Dense(4)
    assert len({ms.Conv2D(4, 3), ms.Conv2D(4, (3, 3)), ms.Conv2D(4, 5)}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        ms.Dense(3).units = 4


def test_defaults_are_those_of_keras():
    keras = pytest.importorskip("keras")
    compared = 0
    for name in sorted(LAYERS):
        ours = LAYERS[name](**REQUIRED.get(name, {}))
        theirs = getattr(keras.layers, name)(**REQUIRED.get(name, {})).get_config()
        for item in dataclasses.fields(ours):
            if item.name in {"name", "inputs", "weights_of"}:
                continue
            value, expected = getattr(ours, item.name), theirs[item.name]
            if "initializer" in item.name:
                value, expected = type(value).__name__, expected["class_name"]
            if isinstance(value, int) and isinstance(expected, (list, tuple)):
                # Keras keeps the one number of a layer over steps as a tuple
                (expected,) = expected
            assert value == (tuple(expected) if isinstance(expected, list) else expected), f"{name}.{item.name}"
            compared += 1
    assert compared > 40


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_automatic_names_are_those_of_keras(name):
    keras = pytest.importorskip("keras")
    theirs = getattr(keras.layers, name)(**REQUIRED.get(name, {})).name
    assert theirs.removeprefix(snake_case(name)).strip("_0123456789") == ""
    assert theirs.startswith(snake_case(name))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ms.Dense(0), "units must be an integer of at least 1, got 0"),
        (lambda: ms.Dense(True), "units must be an integer of at least 1, got True"),
        (lambda: ms.Dense(2.0), "units must be an integer of at least 1, got 2.0"),
        (lambda: ms.Dense(2, activation="swoosh"), "activation must be one of elu, .*, got 'swoosh'"),
        *(
            (lambda value=value, kind=kind: kind(value), "activation must be one of elu, .*, got ")
            for value in ("", {}, [], 0, False)
            for kind in (ms.Activation, lambda value: ms.Dense(2, activation=value))
        ),
        (lambda: ms.PReLU(shared_axes=""), "shared_axes must be None, an axis or a tuple of axes, got ''"),
        (lambda: ms.Dense(2, use_bias=1), "use_bias must be True or False, got 1"),
        (
            lambda: ms.Dense(2, kernel_initializer="random"),
            r"unknown initializer 'random' \(did you mean 'random_normal'\?\); use one of zeros, ones",
        ),
        (lambda: ms.Dense(2, bias_regularizer="l3"), "unknown regularizer 'l3'; use None, l1, l2, l1_l2"),
        (lambda: ms.Dense(2, name="a b"), "no slash or space.*got 'a b'"),
        (lambda: ms.Dense(2, name="a/b"), "no slash or space.*got 'a/b'"),
        (lambda: ms.Dense(2, name=5), "no slash or space.*got 5"),
        (lambda: ms.Dense(2, trainable="no"), "trainable must be True or False, got 'no'"),
        (lambda: ms.Conv2D(2, (3, 3, 3)), r"kernel_size must be one integer or a pair .*got \(3, 3, 3\)"),
        (lambda: ms.Conv2D(2, (3, 0)), r"kernel_size\[1\] must be an integer of at least 1, got 0"),
        (lambda: ms.Conv2D(2, 3, padding="full"), "padding must be one of same, valid, got 'full'"),
        (lambda: ms.Conv2D(2, 3, strides=2, dilation_rate=2), "cannot both exceed 1.*set one of them to 1"),
        (lambda: ms.ZeroPadding1D((1, 2, 3)), r"padding must be an integer or a pair .*got \(1, 2, 3\)"),
        (lambda: ms.ZeroPadding1D((1, -1)), r"padding\[1\] must be an integer of at least 0, got -1"),
        (lambda: ms.Cropping2D(-1), r"cropping\[0\] must be an integer of at least 0, got -1"),
        (lambda: ms.Cropping2D(((3, 2), 0)).output_shape((5, 4, 1)), "leaves nothing of 5x4; crop less"),
        (lambda: ms.Conv1D(2, (3, 3)), r"kernel_size must be an integer of at least 1, got \(3, 3\)"),
        (lambda: ms.Conv1D(2, 3, padding="full"), "padding must be one of causal, same, valid, got 'full'"),
        (lambda: ms.Conv1D(2, 3, 2, dilation_rate=2), "cannot both exceed 1.*set one of them to 1"),
        (lambda: ms.MaxPooling1D(padding="causal"), "padding must be one of same, valid, got 'causal'"),
        (lambda: ms.SeparableConv2D(2, 3, (1, 2)), "strides must be the same for height and width"),
        (lambda: ms.Conv2DTranspose(2, 3, padding=1), "padding must be one of same, valid, got 1"),
        (lambda: ms.Conv2DTranspose(2, 3, 2, output_padding=2), r"below strides, got \(2, 2\) and \(2, 2\)"),
        (lambda: ms.Conv2DTranspose(2, 3, 2, output_padding=(1,)), r"None, an integer or a pair .*got \(1,\)"),
        (lambda: ms.Conv2DTranspose(2, 3, 2, output_padding=-1), r"output_padding\[0\] must be .* at least 0, got -1"),
        (lambda: ms.Conv2DTranspose(2, 2, 2, "same", 0), r"at least 1 where a kernel of even size .*got \(0, 0\)"),
        (lambda: ms.MaxPooling2D(0), r"pool_size\[0\] must be an integer of at least 1, got 0"),
        (lambda: ms.Dropout(1.0), "rate must be a finite number and at least 0 and below 1, got 1.0"),
        (lambda: ms.Dropout(-0.1), "rate must be .* at least 0 .*got -0.1"),
        (lambda: ms.Dropout(0.1, (2, 1)), r"None for the batch in front.*got \(2, 1\)"),
        (lambda: ms.Dropout(0.1, (None, 0)), r"noise_shape\[1\] must be an integer of at least 1, got 0"),
        (lambda: ms.Dropout(0.1, (None, 2)).output_shape((3,)), r"\(-1, 2\) does not fit examples of shape \(3,\)"),
        (lambda: ms.Dropout(0.1, (None, 1)).output_shape((3, 3)), "for each of its 2 axes"),
        (lambda: ms.Dropout(float("nan")), "rate must be a finite number .*got nan"),
        (lambda: ms.BatchNormalization(epsilon=0), "epsilon must be a finite number above 0, got 0"),
        (lambda: ms.BatchNormalization(momentum=1.5), r"momentum must lie in 0\.\.1, got 1.5"),
        (lambda: ms.Reshape((-1, -1)), r"at most one -1, got \(-1, -1\)"),
        (lambda: ms.Reshape((0, 2)), r"target_shape\[0\] must be an integer of at least 1, got 0"),
        (lambda: ms.ZeroPadding2D((1, 2, 3)), r"padding must be an integer, .*got \(1, 2, 3\)"),
        (lambda: ms.ZeroPadding2D(-1), r"padding\[0\] must be an integer of at least 0, got -1"),
        (lambda: ms.ZeroPadding2D(((1, 2, 3), 1)), r"padding\[0\] must be an integer or a pair"),
        (lambda: ms.Rescaling(float("inf")), "scale must be a finite number, got inf"),
        (lambda: ms.Rescaling([1.0, "x"]), r"scale\[1\] must be a finite number, got 'x'"),
        (lambda: ms.Rescaling(1.0, []), r"offset must be a finite number or a list of them, got \[\]"),
        (lambda: ms.Rescaling([1.0, 2.0]).output_shape((4, 3)), "2 numbers, expected one number or 3"),
        (lambda: ms.PReLU(shared_axes=0), r"shared_axes\[0\] must be an integer of at least 1, got 0"),
        (lambda: ms.PReLU(shared_axes="all"), "None, an axis or a tuple of axes, got 'all'"),
        (lambda: ms.Activation("nothing"), "activation must be one of .*got 'nothing'"),
        (lambda: initializers.RandomUniform(1.0, 1.0), "minval below maxval, got 1.0 and 1.0"),
        (lambda: initializers.RandomNormal(stddev=0), "RandomNormal.stddev must be a finite number above 0, got 0"),
        (lambda: regularizers.L1L2(l2=-1), "L1L2.l2 must be a finite number and at least 0, got -1"),
    ],
)
def test_bad_options_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_concatenated_values_have_equally_many_axes():
    with pytest.raises(ValueError, match=r"its inputs have shapes \(5, 3\) and \(5,\)"):
        ms.Concatenate().output_shape(((5, 3), (5,)))


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (ms.Dense(3), "Dense(3)"),
        (ms.Dense(3, activation="relu", name="head"), "Dense(3, activation='relu')"),
        (ms.Conv2D(4, 3, padding="same"), "Conv2D(4, (3, 3), padding='same')"),
        (ms.Activation("relu"), "Activation('relu')"),
        (ms.Dropout(0.25, trainable=False), "Dropout(0.25, trainable=False)"),
        (ms.Flatten(), "Flatten()"),
    ],
)
def test_a_layer_describes_itself_as_python(layer, text):
    assert layer.describe() == text
    rebuilt = eval(text, {name: getattr(ms, name) for name in LAYERS})
    assert rebuilt == dataclasses.replace(layer, name=None)
