"""Networks that branch: built as functional models, read back from models and files, refused by name."""

import json
import zipfile

import keras
import numpy as np
import pytest

import bridge
import model_spec as ms
from core_numpy import NumpyModel, load, verify
from keras_models import KerasModel, read

layers = keras.layers

GRAPH = ms.ModelSpec(
    "graph",
    (6, 6, 2),
    (
        ms.Conv2D(4, 3, padding="same", activation="tanh", name="stem"),
        ms.Conv2D(4, 1, inputs="input", name="shortcut"),
        ms.BatchNormalization(),
        ms.Add(inputs=("stem", "batch_normalization", "stem"), name="sum"),
        ms.MaxPooling2D(2, name="pool"),
        ms.Conv2D(2, 3, padding="same", activation="relu", name="conv"),
        ms.Concatenate(inputs=("pool", "conv")),
        ms.Flatten(),
        ms.Dropout(0.2),
        ms.Dense(3, activation="softmax"),
    ),
)
X = np.random.default_rng(0).normal(size=(5, 6, 6, 2))


def test_built_with_the_names_values_and_order_of_the_specification():
    ours, theirs = NumpyModel(GRAPH, seed=3, dtype="float64"), KerasModel(GRAPH, seed=3, dtype="float64")
    assert list(theirs.weights) == list(GRAPH.variable_shapes)
    for name, value in ours.weights.items():
        np.testing.assert_array_equal(theirs.weights[name], value)
    np.testing.assert_allclose(theirs.predict(X), ours.predict(X), atol=1e-14)
    assert read(theirs.keras_model).spec.layers == GRAPH.layers


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_read_from_files(suffix, tmp_path):
    built = KerasModel(GRAPH, seed=1)
    built.keras_model.save(tmp_path / f"m{suffix}")
    found = read(tmp_path / f"m{suffix}")
    assert found.spec.layers == GRAPH.layers
    for name, value in built.weights.items():
        np.testing.assert_array_equal(found.weights[name], value)


def test_weights_of_a_file_go_to_the_layers_of_their_names(tmp_path):
    first, second = KerasModel(GRAPH, seed=1), KerasModel(GRAPH, seed=2)
    first.save_weights(tmp_path / "m.weights.h5")
    second.load_weights(tmp_path / "m.weights.h5")
    for name, value in first.weights.items():
        np.testing.assert_array_equal(second.weights[name], value)


def branching(form):
    """Nested, with branches in it and around it, images in either format."""
    first = form == "channels_first"
    shape, axis = ((2, 6, 5), 1) if first else ((6, 5, 2), -1)
    entry = keras.Input(shape)
    one = layers.Conv2D(3, 3, padding="same", data_format=form)(entry)
    two = layers.Conv2D(4, 1, use_bias=False, data_format=form)(entry)
    inner = keras.Model(entry, layers.Concatenate(axis=axis)([one, two]), name="inner")
    inputs = keras.Input(shape)
    values = inner(inputs)
    one = layers.Conv2D(6, 1, use_bias=False, data_format=form)(values)
    two = layers.Conv2D(6, 3, padding="same", activation="relu", data_format=form)(values)
    rows = layers.Concatenate(axis=2 if first else 1)([layers.Add()([one, two]), two])
    flat = layers.Concatenate()([layers.Flatten()(rows), layers.Flatten()(one)])
    return keras.Model(inputs, layers.Dense(4, activation="softmax")(flat))


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("form", ["channels_last", "channels_first"])
def test_converted_and_verified(form, tmp_path):
    model = branching(form)
    for variable in model.weights:
        variable.assign(np.random.default_rng(int(np.prod(variable.shape))).normal(0, 0.3, variable.shape))
    certificate = bridge.convert(model, tmp_path / "m.npz")
    assert certificate.passed, str(certificate)
    assert verify(tmp_path / "m.npz").passed
    x = np.random.default_rng(0).normal(size=(3, 6, 5, 2)).astype("float32")
    np.testing.assert_allclose(load(tmp_path / "m.npz").predict(x), read(model).predict(x), atol=1e-6)
    model.save(tmp_path / "m.keras")
    found = read(tmp_path / "m.keras")
    assert found.channels_first == (form == "channels_first")
    assert found.spec.layers == read(model).spec.layers


def changed(path, change):
    """The file with a changed configuration."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    configuration = json.loads(members["config.json"])
    change({layer["name"]: layer for layer in configuration["config"]["layers"]})
    members["config.json"] = json.dumps(configuration).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def second_call(found):
    found["conv"]["inbound_nodes"] *= 2


def no_such_call(found):
    found["concatenate"]["inbound_nodes"][0]["args"][0][0]["config"]["keras_history"][1] = 3


def two_inputs(found):
    found["conv"]["inbound_nodes"] = found["concatenate"]["inbound_nodes"]


def circle(found):
    node = found["stem"]["inbound_nodes"][0]["args"][0]["config"]
    node["keras_history"] = ["dense", 0, 0]


def nowhere(found):
    found["stem"]["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["typo", 0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (second_call, "'conv' .* is off the way from input to output"),
        (no_such_call, "there is no call 3 of layer '.*', it is called 1 times"),
        (two_inputs, "takes 2 inputs; supported with several are Add"),
        (circle, "in a circle"),
        (nowhere, "there is no layer 'typo'"),
    ],
)
def test_files_that_cannot_be_read(change, message, tmp_path):
    path = tmp_path / "m.keras"
    KerasModel(GRAPH).save(path)
    changed(path, change)
    with pytest.raises(ValueError, match=message):
        read(path)
