"""The folded network gives the same outputs with fewer layers; a loaded model predicts by it until it is trained."""

import numpy as np
import pytest

import core_numpy
import model_spec as ms
from bridge import random_weights
from core_numpy import NumpyModel, WeightFileError
from core_numpy.folding import folded
from model_spec import weight_files, zoo

SPECS = {
    "behind convolution and dense": (
        (7, 6, 2),
        (
            ms.Conv2D(3, 3, use_bias=False),
            ms.BatchNormalization(),
            ms.Activation("relu"),
            ms.Dropout(0.3),
            ms.Flatten(),
            ms.Dense(5),
            ms.BatchNormalization(center=False, scale=False),
            ms.Dense(4, activation="softmax"),
        ),
        5,
    ),
    "twice": ((4,), (ms.Dense(3), ms.BatchNormalization(), ms.BatchNormalization(epsilon=0.1)), 1),
    "not behind an activation": ((4,), (ms.Dense(3, activation="relu"), ms.BatchNormalization(), ms.Dense(2)), 3),
    "not across a flattening": ((4, 4, 1), (ms.Conv2D(2, 3), ms.Flatten(), ms.BatchNormalization(), ms.Dense(2)), 4),
    "not in front": ((4, 4, 1), (ms.BatchNormalization(), ms.Conv2D(2, 3), ms.Flatten(), ms.Dense(2)), 4),
    "nothing left": ((4,), (ms.Dropout(0.2),), 1),
}


@pytest.mark.parametrize("name", SPECS)
def test_the_same_outputs_with_fewer_layers(name):
    shape, layers, count = SPECS[name]
    spec = ms.ModelSpec("folded", shape, layers)
    weights = random_weights(spec, 3)
    small, values = folded(spec, weights)
    assert len(small.layers) == count
    assert list(values) == list(small.variable_shapes)
    x = np.random.default_rng(0).normal(size=(5, *shape))
    outputs = []
    for network, variables in ((spec, weights), (small, values)):
        model = NumpyModel(network, dtype="float64")
        model.set_weights(variables)
        outputs.append(model.predict(x))
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-12, atol=1e-12)


def test_load_gives_the_model_that_was_saved(tmp_path):
    spec = zoo.build("bn_cnn", (8, 8, 1))
    saved = NumpyModel(spec, dtype="float64")
    saved.set_weights(random_weights(spec, 1))
    saved.save_weights(tmp_path / "model.npz")
    model = core_numpy.load(tmp_path / "model.npz")
    assert (model.spec, model.dtype) == (spec, "float64")
    x = np.random.default_rng(0).random((6, 8, 8, 1))
    np.testing.assert_allclose(model.predict(x), saved.predict(x), rtol=1e-12)
    assert len(model._folded.spec.layers) < len(spec.layers)


def test_training_on_leaves_the_folded_network(tmp_path):
    spec = zoo.build("bn_cnn", (8, 8, 1)).freeze("conv2d")
    NumpyModel(spec, dtype="float64").save_weights(tmp_path / "model.npz")
    random = np.random.default_rng(0)
    x, y = random.random((32, 8, 8, 1)), random.integers(0, 10, 32)
    models = [core_numpy.load(tmp_path / "model.npz"), NumpyModel(spec, dtype="float64")]
    models[1].set_weights(models[0].weights)
    before = models[0].weights
    for model in models:
        model.fit(x, y, ms.TrainingSpec(batch_size=8, epochs=2), verbose=0)
    np.testing.assert_array_equal(models[0].predict(x), models[1].predict(x))
    after = models[0].weights
    np.testing.assert_array_equal(before["conv2d/kernel"], after["conv2d/kernel"])
    assert (before["dense/kernel"] != after["dense/kernel"]).any()


@pytest.mark.parametrize("change", ["set_weights", "set_training_state"])
def test_a_changed_variable_leaves_the_folded_network(tmp_path, change):
    spec = zoo.build("bn_cnn", (8, 8, 1))
    NumpyModel(spec, dtype="float64").save_weights(tmp_path / "model.npz")
    model = core_numpy.load(tmp_path / "model.npz")
    x = np.random.default_rng(0).random((3, 8, 8, 1))
    before = model.predict(x)
    if change == "set_weights":
        model.set_weights(random_weights(spec, 2))
    else:
        state = model.training_state()
        model.set_training_state({name: value + 1 for name, value in state.items()})
    assert np.abs(model.predict(x) - before).max() > 1e-6


def test_a_file_without_a_model_is_refused(tmp_path):
    spec = zoo.build("mlp", (8, 8, 1))
    weights = NumpyModel(spec).weights
    weight_files.save(tmp_path / "no_dtype.npz", weights, spec, backend="numpy")
    with pytest.raises(WeightFileError, match="no_dtype.npz holds no model"):
        core_numpy.load(tmp_path / "no_dtype.npz")
    weight_files.save(tmp_path / "other.npz", weights, zoo.build("cnn", (8, 8, 1)), backend="numpy", dtype="float32")
    with pytest.raises(WeightFileError, match="other.npz holds no model"):
        core_numpy.load(tmp_path / "other.npz")
    with pytest.raises(WeightFileError, match="cannot be read"):
        core_numpy.load(tmp_path / "missing.npz")


def test_freezing_names_layers_that_exist():
    with pytest.raises(ValueError, match="no layer other; it has conv2d"):
        zoo.build("cnn", (8, 8, 1)).freeze("other")
