"""`crosscheck predict` says what the outputs of a network mean, and scales pictures as the network wants them."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from benchmarks import cli
from benchmarks.predictions import interpret
from core_numpy import NumpyModel
from core_numpy.input_range import input_range
from model_spec import (
    Activation,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    ModelSpec,
    Rescaling,
    Reshape,
    ZeroPadding2D,
    weight_files,
)
from model_spec.losses import BinaryCrossentropy, CategoricalCrossentropy, MeanSquaredError
from model_spec.serialization import to_dict
from model_spec.training import TrainingSpec

LOGITS = np.array([[2.0, -1.0, 0.5], [-3.0, -2.0, 1.0]], np.float32)
P = 1 / (1 + np.exp(-LOGITS))
SHARES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)


def ending(*layers, shape=(4,)):
    return ModelSpec("m", shape, layers)


# The network, its outputs, the loss: the kind and the classes
KINDS = [
    (ending(Dense(3, activation="softmax")), SHARES, None, "classes", [0, 2]),
    (ending(Dense(3, activation="softmax"), Dropout(0.5)), SHARES, None, "classes", [0, 2]),
    (ending(Dense(1, activation="sigmoid")), np.array([[0.4], [0.6]]), None, "binary", [0, 1]),
    (ending(Dense(1), Activation("sigmoid")), np.array([[0.5], [0.51]]), None, "binary", [0, 1]),
    (ending(Dense(3, activation="sigmoid")), P, None, "labels", [[1, 0, 1], [0, 0, 1]]),
    (ending(Dense(3, activation="sigmoid")), P, CategoricalCrossentropy(), "classes", [0, 2]),
    (ending(Dense(3)), LOGITS, None, "values", None),
    (ending(Dense(3)), LOGITS, MeanSquaredError(), "values", None),
    (ending(Dense(3)), LOGITS, CategoricalCrossentropy(from_logits=False), "values", None),
    (ending(Dense(3)), LOGITS, CategoricalCrossentropy(from_logits=True), "classes", [0, 2]),
    (ending(Dense(1)), LOGITS[:, :1], BinaryCrossentropy(from_logits=True), "binary", [1, 0]),
    (ending(Dense(3)), LOGITS, BinaryCrossentropy(from_logits=True), "labels", [[1, 0, 1], [0, 0, 1]]),
    (ending(Dense(1, activation="softmax")), np.ones((2, 1)), None, "values", None),
    (ending(Dense(3, activation="tanh")), np.tanh(LOGITS), None, "values", None),
    (ending(Dense(3, activation="softmax"), BatchNormalization()), LOGITS, None, "values", None),
    (
        ending(Conv2D(3, 1, activation="softmax"), GlobalAveragePooling2D(), shape=(2, 2, 1)),
        SHARES,
        None,
        "classes",
        [0, 2],
    ),
    (ending(Conv2D(3, 1, activation="softmax"), Flatten(), shape=(1, 1, 1)), SHARES, None, "values", None),
    (
        ending(Conv2D(3, 1, activation="softmax"), shape=(1, 1, 1)),
        SHARES[:, None, None],
        None,
        "class map",
        [[[0]], [[2]]],
    ),
    (ending(Conv2D(3, 1, activation="sigmoid"), shape=(1, 1, 1)), P[:, None, None], None, "array", None),
]


@pytest.mark.parametrize(("spec", "outputs", "loss", "kind", "classes"), KINDS)
def test_the_meaning_of_outputs(spec, outputs, loss, kind, classes):
    found = interpret(spec, outputs, loss)
    assert found.kind == kind
    assert (None if found.classes is None else found.classes.tolist()) == classes
    assert len(found.lines(3)) == 2
    if kind == "binary":
        np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    if loss is not None and getattr(loss, "from_logits", False) and kind == "classes":
        np.testing.assert_allclose(found.probabilities, SHARES, rtol=1e-6)


def test_outputs_that_overflow_are_no_answer():
    with pytest.raises(ValueError, match="the network gives nan for input 1"):
        interpret(ending(Dense(2, activation="softmax")), np.array([[0.5, 0.5], [np.nan, np.nan]]))


# Layers in front, and the largest input they are made for
RANGES = [
    ((Rescaling(1 / 255),), 255),
    ((Rescaling(1 / 127.5, -1),), 255),
    ((Rescaling([1 / 229], [-2.1]),), 255),
    ((ZeroPadding2D(1), Rescaling(1 / 255)), 255),
    ((Dropout(0.1), Rescaling(1 / 16), Rescaling(1 / 16)), 255),
    ((Rescaling(1 / 65535),), 65535),
    ((Rescaling(2.0, -1),), 1),
    ((Conv2D(2, 1), Rescaling(1 / 255)), 1),
    ((BatchNormalization(),), 1),
    ((), 1),
]


@pytest.mark.parametrize(("layers", "largest"), RANGES)
def test_the_range_a_network_is_made_for(layers, largest):
    spec = ending(*layers, Flatten(), Dense(2), shape=(4, 4, 1))
    assert input_range(spec, NumpyModel(spec).weights).largest == largest


@pytest.mark.parametrize(("mean", "variance", "largest"), [(33.0, 6000.0, 255), (0.13, 0.09, 1), (0.0, 1.0, 1)])
def test_a_first_batch_normalization_knows_what_it_was_trained_on(mean, variance, largest):
    spec = ending(BatchNormalization(), Flatten(), Dense(2), shape=(4, 4, 1))
    weights = NumpyModel(spec).weights
    weights["batch_normalization/moving_mean"][:] = mean
    weights["batch_normalization/moving_variance"][:] = variance
    assert input_range(spec, weights).largest == largest


def test_whole_number_inputs_are_pixels():
    assert input_range(ModelSpec("m", (4,), (Dense(2),), "uint8")).largest == 255
    assert input_range(ModelSpec("m", (4,), (Dense(2),), "bool")).largest == 1


# The command


def saved(path, spec, **training):
    model = NumpyModel(spec, seed=3)
    if training:
        model.compiled_as = to_dict(TrainingSpec(**training))
    model.save_weights(path)
    return model


def said(capsys, *arguments):
    assert cli.main(["predict", *(str(argument) for argument in arguments)]) == 0
    return capsys.readouterr().out


PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6), np.uint8)


@pytest.mark.parametrize(
    ("shape", "layers", "divisor"),
    [
        ((4, 6), (), 255),
        ((24,), (), 255),
        ((24,), (Reshape((4, 6, 1)),), 255),
        ((4, 6, 1), (ZeroPadding2D(1), Rescaling(1 / 255)), 1),
        ((4, 6, 3), (), 255),
    ],
)
def test_pictures_for_every_shape_of_inputs(shape, layers, divisor, tmp_path, capsys):
    model = saved(tmp_path / "m.npz", ending(*layers, Flatten(), Dense(3, activation="softmax"), shape=shape))
    Image.fromarray(PIXELS).save(tmp_path / "p.png")
    entry = json.loads(said(capsys, tmp_path / "m.npz", tmp_path / "p.png", "--json"))
    x = np.repeat(PIXELS[..., None], 3, -1) if shape[-1] == 3 else PIXELS
    np.testing.assert_allclose(entry["outputs"], model.predict(x.reshape(1, *shape) / divisor), rtol=1e-6)
    assert entry["inputs"]["divided_by"] == divisor


def test_divide_by_overrides(tmp_path, capsys):
    model = saved(tmp_path / "m.npz", ending(Rescaling(1 / 255), Flatten(), Dense(3), shape=(4, 6, 1)))
    Image.fromarray(PIXELS).save(tmp_path / "p.png")
    entry = json.loads(said(capsys, tmp_path / "m.npz", tmp_path / "p.png", "--json", "--divide-by", "51"))
    np.testing.assert_allclose(entry["values"], model.predict(PIXELS[None, ..., None] / 51), rtol=1e-6)


@pytest.mark.parametrize("as_flat", [False, True])
def test_arrays_of_npy_files(as_flat, tmp_path, capsys):
    x = np.random.default_rng(1).random((5, 4, 6))
    spec = ending(Flatten(), Dense(1, activation="sigmoid"), shape=(24,) if as_flat else (4, 6, 1))
    model = saved(tmp_path / "m.npz", spec)
    np.save(tmp_path / "x.npy", x)
    out = said(capsys, tmp_path / "m.npz", tmp_path / "x.npy", "--limit", "3")
    p = model.predict(x[:3].reshape(3, *spec.input_shape))[:, 0]
    expected = [f"{at}: class {int(v > 0.5)}, p {v:.4f}, 1 - p {1 - v:.4f}" for at, v in enumerate(p)]
    assert out.splitlines()[-3:] == expected


def test_no_rows_are_no_answer_and_no_error(tmp_path, capsys):
    saved(tmp_path / "m.npz", ending(Dense(2, activation="softmax")))
    np.save(tmp_path / "x.npy", np.zeros((0, 4)))
    assert "no inputs" in said(capsys, tmp_path / "m.npz", tmp_path / "x.npy")
    assert json.loads(said(capsys, tmp_path / "m.npz", tmp_path / "x.npy", "--json"))["classes"] == []


def test_logits_of_a_compiled_model_are_classes(tmp_path, capsys):
    spec = ending(Dense(3))
    saved(tmp_path / "m.npz", spec, loss=CategoricalCrossentropy(from_logits=True))
    np.save(tmp_path / "x.npy", np.ones((1, 4)))
    out = said(capsys, tmp_path / "m.npz", tmp_path / "x.npy")
    assert "compiled with cross-entropy from logits" in out
    assert "0: class " in out


def test_images_are_written(tmp_path, capsys):
    model = saved(tmp_path / "m.npz", ending(Conv2D(1, 3, padding="same", activation="sigmoid"), shape=(4, 6, 1)))
    Image.fromarray(PIXELS).save(tmp_path / "p.png")
    expected = model.predict(PIXELS[None, ..., None] / 255)
    out = said(capsys, tmp_path / "m.npz", tmp_path / "p.png", "--output", tmp_path / "out.npz")
    assert out.splitlines()[-1].startswith("0: 4 x 6 x 1, from ")
    np.testing.assert_allclose(np.load(tmp_path / "out.npz")["outputs"], expected, rtol=1e-6)
    said(capsys, tmp_path / "m.npz", tmp_path / "p.png", "--output", tmp_path / "out.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), np.rint(expected[0, ..., 0] * 255))


def test_an_existing_file_is_written_anew(tmp_path, capsys):
    saved(tmp_path / "m.npz", ending(Dense(3)))
    for rows in (1, 2):
        np.save(tmp_path / "x.npy", np.ones((rows, 4)))
        said(capsys, tmp_path / "m.npz", tmp_path / "x.npy", "--output", tmp_path / "out.npz")
    assert len(np.load(tmp_path / "out.npz")["outputs"]) == 2


def test_fractions_for_a_network_of_whole_numbers_are_said(tmp_path, capsys):
    saved(tmp_path / "m.npz", ModelSpec("m", (4,), (Dense(3),), "uint8"))
    np.save(tmp_path / "x.npy", np.linspace(0, 1, 8).reshape(2, 4))
    assert "cuts its inputs to whole numbers (uint8)" in said(capsys, tmp_path / "m.npz", tmp_path / "x.npy")
    out = said(capsys, tmp_path / "m.npz", tmp_path / "x.npy", "--divide-by", "0.003922")
    assert "cuts its inputs" not in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["y.npz"], "it holds y; name the array with the inputs x"),
        (["small.png"], "is 3 x 3 pixels (height x width), wanted are 4 x 6"),
        (["nan.npy"], "x contains NaN"),
        (["text.npy"], "x must hold numbers"),
        (["object.npy"], "object.npy cannot be read as inputs"),
        (["cut.npy"], "cut.npy cannot be read as inputs"),
        (["wide.npy"], "x must have shape (examples, *(4, 6, 1))"),
        (["x.npy", "--output", "o.png"], "are no picture"),
        (["x.npy", "--output", "o.xyz"], "are no picture"),
        (["x.npy", "--output", "none/o.npz"], "no folder none to write o.npz into"),
        (["bomb.npz"], "claims to unpack"),
        (["raw.npz"], "raw.npz cannot be read as inputs: x is no array as NumPy writes it; save it with np.savez(x="),
        (["h.h5"], "h.h5 is a file of "),
        (["x.npy", "--output", "m.npz"], "m.npz would be overwritten, and this command reads it; give --output anothe"),
        (["x.npy", "--output", "./x.npy"], "x.npy would be overwritten"),
    ],
)
def test_bad_inputs(arguments, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "m.npz", ending(Flatten(), Dense(3), shape=(4, 6, 1)))
    Image.fromarray(PIXELS[:3, :3]).save("small.png")
    np.save("x.npy", np.zeros((1, 4, 6)))
    np.savez("y.npz", y=np.zeros((1, 4, 6)))
    np.save("nan.npy", np.full((1, 4, 6, 1), np.nan))
    np.save("text.npy", np.full((1, 4, 6, 1), "a"))
    np.save("object.npy", np.array([None]), allow_pickle=True)
    np.save("wide.npy", np.zeros((1, 4, 7, 1)))
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000,), }"
    tmp_path.joinpath("cut.npy").write_bytes(
        b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n"
    )
    with zipfile.ZipFile("raw.npz", "w") as archive:
        archive.writestr("x", b"1 2 3")
    tmp_path.joinpath("h.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    if arguments == ["bomb.npz"]:
        np.savez_compressed("bomb.npz", x=np.zeros((1 << 29), np.uint8))
    assert cli.main(["predict", "m.npz", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.glob("o.*"))


def test_several_inputs_come_from_one_file(tmp_path, capsys):
    layers = (Concatenate(inputs=("a", "b")), Dense(3, activation="softmax"))
    model = saved(tmp_path / "m.npz", ModelSpec("m", {"a": (2,), "b": (3,)}, layers))
    x = {"a": np.random.default_rng(0).random((4, 2)), "b": np.random.default_rng(1).random((4, 3))}
    np.savez(tmp_path / "x.npz", **x)
    entry = json.loads(said(capsys, tmp_path / "m.npz", tmp_path / "x.npz", "--json", "--limit", "2"))
    np.testing.assert_allclose(entry["outputs"], model.predict({name: part[:2] for name, part in x.items()}), rtol=1e-6)
    np.save(tmp_path / "x.npy", x["a"])
    assert cli.main(["predict", str(tmp_path / "m.npz"), str(tmp_path / "x.npy")]) == 2
    assert "give an .npz file with an array for each: a, b" in capsys.readouterr().err


@pytest.mark.parametrize("divisor", ["0", "nan", "inf", "x"])
def test_a_divisor_is_a_number(divisor, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["predict", "m.npz", "x.npy", "--divide-by", divisor])
    assert "--divide-by: must be a " in capsys.readouterr().err


def test_a_model_file_keeps_what_it_was_compiled_with(tmp_path):
    import core_numpy

    saved(tmp_path / "m.npz", ending(Dense(3)), loss=CategoricalCrossentropy(from_logits=True), optimizer="sgd")
    model = core_numpy.load(tmp_path / "m.npz")
    assert model.loss == CategoricalCrossentropy(from_logits=True)
    assert model.compiled == TrainingSpec(loss=CategoricalCrossentropy(from_logits=True), optimizer="sgd")
    model.save_weights(tmp_path / "again.npz")
    assert weight_files.read(tmp_path / "again.npz").meta["training"] == model.compiled_as
