"""Models of all supported layers are read from files as they are read from memory, in both formats, of Keras 2 too."""

import copy
import json
import warnings

import h5py
import keras
import numpy as np
import pytest

from keras_models import KerasModel, read
from keras_models.runtime import without_tracing_warnings
from model_spec import Conv2D, Dense, Flatten, ModelSpec, limits
from tests.keras_models import test_read

layers = keras.layers


def save(model, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)
    return path


def assert_equal(found, expected):
    assert found.spec.layers == expected.spec.layers
    assert found.spec.input_shape == expected.spec.input_shape
    assert found.dtype == expected.dtype
    for name, value in expected.weights.items():
        np.testing.assert_array_equal(found.weights[name], value)


@pytest.mark.parametrize("ending", ["keras", "h5", "hdf5"])
def test_all_layers_and_options(ending, tmp_path):
    with without_tracing_warnings():
        for number, (layer, _) in enumerate(test_read.READ):
            model = test_read.on_its_input(layer)
            path = save(model, tmp_path / f"{number}.{ending}")
            assert_equal(read(path), read(model))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_a_rescaling_for_each_channel_keeps_its_digits(kind, dtype, tmp_path):
    numbers = [1 / 229, 1 / 224, 0.3]
    model = test_read.sequential(layers.Rescaling(kind(numbers), kind([0.1, 0.7, 1.0]), dtype=dtype), shape=(4, 4, 3))
    found = read(model)
    for ending in ("keras", "h5"):
        assert_equal(read(save(model, tmp_path / f"model.{ending}")), found)
    # Keras takes a list through float32, an array as it is
    kept = numbers if dtype == "float32" or kind is np.array else np.float32(numbers).tolist()
    assert found.spec.layers[0].scale == tuple(kept)
    # A specification keeps all digits
    built = KerasModel(found.spec, dtype=dtype).keras_model
    assert read(save(built, tmp_path / "built.keras")).spec.layers == found.spec.layers


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_networks(ending, tmp_path, every_layer):
    inputs = keras.Input((6, 6, 1))
    part = keras.Sequential([keras.Input((4, 4, 3)), layers.BatchNormalization(), layers.Flatten()], name="part")
    inner = keras.Input((48,))
    other = keras.Model(inner, layers.Dense(5, name="a")(layers.Dropout(0.5)(inner, training=False)), name="other")
    functional = keras.Model(inputs, layers.Softmax()(other(part(layers.Conv2D(3, 3, activation="elu")(inputs)))))
    unbuilt = keras.Sequential([layers.Flatten(), layers.Dense(2)])
    unbuilt.build((None, 3, 3))
    first = test_read.sequential(
        layers.Conv2D(3, 3, data_format="channels_first"),
        layers.Flatten(data_format="channels_first"),
        layers.Dense(2),
        shape=(1, 5, 6),
    )
    step = KerasModel(ModelSpec("step", (4,), (Dense(3, activation="step"), Dense(2)))).keras_model
    whole = KerasModel(every_layer).keras_model
    for model in (functional, unbuilt, first, step, whole):
        path = save(model, tmp_path / f"model.{ending}")
        # Keras keeps penalties in float32 and writes them so
        assert_equal(read(path), read(keras.saving.load_model(path, compile=False)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_precisions(dtype, tmp_path):
    model = KerasModel(ModelSpec("one", (4, 4, 1), (Conv2D(2, 3), Flatten(), Dense(3))), dtype=dtype).keras_model
    assert read(save(model, tmp_path / "model.keras")).dtype == dtype


OLD = {
    "class_name": "Sequential",
    "config": {
        "name": "old",
        "layers": [
            {
                "class_name": "InputLayer",
                "config": {
                    "batch_input_shape": [None, 4],
                    "dtype": "float32",
                    "sparse": False,
                    "ragged": False,
                    "name": "i",
                },
            },
            {
                "module": "keras.layers",
                "class_name": "Dense",
                "config": {
                    "name": "block/dense",
                    "trainable": True,
                    "dtype": "float32",
                    "batch_input_shape": {"class_name": "__tuple__", "items": [None, 4]},
                    "units": 3,
                    "activation": "linear",
                    "kernel_initializer": {
                        "class_name": "GlorotUniform",
                        "config": {"seed": None},
                        "shared_object_id": 1,
                    },
                },
                "registered_name": None,
            },
            {"class_name": "LeakyReLU", "config": {"name": "leaky", "alpha": 0.2}},
            {"class_name": "BatchNormalization", "config": {"name": "norm", "axis": [1], "epsilon": 0.01}},
        ],
    },
}


def test_files_of_keras_2(tmp_path):
    new = test_read.sequential(
        layers.Dense(3), layers.LeakyReLU(negative_slope=0.2), layers.BatchNormalization(epsilon=0.01), shape=(4,)
    )
    path = save(new, tmp_path / "old.h5")
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps(OLD)
    found, expected = read(path), read(new)
    assert [layer.name for layer in found.spec.layers] == ["block__dense", "leaky", "norm"]
    assert [layer.describe() for layer in found.spec.layers] == [layer.describe() for layer in expected.spec.layers]
    for mine, other in zip(found.weights.values(), expected.weights.values(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_shape_without_its_batch_axis_is_not_taken_for_one_with_it(tmp_path):
    old = copy.deepcopy(OLD)
    old["config"]["layers"][1]["config"]["input_shape"] = [7, 4]
    path = save(test_read.sequential(layers.Dense(3), shape=(4,)), tmp_path / "old.h5")
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps(old)
    with pytest.raises(ValueError, match=r"'block/dense'.*input_shape=\[7, 4\] is not supported"):
        read(path)


def test_weights_in_files_of_any_name(tmp_path):
    spec = ModelSpec("one", (4,), (Dense(3), Dense(2)))
    model = KerasModel(spec, seed=5)
    expected = read(model.keras_model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.keras_model.save_weights(tmp_path / "a.weights.h5")
    content = (tmp_path / "a.weights.h5").read_bytes()
    for name in ("weights.h5", "my_weights.h5", "b.h5", "b.hdf5"):
        (tmp_path / name).write_bytes(content)
        assert_equal(read(tmp_path / name, spec=spec), expected)
    for ending in ("keras", "h5", "hdf5"):
        assert_equal(read(save(model.keras_model, tmp_path / f"whole.{ending}"), spec=spec), expected)
    with pytest.raises(ValueError, match="weights.h5 holds weights only; give the network they belong to with spec="):
        read(tmp_path / "weights.h5")
    with pytest.raises(ValueError, match="b.h5 .*it holds weights only; give the network with spec="):
        read(tmp_path / "b.h5")
    with pytest.raises(
        ValueError, match="b.h5 cannot be loaded into this network.*4 weight arrays, this network has 2"
    ):
        read(tmp_path / "b.h5", spec=ModelSpec("one", (4,), (Dense(3),)))


def test_larger_bounds_are_taken_in_python(tmp_path):
    path = save(test_read.sequential(layers.Dense(30), shape=(20,)), tmp_path / "model.keras")
    small = limits.Limits(variables=500)
    with pytest.raises(ValueError, match="most of it 'dense.*/kernel', 2.344 KiB; from a file at most 1.953 KiB"):
        read(path, bounds=small)
    assert read(path, bounds=limits.Limits(variables=630)).spec.parameter_count == 630
    assert read(path, bounds=None).spec.parameter_count == 630
