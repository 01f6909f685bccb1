"""Keras models are converted with a certificate, there and back; what differs is not written."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

import core_numpy
from benchmarks import cli
from bridge import compare_models, conversion, random_weights
from bridge.fuzzing import conversions as conversion_fuzz
from bridge.fuzzing.random_keras_models import random_keras_model
from core_numpy import NumpyModel
from keras_models import KerasModel, ReadModel, read
from keras_models.runtime import without_tracing_warnings
from keras_models.weight_files import save_model
from model_spec import Dense, Dropout, ModelSpec, weight_files, zoo


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A converted network: (directory, Keras model, certificate)."""
    directory = tmp_path_factory.mktemp("converted")
    built = KerasModel(zoo.build("bn_cnn", (8, 8, 1)))
    built.set_weights(random_weights(built.spec, 4))
    save_model(built.keras_model, directory / "model.keras")
    return directory, built, conversion.to_numpy(directory / "model.keras", directory / "model.npz")


def test_a_certificate_lies_in_the_file(small):
    directory, built, certificate = small
    assert certificate.passed
    assert 0 < certificate.worst.error_over_bound < 1
    kept = weight_files.read(directory / "model.npz").meta["certificate"]
    assert kept == json.loads(json.dumps(certificate.to_dict()))
    assert kept["verdict"] == "AGREE"
    assert kept["source"]["name"] == "model.keras"
    assert set(kept["layers"]) == {layer.name for layer in built.spec.layers} | {"prediction of the folded network"}
    assert str(certificate).startswith("AGREE: ")


def test_the_converted_model_predicts_the_same(small):
    directory, built, _ = small
    x = np.random.default_rng(0).random((9, 8, 8, 1)).astype("float32")
    np.testing.assert_allclose(core_numpy.load(directory / "model.npz").predict(x), built.predict(x), atol=1e-5)


def test_learned_slopes_are_converted_there_and_back(tmp_path):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6, 5, 2)),
            layers.Conv2D(3, 2),
            layers.PReLU("random_normal", shared_axes=[1, 2]),
            layers.BatchNormalization(),
            layers.PReLU("random_uniform"),
            layers.Flatten(),
            layers.Dense(3, "softmax"),
        ]
    )
    save_model(model, tmp_path / "model.keras")
    assert conversion.to_numpy(tmp_path / "model.keras", tmp_path / "model.npz").passed
    x = np.random.default_rng(0).normal(size=(9, 6, 5, 2)).astype("float32")
    np.testing.assert_allclose(core_numpy.load(tmp_path / "model.npz").predict(x), model.predict(x), atol=1e-6)
    assert conversion.to_keras(tmp_path / "model.npz", tmp_path / "back.keras").passed
    for own, value in zip(read(tmp_path / "back.keras").weights.values(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(own, value)


def test_back_to_keras_with_the_same_bits(small):
    directory, built, _ = small
    certificate = conversion.to_keras(directory / "model.npz", directory / "back.keras")
    assert certificate.passed
    again = read(directory / "back.keras")
    for name, value in built.weights.items():
        np.testing.assert_array_equal(again.weights[name], value)


def test_models_that_differ_are_not_written(small, tmp_path, monkeypatch):
    directory, built, _ = small
    right = ReadModel.activations

    def wrong(self, x, *options, **more):
        found = right(self, x, *options, **more)
        return {**found, "conv2d": found["conv2d"] * 1.001}

    monkeypatch.setattr(ReadModel, "activations", wrong)
    certificate = conversion.to_numpy(directory / "model.keras", tmp_path / "model.npz")
    assert not certificate.passed
    assert "conv2d: BUG" in str(certificate)
    assert not (tmp_path / "model.npz").exists()
    assert not conversion.to_keras(directory / "model.npz", tmp_path / "model.keras").passed
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_folding_is_not_certified(small, tmp_path, monkeypatch):
    directory, _, _ = small
    right = core_numpy.model.NumpyModel._infer
    monkeypatch.setattr(core_numpy.model.NumpyModel, "_infer", lambda *given: right(*given) * np.float32(1.0001))
    certificate = conversion.to_numpy(directory / "model.keras", tmp_path / "model.npz")
    assert [row.tensor for row in certificate.rows if not row.agrees] == ["prediction of the folded network"]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", conversion_fuzz.DTYPES)
def test_random_keras_models(seed, dtype, tmp_path):
    with without_tracing_warnings():
        found = conversion_fuzz.convert_random(seed, dtype, tmp_path)
    assert found.problem == ""
    assert found.largest < 1


def test_random_models_are_of_many_kinds():
    models = [random_keras_model(seed) for seed in range(12)]
    kinds = {type(layer).__name__ for model in models for layer in model.layers}
    assert {"Conv2D", "Dense", "Sequential"} <= kinds
    assert {type(model).__name__ for model in models} == {"Sequential", "Functional"}


def test_a_conversion_that_is_wrong_is_found(monkeypatch, tmp_path):
    right = weight_files.save

    def rounded(path, weights, *given, **facts):
        weights = {name: value.astype(np.float16).astype(value.dtype) for name, value in weights.items()}
        right(path, weights, *given, **facts)

    monkeypatch.setattr(weight_files, "save", rounded)
    # A certificate that knows its weights would refuse the file
    monkeypatch.setattr(weight_files, "fingerprints", lambda weights: {})
    campaign = conversion_fuzz.run(2, 0)
    # Converted back, both sides hold the same rounded weights: what is lost shows beside the first model only
    assert not campaign.passed
    assert campaign.lines()[0].startswith("DIFFER: 4 conversions")
    assert "came back with other bits" in campaign.lines()[2]


def test_a_read_model_with_dropout_is_compared_in_inference():
    built = KerasModel(ModelSpec("m", (4,), (Dense(3, activation="tanh"), Dropout(0.5), Dense(2))))
    original = read(built.keras_model)
    x = np.random.default_rng(0).random((5, 4))
    report = compare_models(NumpyModel(original.spec, weights=original.weights), original, x)
    assert report.passed
    assert {row.mode for row in report.rows} == {"inference"}
    assert report.left_out == ["training mode: which units a read model drops is not known"]
    assert "left out: training mode" in str(report)
    assert report.to_dict()["left_out"] == report.left_out


# The command


def test_convert_and_predict(small, tmp_path, capsys):
    directory, built, _ = small
    x = np.random.default_rng(2).random((5, 8, 8))
    np.savez(tmp_path / "images.npz", x=x)
    np.savez(tmp_path / "inputs.npz", x=x[..., None])
    assert cli.main(["convert", str(directory / "model.keras"), str(tmp_path / "m.npz"),
                     "--data", str(tmp_path / "inputs.npz")]) == 0  # fmt: skip
    assert "on 5 samples, given" in capsys.readouterr().out
    assert cli.main(["predict", str(tmp_path / "m.npz"), str(tmp_path / "images.npz"), "--top", "1"]) == 0
    classes = built.predict(x[..., None]).argmax(axis=1)
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[2]) for line in lines] == classes.tolist()
    assert cli.main(["predict", str(tmp_path / "m.npz"), str(tmp_path / "images.npz"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"] == classes.tolist()


def test_a_picture_is_scaled(small, tmp_path, capsys):
    from PIL import Image

    directory, built, _ = small
    pixels = np.random.default_rng(3).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "digit.png")
    assert cli.main(["predict", str(directory / "model.npz"), str(tmp_path / "digit.png"), "--json"]) == 0
    outputs = json.loads(capsys.readouterr().out)["outputs"]
    np.testing.assert_allclose(outputs, built.predict(pixels[None, ..., None] / 255), atol=1e-5)


def test_several_inputs_are_read_by_their_names(tmp_path, capsys):
    left, right = (keras.Input((6,), name=name) for name in ("left", "right"))
    model = keras.Model([left, right], keras.layers.Subtract(name="apart")([left, right]))
    model.save(tmp_path / "two.keras")
    random = np.random.default_rng(0)
    for name, second in (("right.npz", "right"), ("wrong.npz", "rigth")):
        np.savez(tmp_path / name, **{"left": random.random((9, 6)), second: random.random((9, 6))})
    command = ["convert", str(tmp_path / "two.keras"), str(tmp_path / "two.npz"), "--data"]
    assert cli.main([*command, str(tmp_path / "right.npz")]) == 0
    assert "on 9 samples, given" in capsys.readouterr().out
    assert cli.main([*command, str(tmp_path / "wrong.npz")]) == 2
    assert "x must have the inputs left, right, got left, rigth" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["convert", "{model}", "out.h5"], "written as .npz"),
        (["convert", "missing.keras", "out.npz"], "no such file"),
        (["convert", "{npz}", "out.h5"], "written as .keras"),
        (["convert", "{model}", "no-folder/out.npz"], "there is no folder no-folder; make it"),
        (["verify", "{model}"], "is a file of Keras', which needs TensorFlow; crosscheck convert"),
        (["predict", "missing.npz", "{npz}"], "missing.npz cannot be read"),
        (["predict", "{npz}", "missing.npz"], "no file missing.npz"),
        (["predict", "{npz}", "{npz}"], "name the array with the inputs x"),
        (["predict", "{npz}", "{model}"], "cannot be read as a picture"),
    ],
)
def test_bad_input_on_the_command_line(small, arguments, message, capsys):
    directory, _, _ = small
    names = {"model": directory / "model.keras", "npz": directory / "model.npz"}
    assert cli.main([argument.format(**names) for argument in arguments]) == 2
    assert message in capsys.readouterr().err


def test_loading_and_predicting_loads_nothing_but_numpy(small):
    directory, _, _ = small
    code = (
        "import sys, numpy as np, core_numpy\n"
        f"model = core_numpy.load({str(directory / 'model.npz')!r})\n"
        "model.predict(np.zeros((1, 8, 8, 1)))\n"
        "heavy = ('tensorflow', 'keras', 'scipy', 'sklearn', 'matplotlib', 'h5py', 'joblib')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "[]", run.stderr


def test_samples_fit_networks_that_scale_by_themselves():
    keras_model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()])
    spec = read(keras_model).spec
    assert conversion.draw(spec, 0).max() > 200
    assert conversion.draw(NumpyModel(zoo.mlp()).spec, 0).max() <= 1


def test_zeros_on_both_sides_certify_nothing(tmp_path):
    keras_model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, kernel_initializer="zeros")])
    certificate = conversion.to_numpy(keras_model, tmp_path / "zeros.npz")
    assert not certificate.failing
    assert not certificate.passed
    assert not (tmp_path / "zeros.npz").exists()


def test_a_file_whose_one_example_takes_too_much_memory_to_judge_is_refused(tmp_path):
    layers = [keras.layers.ZeroPadding2D(3000), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    save_model(keras.Sequential([keras.Input((4, 4, 1)), *layers]), tmp_path / "wide.keras")
    with pytest.raises(ValueError, match=r"wide\.keras: judging one example takes 4\.\d\d GiB"):
        conversion.to_numpy(tmp_path / "wide.keras", tmp_path / "wide.npz")
    assert not (tmp_path / "wide.npz").exists()


def test_a_layer_named_with_control_characters_is_refused(tmp_path):
    named = keras.layers.Dense(3, name="a\x1b[31m\nb")
    save_model(keras.Sequential([keras.Input((4,)), named]), tmp_path / "m.keras")
    with pytest.raises(ValueError, match="its name holds control characters; rename it") as caught:
        conversion.to_numpy(tmp_path / "m.keras", tmp_path / "m.npz")
    assert str(caught.value).isprintable()
