"""Specifications survive JSON and TOML, and a wrong file says what is wrong in it."""

import json
import re
import tomllib
from pathlib import Path

import pytest

import model_spec as ms
from model_spec import initializers, regularizers, schedules, zoo, zoo_extended
from model_spec.constraints import MaxNorm
from model_spec.layers import LAYERS
from model_spec.losses import BinaryCrossentropy, CategoricalCrossentropy
from model_spec.schema import json_schema
from model_spec.serialization import from_dict

EVERY_LAYER = ms.ModelSpec(
    "everything",
    (12, 10, 2),
    [
        ms.Rescaling(2.0, -1.0),
        ms.ZeroPadding2D(((1, 1), (2, 2))),
        ms.Cropping2D(((0, 1), (0, 1))),
        ms.Conv2D(
            4,
            (3, 2),
            strides=(1, 2),
            padding="same",
            activation="tanh",
            use_bias=False,
            kernel_initializer=initializers.RandomUniform(-0.2, 0.3),
            kernel_regularizer=regularizers.L1L2(0.1, 0.2),
            kernel_constraint=MaxNorm(3.0, (0, 1, 2)),
            bias_constraint="non_neg",
            name="first",
            trainable=False,
        ),
        ms.SeparableConv2D(3, 2, padding="same", pointwise_initializer="he_normal", bias_regularizer="l2"),
        ms.Conv2DTranspose(2, 3, 2, "same", 1, kernel_initializer="he_normal", bias_regularizer="l2"),
        ms.DepthwiseConv2D(2, padding="same", depthwise_initializer="he_normal", depthwise_regularizer="l2"),
        ms.BatchNormalization(momentum=0.9, epsilon=1e-5, center=False, scale=True),
        ms.Activation("leaky_relu"),
        ms.LayerNormalization((1, 3), 1e-5, scale=False),
        ms.LeakyReLU(0.1),
        ms.GroupNormalization(1, 1e-5, scale=False),
        ms.UnitNormalization((1, 3)),
        ms.Normalization((2, -1)),
        ms.Softmax(1),
        ms.Permute((1, 2, 3)),
        ms.ELU(0.5),
        ms.ReLU(2.0, 0.1, 0.5),
        ms.PReLU(initializers.Constant(0.25), regularizers.L1(0.01), (1, 2)),
        ms.MaxPooling2D(2, strides=1, padding="same"),
        ms.Conv2D(3, 2, dilation_rate=2, bias_initializer=initializers.Constant(0.5), bias_regularizer="l1"),
        ms.UpSampling2D((2, 1), "bilinear"),
        ms.AveragePooling2D((2, 1)),
        ms.Reshape((-1, 3)),
        ms.Conv1D(3, 2, padding="causal", kernel_initializer="he_normal", kernel_regularizer="l2"),
        ms.ZeroPadding1D((1, 0)),
        ms.MaxPooling1D(2, 1),
        ms.AveragePooling1D(2, 1, "same"),
        ms.Dense(6, activation=ms.LeakyReLU(0.1), kernel_initializer="he_normal"),
        ms.Reshape((-1, 1, 6)),
        ms.Dropout(0.3, (None, 1, 1, None)),
        ms.GlobalMaxPooling2D(),
        ms.Reshape((1, 2, 3)),
        ms.GlobalAveragePooling2D(),
        ms.Reshape((1, 3)),
        ms.GlobalMaxPooling1D(),
        ms.RepeatVector(1),
        ms.GlobalAveragePooling1D(),
        ms.Flatten(name="stem"),
        ms.Dense(3, name="a"),
        ms.Dense(3, inputs="stem", name="b"),
        ms.Add(inputs=("a", "b", "stem"), name="c"),
        ms.Subtract(inputs=["c", "a"]),
        ms.Multiply(inputs=("subtract", "b")),
        ms.Average(inputs=("multiply", "b")),
        ms.Maximum(inputs=("average", "b")),
        ms.Minimum(inputs=("maximum", "c")),
        ms.Concatenate(1, inputs=("minimum", "stem")),
        ms.Dense(2, activation="softmax", kernel_regularizer=regularizers.L2(0.003)),
    ],
)

EVERY_TRAINING = ms.TrainingSpec(
    optimizer=ms.SGD(
        schedules.PiecewiseConstantDecay((10, 20), (0.1, 0.01, 0.001)), momentum=0.9, nesterov=True, clipnorm=1.0
    ),
    loss=CategoricalCrossentropy(label_smoothing=0.1),
    batch_size=7,
    epochs=3,
    steps=40,
    sampling="with_replacement",
    shuffle=False,
    seed=5,
    validation_split=0.2,
    early_stopping=ms.EarlyStopping("val_accuracy", 0.01, 3, "max", 0.5, True, 2),
)


def test_the_example_uses_every_layer():
    assert {type(layer).__name__ for layer in EVERY_LAYER.layers} == set(LAYERS)


@pytest.mark.parametrize("spec", [zoo.mlp(), zoo.cnn(), zoo.lenet(), EVERY_LAYER], ids=lambda spec: spec.name)
def test_models_survive_json(spec):
    text = ms.to_json(spec)
    assert json.loads(text)["version"] == 1
    again = ms.model_from_json(text)
    assert again == spec
    assert again.variable_shapes == spec.variable_shapes


@pytest.mark.parametrize(
    "training",
    [
        ms.TrainingSpec(),
        EVERY_TRAINING,
        ms.TrainingSpec(ms.AdamW(schedules.ExponentialDecay(0.1, 5, 0.5, staircase=True)), "mean_squared_error"),
        ms.TrainingSpec(ms.RMSprop(schedules.CosineDecay(0.1, 50, 0.2), centered=True), BinaryCrossentropy(True, 0.1)),
    ],
    ids=["default", "every option", "adamw", "rmsprop"],
)
def test_training_runs_survive_json(training):
    assert from_dict(json.loads(ms.to_json(training))) == training


def toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(part)}" for key, part in value.items() if part is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(part) for part in value) + "]"
    return json.dumps(value)


@pytest.mark.parametrize("spec", [zoo.lenet(), EVERY_LAYER], ids=lambda spec: spec.name)
def test_models_survive_toml(spec, tmp_path):
    path = tmp_path / "model.toml"
    path.write_text("\n".join(f"{key} = {toml(value)}" for key, value in ms.to_dict(spec).items()))
    assert ms.load_model(path) == spec


HAND_WRITTEN = """
name = "mine"
input_shape = [8, 8, 1]

[[layers]]
type = "Conv2D"
filters = 4
kernel_size = 3
activation = "relu"
kernel_initializer = { type = "RandomNormal", stddev = 0.1 }

[[layers]]
type = "Flatten"

[[layers]]
type = "Dense"
name = "head"
units = 10
activation = "softmax"
kernel_regularizer = "l2"
"""


def test_a_file_written_by_hand(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(HAND_WRITTEN)
    assert ms.load_model(str(path)) == ms.ModelSpec(
        "mine",
        (8, 8, 1),
        [
            ms.Conv2D(4, 3, activation="relu", kernel_initializer=initializers.RandomNormal(stddev=0.1)),
            ms.Flatten(),
            ms.Dense(10, activation="softmax", kernel_regularizer=regularizers.L2(), name="head"),
        ],
    )


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(HAND_WRITTEN, encoding="utf-8-sig")
    assert ms.load_model(str(path)).name == "mine"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"softmax"', '"sofmax"', r"activation must be one of .*, got 'sofmax' \(did you mean 'softmax'\?\)"),
        ('name = "mine"', 'nam = "mine"', "missing: name, unknown: nam"),
        ("filters = 4", "filter = 4", r"model 'mine', layer 0: Conv2D has no option filter .*; it has activation, "),
        ("units = 10", "units = 0", "layer 2: units must be an integer of at least 1, got 0"),
        ("units = 10\n", "", r"layer 2: Dense lacks units; give units = \.\.\."),
        ('"Flatten"', '"Flat"', "layer 1: unknown type 'Flat' .*; known are Dense, Conv2D"),
        ('type = "Flatten"', "", "layer 1: expected a table with a type such as 'Dense', got {}"),
        ('type = "Flatten"', "type = [1]", r"layer 1: unknown type \[1\]"),
        ('type = "Flatten"', 'type = "Adam"', "layer 1 must be a layer of model_spec.layers"),
        ('name = "mine"', 'name = "mine"\nversion = 9', "schema version 9, this program reads 1; update the program"),
        ("[8, 8, 1]", "[8, 8]", r"layer 0 'conv2d' .*an image \(height, width, channels\) was expected"),
        ('name = "mine"', 'name = "mine', "cannot be read"),
    ],
)
def test_a_wrong_file_says_which_file_and_what(old, new, message, tmp_path):
    path = tmp_path / "mine.toml"
    assert old in HAND_WRITTEN
    path.write_text(HAND_WRITTEN.replace(old, new, 1))
    with pytest.raises(ValueError, match=message) as caught:
        ms.load_model(path)
    assert str(path) in str(caught.value)


def test_files_that_are_no_models(tmp_path):
    with pytest.raises(ValueError, match="no file .*absent.toml; give a zoo name or the path of a .toml"):
        ms.load_model(tmp_path / "absent.toml")
    with pytest.raises(ValueError, match="cannot be read"):
        ms.load_model(tmp_path)
    for content, message in [
        (b"{", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[]", r"a model must be a table with name, input_shape and layers, got \[\]"),
        (b'{"name": "n", "input_shape": [2], "layers": 3}', "layers must be a list of tables .*got 3"),
    ]:
        path = tmp_path / "model.json"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            ms.load_model(path)


@pytest.fixture(scope="module")
def schema():
    jsonschema = pytest.importorskip("jsonschema")
    found = json_schema()
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


EXTENDED = [getattr(zoo_extended, name)() for name in ("resnet8", "inception_block", "har_conv1d", "autoencoder")]


@pytest.mark.parametrize("spec", [zoo.lenet(), EVERY_LAYER, *EXTENDED], ids=lambda spec: spec.name)
def test_the_schema_takes_what_is_written(schema, spec):
    # Through text, as a file has it: JSON knows no tuples
    assert not list(schema.iter_errors(json.loads(ms.to_json(spec))))


def test_the_schema_takes_the_example_of_the_page_and_refuses_slips(schema):
    page = (Path(__file__).parents[2] / "docs/own_data.md").read_text()
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    for example in examples:
        assert not list(schema.iter_errors(tomllib.loads(example)))
    (example,) = (one for one in examples if "optimizer" in one)
    for right, slip in (
        ("units", "unit"),
        ('"Dense"', '"Dens"'),
        ("units = 32", 'units = 32, bias_initializer = "zero"'),
        ("epochs", "epoch"),
        ('"sgd"', '"sdg"'),
        ("patience", "patients"),
        ("limit", "limits"),
        ("input_shape", "shape"),
    ):
        assert list(schema.iter_errors(tomllib.loads(example.replace(right, slip, 1)))), slip
