"""What a Keras user types first works on both backends, and means the same."""

import numpy as np
import pytest

from core_numpy import NumpyModel, load
from keras_models import KerasModel
from keras_models.runtime import keras
from model_spec import ModelSpec, TrainingSpec, losses, zoo
from model_spec.layers import BatchNormalization, Dense, Dropout, Flatten

SPEC = zoo.mlp((8, 8, 1))
X = np.random.default_rng(0).random((64, 8, 8, 1), np.float32)
Y = np.arange(64) % 10
both = pytest.mark.parametrize("kind", [NumpyModel, KerasModel])


@both
def test_fit_takes_single_options(kind):
    asked = kind(SPEC, seed=1).fit(X, Y, epochs=3, batch_size=16, verbose=0, callbacks=None)
    written = kind(SPEC, seed=1).fit(X, Y, TrainingSpec(epochs=3, batch_size=16), verbose=0)
    assert asked.history == written.history
    assert len(asked.history["loss"]) == 3
    with pytest.raises(ValueError, match="unknown training option epoch .*; known are batch_size"):
        kind(SPEC).fit(X, Y, epoch=2)
    with pytest.raises(ValueError, match=r"got 'adam'; write TrainingSpec\(epochs=3\), or give its fields by name"):
        kind(SPEC).fit(X, Y, "adam")


@both
def test_compile_says_how_fit_trains(kind):
    compiled, told = kind(SPEC, seed=1), kind(SPEC, seed=1)
    compiled.compile("sgd", "mse", metrics=["accuracy"])
    rows = np.eye(10)[Y]
    assert "accuracy" not in compiled.evaluate(X, rows)
    first = compiled.fit(X, rows, epochs=2, verbose=0)
    assert first.history == told.fit(X, rows, TrainingSpec("sgd", "mse", epochs=2), verbose=0).history
    # What is said at the call goes before
    other = compiled.fit(X, Y, loss="sparse_categorical_crossentropy", verbose=0)
    assert "accuracy" in other.history
    assert compiled.compiled == TrainingSpec("sgd", "mse")
    with pytest.raises(ValueError, match=r'metrics must be \["accuracy"\] or None, got \[\'auc\'\]'):
        compiled.compile(metrics=["auc"])


def test_the_compiled_loss_is_kept_in_the_file(tmp_path):
    model = NumpyModel(SPEC)
    model.compile("rmsprop", "mse")
    model.save(tmp_path / "m.npz")
    again = load(tmp_path / "m.npz")
    assert again.compiled == TrainingSpec("rmsprop", "mse")
    assert np.array_equal(again.predict(X), model.predict(X))


def test_a_keras_model_is_saved_whole(tmp_path):
    model = KerasModel(SPEC)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", compile=False)
    assert np.array_equal(loaded.predict(X, verbose=0), model.predict(X))
    with pytest.raises(ValueError, match=r"name the file m\.keras"):
        model.save(tmp_path / "m.npz")


@both
def test_calling_counting_and_printing(kind, capsys):
    layers = (
        Flatten(),
        Dense(6, activation="relu"),
        BatchNormalization(),
        Dropout(0.5),
        Dense(3, activation="softmax"),
    )
    model = kind(ModelSpec("small", (8, 8, 1), layers), seed=2)
    assert np.array_equal(model(X), model.predict(X, verbose=0))
    training = model(X, training=True)
    assert training.shape == (64, 3)
    assert not np.array_equal(training, model(X))
    assert [layer.name for layer in model.layers] == ["flatten", "dense", "batch_normalization", "dropout", "dense_1"]
    # Moving statistics count, as in Keras
    assert model.count_params() == KerasModel(model.spec).keras_model.count_params() == 65 * 6 + 4 * 6 + 7 * 3
    model.summary()
    assert capsys.readouterr().out == model.spec.summary() + "\n"
    assert model.evaluate(X, Y % 3, verbose=0, batch_size=8).keys() == {"loss", "accuracy"}


@pytest.mark.parametrize(
    "name",
    [
        *("mse", "MSE", "MeanSquaredError", "bce", "BinaryCrossentropy", "CategoricalCrossentropy"),
        *("mae", "MAE", "MeanAbsoluteError", "huber", "LogCosh", "log_cosh", "kld", "KLD", "KLDivergence"),
        *("Hinge", "hinge", "SquaredHinge", "squared_hinge", "CategoricalHinge", "categorical_hinge"),
    ],
)
def test_losses_by_the_names_keras_knows(name):
    theirs = keras.losses.get(name)
    known = getattr(theirs, "__name__", "") or theirs.name
    assert losses.get(name) == losses.get(known)


def test_huber_by_its_class():
    """Keras calls its object huber_loss."""
    assert losses.get("Huber") == losses.get("huber") == losses.Huber(1.0)
