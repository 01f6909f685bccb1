"""What a certificate is worth: inputs that reach the units, dead layers said, slices that change nothing."""

import tracemalloc

import keras
import numpy as np
import pytest

import core_numpy
from bridge import conversion
from bridge.conversion import certificate
from bridge.conversion.drawn_inputs import draw, draw_for
from bridge.conversion.memory import bytes_of_one
from core_numpy import NumpyModel
from keras_models import KerasModel, read
from model_spec import BatchNormalization, Conv2D, Dense, Flatten, ModelSpec, Rescaling, weight_files, zoo

L = keras.layers


def far_off(bias, units=16):
    """A network whose hidden units are all off for inputs in 0..1."""
    spec = ModelSpec("far", (8,), (Dense(units, activation="relu"), Dense(units, activation="relu"), Dense(2)))
    model = NumpyModel(spec)
    weights = model.weights
    for name in ("dense", "dense_1"):
        weights[f"{name}/kernel"] = np.abs(weights[f"{name}/kernel"])
        weights[f"{name}/bias"] += bias
    model.set_weights(weights)
    return model


@pytest.mark.parametrize("bias", [-4.0, -40.0, -400.0])
def test_inputs_are_drawn_that_reach_all_units(bias):
    model = far_off(bias)
    drawn = draw_for(model, 0, 64, 64)
    assert drawn.ranges[0] == "0..1"
    assert len(drawn.ranges) > 1
    outputs = model.activations(drawn.x)
    assert all((outputs[name] > 0).any(axis=0).all() for name in ("dense", "dense_1"))


def test_inputs_stay_as_they_are_where_they_reach_all_units():
    model = NumpyModel(ModelSpec("m", (4,), (Dense(3, activation="tanh"),)))
    drawn = draw_for(model, 5, 64, 64)
    assert drawn.ranges == ("0..1", "-1..1")
    np.testing.assert_array_equal(drawn.x[:32], draw(model.spec, 5, 32))
    assert drawn.x[32:].min() < -0.9


def test_negative_inputs_are_found():
    model = NumpyModel(ModelSpec("m", (4,), (Dense(3, activation="relu"),)))
    model.set_weights([-np.ones((4, 3)), np.zeros(3)])
    assert (model.activations(draw_for(model, 0, 64, 64).x)["dense"] > 0).any(axis=0).all()


def as_keras(model):
    built = KerasModel(model.spec)
    built.set_weights(model.weights)
    return built.keras_model


def test_dead_layers_are_said(tmp_path):
    given = np.random.default_rng(0).random((20, 8))
    # Inputs of one's own that reach nothing get others beside them
    joined = conversion.to_numpy(as_keras(far_off(-40.0)), tmp_path / "m.npz", samples=given)
    assert joined.samples == 20 + 64
    assert joined.drawn_from.startswith("given, which do not move dense, dense_1, dense_2, and 64 drawn with seed 0")
    assert joined.passed
    assert joined.vacuous == []
    # The first layer lives, the second does not
    model = far_off(-4.0)
    weights = model.weights
    weights["dense/bias"][:] = 0
    weights["dense_1/bias"][:] = -1e6
    # Not zero, and the same for every sample all the same
    weights["dense_2/bias"][:] = 3
    model.set_weights(weights)
    found = conversion.to_numpy(as_keras(model), tmp_path / "m.npz", samples=given)
    assert found.vacuous == ["dense_1", "dense_2", "prediction of the folded network"]
    assert "VACUOUS, the same for every sample: dense_1, dense_2, prediction" in str(found).splitlines()[0]
    kept = weight_files.read(tmp_path / "m.npz").meta["certificate"]
    assert kept["vacuous"] == found.vacuous
    assert kept["layers"]["dense_1"]["verdict"] == "VACUOUS"
    assert conversion.to_numpy(as_keras(far_off(-40.0)), tmp_path / "m.npz").vacuous == []


def test_units_that_stay_dead_are_counted(tmp_path):
    model = far_off(-4.0)
    weights = model.weights
    weights["dense/bias"][[2, 5]] = -1e9
    model.set_weights(weights)
    found = conversion.to_numpy(as_keras(model), tmp_path / "m.npz")
    assert found.unmoved == {"dense": (2, 16)}
    assert "units that no sample moves: dense 2 of 16" in str(found)


def test_moving_values_alone_proves_nothing(tmp_path):
    keras_model = keras.Sequential([keras.Input((2, 2, 1)), L.Flatten(), L.Dense(2, kernel_initializer="zeros")])
    assert conversion.to_numpy(keras_model, tmp_path / "m.npz").verdict == "NOTHING COMPARED"


def rows_of(found):
    return [(row.tensor, row.verdict, row.size, row.failing) for row in found.rows]


def test_slices_find_what_the_whole_finds(monkeypatch, tmp_path):
    model = KerasModel(zoo.build("bn_cnn", (8, 8, 1)), seed=2).keras_model
    given = np.random.default_rng(0).random((13, 8, 8, 1))
    whole = conversion.to_numpy(model, tmp_path / "m.npz", samples=given)
    per_example = certificate.MEMORY // certificate.slice_rows(NumpyModel(read(model).spec))
    monkeypatch.setattr(certificate, "MEMORY", 4 * per_example + 1)
    assert certificate.slice_rows(NumpyModel(read(model).spec)) == 4
    sliced = conversion.to_numpy(model, tmp_path / "s.npz", samples=given)
    assert [row[::2] for row in rows_of(sliced)] == [row[::2] for row in rows_of(whole)]
    assert sliced.passed
    assert sliced.worst.error_over_bound == pytest.approx(whole.worst.error_over_bound, rel=0.5)
    assert core_numpy.verify(tmp_path / "s.npz").passed


@pytest.mark.parametrize(
    "layer",
    [
        L.Conv2D(16, 3, padding="same"),
        L.Conv2D(16, 5, padding="same", groups=8),
        L.DepthwiseConv2D(3, padding="same"),
        L.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
        L.SeparableConv2D(16, 3, padding="same"),
        L.Conv2DTranspose(8, 3, padding="same"),
        L.MaxPooling2D(3, 1),
        L.Reshape((-1,)),
    ],
    ids=lambda layer: layer.name,
)
def test_the_memory_of_one_example_is_foreseen(layer):
    theirs = read(keras.Sequential([keras.Input((16, 16, 32)), layer, L.Flatten(), L.Dense(2)]))
    ours = NumpyModel(theirs.spec, weights=theirs.weights, engine="reference")
    x = np.random.default_rng(0).random((8, 16, 16, 32), np.float32)
    comparison = certificate._Comparison(ours, theirs, x, len(x))
    comparison.compare(slice(0, 1))
    tracemalloc.start()
    comparison.compare(slice(0, len(x)))
    taken = tracemalloc.get_traced_memory()[1] / len(x)
    tracemalloc.stop()
    assert taken / 2 < bytes_of_one(ours) < 2 * taken


def test_a_fault_in_one_slice_is_found_where_it_is(monkeypatch, tmp_path):
    model = KerasModel(ModelSpec("m", (4,), (Dense(3, activation="tanh"),))).keras_model
    monkeypatch.setattr(certificate, "slice_rows", lambda model: 4)
    theirs = read(model)
    right = type(theirs).activations

    def wrong(self, x, *options, **more):
        found = right(self, x, *options, **more)
        return {"dense": np.where(x[:, :1] > 0.999, found["dense"] + 1, found["dense"])}

    monkeypatch.setattr(type(theirs), "activations", wrong)
    x = np.random.default_rng(0).random((13, 4)) * 0.9
    x[9, 0] = 1
    found = conversion.to_numpy(model, tmp_path / "m.npz", samples=x)
    assert not found.passed
    assert found.rows[0].verdict == "BUG"
    assert found.rows[0].index[0] == 9
    assert found.rows[0].failing == 3


def test_large_networks_get_few_inputs(monkeypatch, tmp_path):
    monkeypatch.setattr(certificate, "MEMORY", 1 << 16)
    spec = ModelSpec("m", (16, 16, 1), (Conv2D(8, 3, activation="relu"), Flatten(), Dense(2)))
    found = conversion.to_numpy(KerasModel(spec).keras_model, tmp_path / "m.npz")
    assert found.samples == certificate.FEWEST
    assert "as many as a network of this size leaves memory for, not 64" in str(found)


# Integer inputs


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool", "float16"])
def test_inputs_are_cast_as_keras_casts_them(dtype, tmp_path):
    keras_model = keras.Sequential(
        [keras.Input((4, 4, 1), dtype=dtype), L.Rescaling(1 / 255), L.Flatten(), L.Dense(3, activation="softmax")]
    )
    assert conversion.to_numpy(keras_model, tmp_path / "m.npz").passed
    model = core_numpy.load(tmp_path / "m.npz")
    assert model.spec.input_dtype == dtype
    x = np.random.default_rng(0).random((6, 4, 4, 1)) * 250
    np.testing.assert_allclose(model.predict(x), keras_model.predict(x, verbose=0), atol=1e-6)
    # Keras casts them to something else than the numbers themselves
    plain = ModelSpec("m", model.spec.input_shape, model.spec.layers)
    other = NumpyModel(plain, weights=model.weights).predict(x)
    assert not np.allclose(other, model.predict(x), atol=1e-6)
    assert conversion.to_keras(tmp_path / "m.npz", tmp_path / "m.keras").passed
    assert keras.models.load_model(tmp_path / "m.keras").inputs[0].dtype == dtype


@pytest.mark.parametrize(("value", "words"), [(300, "got 300 at [0, 0]"), (-1, "got -1 at [0, 0]")])
def test_what_the_type_does_not_reach_is_refused(value, words):
    spec = ModelSpec("m", (2,), (Dense(2),), "uint8")
    for model in (NumpyModel(spec), KerasModel(spec)):
        with pytest.raises(ValueError, match=r"x must lie in 0\.\.255") as refusal:
            model.predict([[value, 0]])
        assert words in str(refusal.value)
        # What is cut off lies in the range
        model.predict([[255.9, -0.9]])


def test_an_unknown_input_type_is_refused():
    with pytest.raises(ValueError, match="input_dtype must be one of"):
        ModelSpec("m", (2,), (Dense(2),), "complex64")


def test_a_network_with_statistics_gets_inputs_like_those_it_was_trained_on():
    spec = ModelSpec("m", (4, 4, 1), (BatchNormalization(), Flatten(), Dense(2)))
    model = NumpyModel(spec)
    weights = model.weights
    weights["batch_normalization/moving_mean"][:] = 100
    assert draw(spec, 0, weights=weights).max() > 200
    assert draw(ModelSpec("m", (4, 4, 1), (Rescaling(1 / 255), Flatten())), 0).max() > 200
