"""Bare operations of functional models are read as the layers they are, from models and files, or refused by name."""

import json
import zipfile

import keras
import numpy as np
import pytest

import bridge
import model_spec as ms
from core_numpy import NumpyModel
from keras_models import read
from tests.keras_models.test_read_files import save

L, ops = keras.layers, keras.ops

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")

READ = {
    "x + y": (lambda x, y: x + y, ms.Add()),
    "x - y": (lambda x, y: x - y, ms.Subtract()),
    "x * y": (lambda x, y: x * y, ms.Multiply()),
    "x * x": (lambda x, y: y * y, ms.Multiply()),
    "maximum": (ops.maximum, ms.Maximum()),
    "minimum": (ops.minimum, ms.Minimum()),
    "concatenate": (lambda x, y: ops.concatenate([x, y], axis=-1), ms.Concatenate()),
    "x + 3": (lambda x, y: y + 3.0, ms.Rescaling(1.0, 3.0)),
    "3 - x": (lambda x, y: 3 - y, ms.Rescaling(-1.0, 3.0)),
    "x - 1": (lambda x, y: y - 1, ms.Rescaling(1.0, -1.0)),
    "x * (1/6)": (lambda x, y: y * (1 / 6), ms.Rescaling(1 / 6)),
    "x / 7": (lambda x, y: y / 7, ms.Rescaling(1 / 7)),
    "-x": (lambda x, y: -y, ms.Rescaling(-1.0)),
    "maximum of 0": (lambda x, y: ops.maximum(0.0, y), ms.Activation("relu")),
    "relu": (lambda x, y: ops.relu(y), ms.Activation("relu")),
    "relu of activations": (lambda x, y: keras.activations.relu(y, 0.1, 3.0), ms.ReLU(3.0, 0.1)),
    "clip": (lambda x, y: ops.clip(y, 0, 2), ms.ReLU(2.0)),
    "sigmoid": (lambda x, y: ops.sigmoid(y), ms.Activation("sigmoid")),
    "silu": (lambda x, y: ops.silu(y), ms.Activation("silu")),
    "gelu": (lambda x, y: ops.gelu(y, approximate=False), ms.Activation("gelu")),
    "exp": (lambda x, y: ops.exp(y), ms.Activation("exponential")),
    "leaky relu": (lambda x, y: ops.leaky_relu(y, 0.1), ms.LeakyReLU(0.1)),
    "elu": (lambda x, y: ops.elu(y, 0.5), ms.ELU(0.5)),
    "softmax": (lambda x, y: ops.softmax(y), ms.Activation("softmax")),
    "log softmax": (lambda x, y: ops.log_softmax(y), ms.Activation("log_softmax")),
    "mean": (lambda x, y: ops.mean(y, axis=[1, 2]), ms.GlobalAveragePooling2D()),
    "mean, keepdims": (lambda x, y: ops.mean(y, axis=(1, 2), keepdims=True), ms.GlobalAveragePooling2D(True)),
    "max": (lambda x, y: ops.max(y, axis=(-3, -2)), ms.GlobalMaxPooling2D()),
    "reshape": (lambda x, y: ops.reshape(y, (-1, 12, 3)), ms.Reshape((12, 3))),
    "transpose": (lambda x, y: ops.transpose(y, (0, 3, 1, 2)), ms.Permute((3, 1, 2))),
    "pad": (lambda x, y: ops.pad(y, ((0, 0), (1, 0), (0, 2), (0, 0))), ms.ZeroPadding2D(((1, 0), (0, 2)))),
}

REFUSED = {
    "power": (lambda x, y: y**3, "operation 'power.*' .Power.: .* write x . x"),
    "square": (lambda x, y: ops.square(y), "'square.*' .Square.: .* write x . x"),
    "division": (lambda x, y: x / y, "'true_divide.*' .* supported is to divide by a number"),
    "division of a number": (lambda x, y: 1 / y, "supported is to divide by a number"),
    "constant": (lambda x, y: y * np.ones(3, "float32"), r"constant of shape \(3,\)"),
    "largest with a start": (lambda x, y: ops.max(y, axis=(1, 2), initial=0.0), "initial=0.0 is not supported"),
    "largest of steps with a start": (lambda x, y: ops.max(y, axis=1, initial=0.0), "initial=0.0 is not supported"),
    "gelu by tanh": (lambda x, y: ops.gelu(y), "approximate=True is not supported"),
    "mean of channels": (lambda x, y: ops.mean(y, axis=-1), "axis=.*-1.* is not supported; supported are .1, 2."),
    "slice": (lambda x, y: y[:, 1:], "operation 'get_item.*' .GetItem.: .*Cropping2D"),
    "examples reshaped": (lambda x, y: ops.reshape(y, (2, -1)), "begin it with -1"),
    "examples joined": (lambda x, y: ops.reshape(y, (-1, 6)), "cannot hold the 36 values|mixes examples"),
    "examples concatenated": (lambda x, y: ops.concatenate([x, y]), "axis must be an integer other than 0"),
    "examples moved": (lambda x, y: ops.transpose(y), "leave axis 0"),
    "padded channels": (lambda x, y: ops.pad(y, ((0, 0), (0, 0), (0, 0), (0, 1))), "border of zeros"),
    "repeated sum": (lambda x, y: y + ops.mean(y, axis=(1, 2), keepdims=True), "must be the same"),
    "minimum of 1": (lambda x, y: ops.minimum(y, 1.0), "max_value"),
    "maximum of 1": (lambda x, y: ops.maximum(y, 1.0), "supported are 0 and two tensors"),
    "sin": (lambda x, y: ops.sin(y), "'sin.*' .Sin.*supported are layers, and of operations Add"),
    "sum": (lambda x, y: ops.sum(y, axis=(1, 2)), r"'sum.*' .Sum.*write keras.ops.mean.x, axis=.1, 2.. . n "),
    "minimum of places": (lambda x, y: ops.min(y, axis=(1, 2)), "write -keras.ops.max"),
    "product of vectors": (lambda x, y: ops.einsum("abcd,abcd->abc", x, y), "Einsum.*Multiply, then .*Dense.1, "),
    "dot": (lambda x, y: L.Dot(1)([L.Flatten()(x), L.Flatten()(y)]), "Dot.*Multiply, then .*Dense.1, use_bias"),
    "vector": (lambda x, y: y - np.ones(3, "float32"), r"'subtract.*Rescaling.scale=\[\.\.\.\], offset="),
    "absolute": (lambda x, y: ops.absolute(y), "'absolute.*' .Absolute.*write keras.ops.maximum"),
}


def model_with(operation, dtype="float32"):
    """Two convolutions of one image, and what an operation makes of them."""
    inputs = keras.Input((4, 3, 2), dtype=dtype)
    one = L.Conv2D(3, 1, dtype=dtype, name="one")(inputs)
    two = L.Conv2D(3, 1, dtype=dtype, name="two", bias_initializer="ones")(one)
    return keras.Model(inputs, operation(one, two))


def alone(layer):
    return {name: value for name, value in vars(layer).items() if name not in ("name", "inputs")}


@pytest.mark.parametrize("name", READ)
def test_read_as_the_layer_it_is(name, tmp_path):
    operation, expected = READ[name]
    model = model_with(operation)
    found = read(model)
    assert type(found.spec.layers[-1]) is type(expected)
    assert alone(found.spec.layers[-1]) == alone(expected)
    assert bridge.convert(model, tmp_path / "model.npz").passed
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 2)).astype("float32")
    for ending in ("keras", "h5"):
        of_file = read(save(model, tmp_path / f"model.{ending}"))
        assert of_file.spec.layers == found.spec.layers
        np.testing.assert_array_equal(of_file.predict(x), found.predict(x))


@pytest.mark.parametrize("name", ["x * (1/6)", "x / 7", "3 - x", "clip", "leaky relu"])
def test_numbers_keep_their_digits_in_float64(name):
    model = model_with(READ[name][0], "float64")
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 2))
    found = read(model)
    ours = NumpyModel(found.spec, dtype="float64", weights=found.weights)
    # Slopes are float32 numbers to TensorFlow
    np.testing.assert_allclose(ours.predict(x), np.asarray(model(x)), atol=1e-13, rtol=2e-7 if "relu" in name else 0)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name, tmp_path):
    operation, message = REFUSED[name]
    model = model_with(operation)
    with pytest.raises(ValueError, match=message):
        read(model)
    if name not in ("constant", "slice"):  # Keras writes objects for these
        model.save(tmp_path / "model.keras")
        with pytest.raises(ValueError, match=message):
            read(tmp_path / "model.keras")


ONES = {"use_bias": False, "kernel_initializer": "ones"}

ADVISED = {
    "sum of places": (lambda x, y: ops.sum(y, axis=(1, 2)), lambda x, y: ops.mean(y, axis=(1, 2)) * 12),
    "sum of channels": (lambda x, y: ops.sum(y, axis=-1, keepdims=True), lambda x, y: L.Dense(1, **ONES)(y)),
    "minimum of places": (lambda x, y: ops.min(y, axis=(1, 2)), lambda x, y: -ops.max(-y, axis=(1, 2))),
    "dot": (
        lambda x, y: L.Dot(1)([L.Flatten()(x), L.Flatten()(y)]),
        lambda x, y: L.Dense(1, **ONES)(L.Multiply()([L.Flatten()(x), L.Flatten()(y)])),
    ),
    "vector": (
        lambda x, y: (y - np.array([1.0, 2.0, 3.0], "float32")) / np.array([2.0, 4.0, 8.0], "float32"),
        lambda x, y: L.Rescaling([0.5, 0.25, 0.125], [-0.5, -0.5, -0.375])(y),
    ),
}


@pytest.mark.parametrize("name", ADVISED)
def test_what_a_refusal_advises_computes_the_same_and_is_read(name):
    refused, advised = (model_with(operation) for operation in ADVISED[name])
    advised.set_weights([*refused.get_weights(), *advised.get_weights()[len(refused.get_weights()) :]])
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 2)).astype("float32")
    np.testing.assert_allclose(read(advised).predict(x), np.asarray(refused(x)), rtol=1e-4, atol=1e-5)


def changed(path, change):
    """The file with another configuration of its operation."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    configuration = json.loads(members["config.json"])
    change(configuration["config"]["layers"][-1])
    members["config.json"] = json.dumps(configuration).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda entry: entry.update(class_name="Arange", registered_name="Arange"),
            "'add.*' .Arange.: this operation is not supported",
        ),
        (lambda entry: entry.update(module="keras.src.ops.image"), "is not supported"),
        (lambda entry: entry.update(registered_name="mine>Add"), "only Keras' own are read"),
        (lambda entry: entry["inbound_nodes"][0]["args"].append({"class_name": "eval"}), "called on"),
        (lambda entry: entry["inbound_nodes"][0]["args"].append(1.0), "something else than the outputs of layers"),
        (lambda entry: entry["inbound_nodes"].append({}), "called 2 times"),
        (lambda entry: entry["inbound_nodes"][0].update(more=1), "nothing supported has"),
        (lambda entry: entry["config"].update(f={"class_name": "eval"}), "holds an object"),
    ],
)
def test_files_of_operations_that_are_not_read(change, message, tmp_path):
    model_with(READ["x + y"][0]).save(tmp_path / "model.keras")
    changed(tmp_path / "model.keras", change)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "model.keras")


def test_squeeze_and_excite_and_layer_scale_as_in_applications(tmp_path):
    """MobileNetV3 and ConvNeXt are built so: hard sigmoid by operations, a factor for each channel, a dropped path."""
    convnext = keras.src.applications.convnext
    inputs = keras.Input((6, 6, 4))
    x = L.Conv2D(4, 3, padding="same")(inputs)
    gate = L.Conv2D(4, 1)(L.GlobalAveragePooling2D(keepdims=True)(x))
    x = L.Multiply()([x, L.ReLU(6.0)(gate + 3.0) * (1.0 / 6.0)])
    scaled = convnext.StochasticDepth(0.1)(convnext.LayerScale(0.5, 4)(L.Dense(4, activation="gelu")(x)))
    model = keras.Model(inputs, L.GlobalAveragePooling2D()(x + scaled))
    scale = next(layer for layer in model.layers if isinstance(layer, convnext.LayerScale))
    scale.gamma.assign([0.5, -1.0, 2.0, 0.1])
    certificate = bridge.convert(model, tmp_path / "model.npz")
    assert certificate.passed, str(certificate)
    assert "StochasticDepth" in str(certificate)
    assert [layer.name for layer in read(model).spec.layers if isinstance(layer, ms.DepthwiseConv2D)] == [scale.name]
    model.save(tmp_path / "model.keras")
    assert read(tmp_path / "model.keras").spec.layers == read(model).spec.layers


def test_an_operation_that_computes_something_else_is_seen(monkeypatch, tmp_path):
    """The certificate judges the operation itself, not the layer that stands for it."""
    from keras_models.reading import operations

    wrong = operations._elementwise(L.Add, lambda number, first: (L.Rescaling, {"scale": 1.0, "offset": number + 1e-3}))
    monkeypatch.setitem(operations._OPERATIONS, "Add", wrong)
    certificate = bridge.convert(model_with(READ["x + 3"][0]), tmp_path / "model.npz")
    assert not certificate.passed
    assert certificate.failing[0].tensor.startswith("add")
