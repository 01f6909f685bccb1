"""What was a bare error or a wrong answer once is refused by the layer's name, from memory and from files alike."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import model_spec as ms
from keras_models import KerasModel, read
from keras_models.reading.options import _FUNCTIONS
from keras_models.runtime import without_tracing_warnings
from tests.keras_models.test_read_files import save

L = keras.layers


def of(function, dtype=None):
    def build():
        inputs = keras.Input((4,), dtype=dtype)
        return keras.Model(inputs, function(inputs))

    return build


def parts(x):
    first, second = keras.ops.split(L.Dense(4)(x), 2, axis=-1)
    return first * second


def same_twice(x):
    output = L.Dense(2, name="d")(x)
    return [output, output]


def images(*layers):
    """A model on channels-first images."""

    def build():
        inputs = keras.Input((3, 6, 5))
        values = L.Conv2D(4, 3, data_format="channels_first", use_bias=False)(inputs)
        for layer in layers:
            values = type(layer).from_config(layer.get_config())(values)
        return keras.Model(inputs, L.Dense(2)(L.Flatten()(values)))

    return build


def inner():
    return keras.Sequential([keras.Input((4,)), L.Dropout(0.5)], name="inner")


def relu(x):
    return 3 * x


CASES = {
    "dropout in training": (
        of(lambda x: L.Dense(2)(L.Dropout(0.5, name="d")(x, training=True))),
        r"layer 'd' \(Dropout\) is called with training=True; supported are calls on the input alone",
    ),
    "statistics in training": (
        of(lambda x: L.BatchNormalization(name="b")(x, training=True)),
        r"layer 'b' \(BatchNormalization\) is called with training=True",
    ),
    "a model in training": (
        of(lambda x: L.Dense(2)(inner()(x, training=True))),
        r"layer 'inner' \(Sequential\) is called with training=True",
    ),
    "noise in training": (
        of(lambda x: L.Dense(2)(L.GaussianNoise(0.5, name="n")(x, training=True))),
        r"layer 'n' \(GaussianNoise\) is called with training=True",
    ),
    "statistics of another axis": (
        images(L.BatchNormalization(name="b")),
        r"layer 'b' \(BatchNormalization\): axis=-1 is not supported; supported is that of the channels, axis=1",
    ),
    "groups of another axis": (
        images(L.GroupNormalization(3, name="g")),
        r"layer 'g' \(GroupNormalization\): axis=-1 is not supported; supported is that of the channels, axis=1",
    ),
    "slopes of channels-first images": (
        images(L.PReLU(shared_axes=[1], name="p")),
        r"layer 'p' \(PReLU\): this layer on channels-first images is not supported; build it on channels-last images",
    ),
    "slopes of channels": (
        images(L.PReLU(shared_axes=[2, 3], name="p")),
        r"layer 'p' \(PReLU\): this layer on channels-first images is not supported; build it on channels-last images",
    ),
    "several tensors": (of(parts), r"'split.*' \(Split\)"),
    "input as output": (of(lambda x: [L.Dense(2)(x), x]), "its output 'input_layer.*' is one of its inputs"),
    "output twice": (of(same_twice), "'d' twice; .* once, or (give )?outputs as a (dict|table) with a key for each"),
    "mixed examples": (
        of(lambda x: L.Dense(2)(keras.ops.reshape(x, (-1, 2)))),
        r"'reshape.*' \(Reshape.*(mixes examples|cannot hold the 4 values)",
    ),
    "uint8": (
        of(lambda x: L.Dense(2)(L.Add()([x, L.Flatten()(x)])), "uint8"),
        "'add.*': Keras computes Add of uint8 in uint8, .* wrap around; put a Rescaling in front",
    ),
    "uint8 behind a pooling": (
        of(lambda x: L.Dense(2)(L.Subtract()([x, L.GlobalMaxPooling1D()(L.Reshape((1, 4))(x))])), "uint8"),
        "Subtract of uint8",
    ),
}


@pytest.mark.parametrize("source", ["memory", "keras", "h5"])
@pytest.mark.parametrize("name", CASES)
def test_refused_by_name(name, source, tmp_path):
    build, said = CASES[name]
    model = build()
    with without_tracing_warnings():
        given = model if source == "memory" else save(model, tmp_path / f"model.{source}")
    with pytest.raises(ValueError, match=said):
        read(given)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (keras.ops.gelu, "activation keras.ops.gelu, which approximates by tanh, is not supported; supported is keras"),
        (relu, "activation relu, which is not Keras' own, is not supported; supported are linear"),
    ],
)
def test_a_function_of_a_name_that_is_supported(function, said):
    with pytest.raises(ValueError, match=said):
        read(of(lambda x: L.Dense(2, activation=function)(x))())


def test_integers_that_are_scaled_first_are_added():
    spec = ms.ModelSpec(
        "m", (4,), (ms.Rescaling(1 / 255), ms.Add(inputs=("rescaling", "rescaling")), ms.Dense(2)), "uint8"
    )
    x = np.full((1, 4), 200, np.uint8)
    assert KerasModel(spec).activations(x)["add"].max() == pytest.approx(400 / 255, rel=1e-6)
    assert ms.ModelSpec("m", (4,), (ms.Add(inputs=("input", "input")), ms.Dense(2)), "int32").input_dtype == "int32"


@pytest.mark.parametrize("function", _FUNCTIONS, ids=lambda function: f"{function.__module__}.{function.__name__}")
def test_functions_are_read_as_the_activations_they_are(function):
    name = _FUNCTIONS[function]
    if name == "step":
        pytest.skip("no function of Keras")
    x = np.linspace(-9, 9, 91, dtype="float32").reshape(7, 13)
    np.testing.assert_array_equal(np.asarray(function(x)), np.asarray(keras.activations.get(name)(x)))
    (layer,) = read(keras.Sequential([keras.Input((13,)), L.Activation(function)])).spec.layers
    assert layer.activation == name


def test_functions_of_tensorflow_too():
    assert {tf.nn.relu, tf.nn.softmax, tf.nn.sigmoid, tf.nn.gelu, keras.ops.relu, keras.ops.exp} <= set(_FUNCTIONS)
    with pytest.raises(ValueError, match="activation keras.ops.gelu, which approximates"):
        read(keras.Sequential([keras.Input((4,)), L.Dense(3, activation=keras.ops.gelu)]))


def test_outputs_are_named_once():
    layers = (ms.Dense(3, name="a"), ms.Dense(2, name="b"))
    with pytest.raises(ValueError, match="outputs name 'b' twice"):
        ms.ModelSpec("m", (4,), layers, outputs=("b", "b"))
    assert ms.ModelSpec("m", (4,), layers, outputs={"x": "b", "y": "b"}).output_keys == ("x", "y")
