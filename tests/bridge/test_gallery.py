"""Models as other people write them are converted with a certificate and back to Keras, or refused by name."""

import io
from zipfile import ZipFile

import h5py
import keras
import numpy as np
import pytest

import core_numpy
from bridge.conversion import certify, to_keras, to_numpy
from core_numpy.verification import verify
from keras_models import read
from keras_models.runtime import without_tracing_warnings
from tests.bridge import gallery

CONVERTED = {name: model for name, model in gallery.MODELS.items() if model.refused is None}
REFUSED = {name: model for name, model in gallery.MODELS.items() if model.refused is not None}


def test_the_list():
    assert len(gallery.MODELS) == 60
    assert len(CONVERTED) >= 57


def with_values(model):
    """The model with random values in all that training changes, the same ones each time."""
    random = np.random.default_rng(5)
    for variable in [*model.trainable_variables, *model.non_trainable_variables]:
        if variable.name in ("moving_variance", "gamma"):
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        elif variable.name.endswith("kernel"):
            variable.assign(random.normal(0, np.sqrt(2 / np.prod(variable.shape[:-1])), variable.shape))
        elif variable.name in ("bias", "beta", "moving_mean"):
            variable.assign(random.normal(0, 0.2, variable.shape))
    return model


def weights_in(model):
    """The bytes of all variables a model computes with, in no order: back in Keras nested models are one."""
    own = [variable for variable in model.variables if variable.name not in ("count", "seed_generator_state")]
    return sorted(variable.numpy().tobytes() for variable in own)


def weights_in_file(path):
    """The same from a .keras file."""
    found = []

    def keep(name, entry):
        if isinstance(entry, h5py.Dataset) and entry.dtype == np.float32:
            found.append(entry[()].tobytes())

    with ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(keep)
    return sorted(found)


@pytest.mark.parametrize("name", CONVERTED)
def test_converted_and_back(name, tmp_path):
    model = with_values(CONVERTED[name].build())
    shapes = model.input_shape if isinstance(model.input_shape, list) else [model.input_shape]
    x = [np.random.default_rng(1).random((3, *shape[1:])).astype("float32") for shape in shapes]
    x = x if len(x) > 1 else x[0]
    with without_tracing_warnings():
        certificate = to_numpy(model, tmp_path / "model.npz")
        back = to_keras(tmp_path / "model.npz", tmp_path / "back.keras", samples=x)
    assert certificate.passed, str(certificate)
    assert back.passed, str(back)
    assert 0 <= certificate.worst.error_over_bound < 1
    # NumPy alone gives what Keras gave, within the bound, on the inputs kept in the file
    assert verify(tmp_path / "model.npz").passed
    assert weights_in_file(tmp_path / "back.keras") == weights_in(model)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name, tmp_path):
    with without_tracing_warnings(), pytest.raises(ValueError, match=REFUSED[name].refused):
        to_numpy(REFUSED[name].build(), tmp_path / "model.npz")
    assert not (tmp_path / "model.npz").exists()


def test_an_output_is_converted_alone(tmp_path):
    model = with_values(CONVERTED["actor critic"].build())
    for output in model.outputs:
        with without_tracing_warnings():
            assert to_numpy(keras.Model(model.input, output), tmp_path / "model.npz").passed


def test_the_bound_sees_a_weight_that_is_off(tmp_path):
    """The comparison above can fail: one weight of one branch, off by one part in ten thousand."""
    model = with_values(CONVERTED["toy resnet"].build())
    with without_tracing_warnings():
        certificate = to_numpy(model, tmp_path / "model.npz")
        convolution = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
        kernel = convolution.kernel.numpy()
        kernel[0, 0, 0, 0] *= 1.0001
        convolution.kernel.assign(kernel)
        assert certificate.passed
        assert not certify(core_numpy.load(tmp_path / "model.npz"), read(model), None, 0, {}).passed
