"""Models whose inputs are of any size are read for the shape that is given, from memory and from files."""

import re

import keras
import numpy as np
import pytest

from benchmarks.cli import main
from bridge import convert
from core_numpy import load
from core_numpy.verification import verify
from keras_models import read
from keras_models.runtime import without_tracing_warnings
from tests.keras_models.test_read_files import save

L = keras.layers


def images():
    inputs = keras.Input((None, None, 3), name="image")
    x = L.Conv2D(4, 3, strides=2, padding="same", activation="relu")(L.Rescaling(1 / 255)(inputs))
    x = L.Add()([L.DepthwiseConv2D(3, padding="same")(x), x])
    return keras.Model(inputs, L.Dense(3)(L.GlobalAveragePooling2D()(L.BatchNormalization()(x))))


def steps():
    return keras.Sequential([keras.Input((None, 2)), L.Conv1D(3, 3), L.GlobalMaxPooling1D(), L.Dense(2)])


def row():
    return keras.Sequential([keras.Input((None,)), L.Rescaling(2.0), L.Activation("tanh")])


def several():
    image, sound = keras.Input((None, None, 1), name="image"), keras.Input((None, 2), name="sound")
    tags = keras.Input((4,), name="tags")
    seen, heard = L.GlobalMaxPooling2D()(L.Conv2D(2, 3)(image)), L.GlobalMaxPooling1D()(L.Conv1D(2, 3)(sound))
    return keras.Model([image, sound, tags], L.Dense(2)(L.concatenate([seen, heard, tags])))


MODELS = {
    "images": (images, (11, 9, 3), r"\(None, None, 3\)"),
    "steps": (steps, (12, 2), r"\(None, 2\)"),
    "row": (row, (5,), r"\(None,\)"),
    "several": (several, {"image": (7, 6, 1), "sound": (8, 2)}, r"\(None, None, 1\) for 'image'"),
    "several in order": (several, [(7, 6, 1), (8, 2), (4,)], r"\(None, 2\) for 'sound'"),
}


@pytest.mark.parametrize("source", ["memory", "keras", "h5"])
@pytest.mark.parametrize("name", MODELS)
def test_read_for_one_shape(name, source, tmp_path):
    build, shape, said = MODELS[name]
    model = build()
    shapes = [*shape.values(), (4,)] if isinstance(shape, dict) else shape if isinstance(shape, list) else [shape]
    x = [np.random.default_rng(1).random((3, *sizes), np.float32) for sizes in shapes]
    x = x[0] if len(x) == 1 else x
    with without_tracing_warnings():
        given = model if source == "memory" else save(model, tmp_path / f"model.{source}")
        certificate = convert(given, tmp_path / "model.npz", input_shape=shape)
        expected = model.predict(x, verbose=0)
    assert certificate.passed, str(certificate)
    facts = certificate.to_dict()
    assert re.search(f"any size, .*{said}.* for .* alone", " ".join(facts["not_kept"]))
    found = facts["input_shape"]
    assert found == list(shape) if len(shapes) == 1 else list(found.values()) == [list(sizes) for sizes in shapes]
    assert verify(tmp_path / "model.npz").passed
    np.testing.assert_allclose(load(tmp_path / "model.npz").predict(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("source", ["memory", "keras", "h5"])
@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("images", None, r"takes inputs of any size, \(None, None, 3\); say .* input_shape=\(64, 64, 3\), on the"),
        ("images", None, "--input-shape 64,64,3"),
        ("steps", (None, 2), r"must be an integer of at least 1, got None"),
        ("steps", (12, 3), r"takes \(None, 2\), which \(12, 3\) does not fit"),
        ("steps", (12,), "does not fit"),
        ("several", None, r"input_shape=\{'image': \(64, 64, 1\)\}, .*--input-shape image=64,64,1"),
        ("several", {"image": (7, 7, 1)}, r"input_shape=\{'sound': \(32, 2\)\}"),
        ("several", {"picture": (7, 7, 1)}, "has no input 'picture'; it has image, sound, "),
        ("several", (7, 7, 1, 1), "has 3 inputs, .*give input_shape as a dict"),
    ],
)
def test_what_is_missing_is_said(name, shape, said, source, tmp_path):
    given = MODELS[name][0]()
    if source != "memory":
        with without_tracing_warnings():
            given = save(given, tmp_path / f"model.{source}")
    with pytest.raises(ValueError, match=said):
        read(given, input_shape=shape)


def test_known_sizes_have_to_be_right():
    model = keras.Sequential([keras.Input((4,)), L.Dense(2)])
    assert read(model, input_shape=(4,)).notes == ()
    with pytest.raises(ValueError, match=r"takes \(4,\), which \(5,\) does not fit"):
        read(model, input_shape=(5,))


def test_layers_that_are_refused_anyway_are_named_first():
    words = keras.Input((None,))
    model = keras.Model(words, L.Dense(1)(L.LSTM(2)(L.Embedding(10, 3)(words))))
    with pytest.raises(ValueError, match="Embedding"):
        read(model)


def test_on_the_command_line(tmp_path, capsys):
    with without_tracing_warnings():
        path = save(images(), tmp_path / "model.keras")
        assert main(["convert", str(path), str(tmp_path / "model.npz"), "--input-shape", "11,9,3"]) == 0
    assert "judged for (11, 9, 3) alone" in capsys.readouterr().out
    assert load(tmp_path / "model.npz").spec.input_shape == (11, 9, 3)
    with without_tracing_warnings():
        path = save(several(), tmp_path / "several.keras")
        shapes = ["--input-shape", "image=7,6,1", "--input-shape", "sound=8,2"]
        assert main(["convert", str(path), str(tmp_path / "several.npz"), *shapes]) == 0
    assert main(["convert", str(path), str(tmp_path / "new.npz"), "--input-shape", "7,6,1", *shapes]) == 2
    assert "name the inputs" in capsys.readouterr().err
