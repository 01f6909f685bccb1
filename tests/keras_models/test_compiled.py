"""What a Keras model was compiled with is kept where it can be said, and what cannot is named."""

import warnings
from types import FunctionType

import keras
import numpy as np
import pytest

import core_numpy
from bridge.conversion import to_keras, to_numpy
from core_numpy import NumpyModel
from keras_models import KerasModel
from keras_models.reading.compiled import compiled
from model_spec import (
    SGD,
    Activation,
    Adam,
    AdamW,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    ModelSpec,
    RMSprop,
    TrainingSpec,
    losses,
)
from model_spec.losses import BinaryCrossentropy, CategoricalCrossentropy, MeanSquaredError
from model_spec.outputs import final_activation
from model_spec.schedules import CosineDecay, InverseTimeDecay, PolynomialDecay

CROSS = keras.losses.CategoricalCrossentropy
SPARSE = keras.losses.SparseCategoricalCrossentropy

# What is given to compile; what is kept, and whether targets are one-hot rows
KEPT = [
    (("adam", "sparse_categorical_crossentropy"), Adam(), CategoricalCrossentropy(from_logits=False), False),
    (("sgd", SPARSE(from_logits=True)), SGD(), CategoricalCrossentropy(from_logits=True), False),
    (
        (keras.optimizers.Adam(3e-4, beta_1=0.8), CROSS(label_smoothing=0.1)),
        Adam(3e-4, beta_1=0.8),
        CategoricalCrossentropy(from_logits=False, label_smoothing=0.1),
        True,
    ),
    (
        (keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True), "binary_crossentropy"),
        SGD(0.1, 0.9, True),
        BinaryCrossentropy(from_logits=False),
        True,
    ),
    (("rmsprop", "mse"), RMSprop(), MeanSquaredError(), True),
    (
        (keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.0, 50, 0.1, "c", 0.3, 7), clipvalue=0.5), "mae"),
        SGD(CosineDecay(0.0, 50, 0.1, 0.3, 7), clipvalue=0.5),
        losses.MeanAbsoluteError(),
        True,
    ),
    (
        (keras.optimizers.SGD(keras.optimizers.schedules.PolynomialDecay(0.1, 5, cycle=True)), "mae"),
        SGD(PolynomialDecay(0.1, 5, cycle=True)),
        losses.MeanAbsoluteError(),
        True,
    ),
    (
        (keras.optimizers.SGD(keras.optimizers.schedules.InverseTimeDecay(0.1, 5, 0.5)), "mae"),
        SGD(InverseTimeDecay(0.1, 5, 0.5)),
        losses.MeanAbsoluteError(),
        True,
    ),
    (("adam", "huber"), Adam(), losses.Huber(), True),
    (("adam", "mae"), Adam(), losses.MeanAbsoluteError(), True),
    (("adam", keras.losses.LogCosh()), Adam(), losses.LogCosh(), True),
    (("adam", keras.losses.squared_hinge), Adam(), losses.SquaredHinge(), True),
    (("adam", {"dense": "mse"}), Adam(), MeanSquaredError(), True),
    (("adam", [keras.losses.MeanSquaredError()]), Adam(), MeanSquaredError(), True),
    (("adam", "KLDivergence"), Adam(), losses.KLDivergence(), True),
    ((keras.optimizers.AdamW(0.01), keras.losses.MeanSquaredError()), AdamW(0.01), MeanSquaredError(), True),
    (
        (keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 50)), keras.losses.mean_squared_error),
        Adam(CosineDecay(0.1, 50)),
        MeanSquaredError(),
        True,
    ),
]


def linear(units=3):
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, name="dense")])


@pytest.mark.parametrize("ending", [None, ".keras", ".h5"])
@pytest.mark.parametrize(("arguments", "optimizer", "loss", "one_hot"), KEPT)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_loss_and_optimizer_are_kept(arguments, optimizer, loss, one_hot, ending, tmp_path):
    model = linear()
    model.compile(*arguments)
    source = model
    if ending:
        source = tmp_path / f"m{ending}"
        model.save(source)
    found = compiled(source, model)
    # A file has no more than the name of a function, and HDF5 no more than names
    assert all("by name alone; Keras' own of that name is taken" in note for note in found.notes)
    assert bool(found.notes) == (ending == ".h5" or (ending == ".keras" and isinstance(arguments[1], FunctionType)))
    assert found.training == TrainingSpec(loss=loss, optimizer=optimizer)
    assert found.one_hot_targets == one_hot


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_delta_of_huber_that_keras_files_do_not_keep(tmp_path):
    model = linear()
    model.compile("adam", keras.losses.Huber(0.3))
    model.save(tmp_path / "m.keras")
    found = compiled(model, model)
    assert found.training.loss == losses.Huber(0.3)
    assert found.notes == ()
    found = compiled(tmp_path / "m.keras", None)
    assert found.training.loss == losses.Huber()
    assert "do not keep the delta" in found.notes[0]
    to_numpy(model, tmp_path / "m.npz")
    assert "do not keep the delta" in str(to_keras(tmp_path / "m.npz", tmp_path / "back.keras"))


class Own:
    """Somebody's own losses, optimizers and schedules under names of Keras."""

    def mse(self, predicted):
        return 10 * keras.ops.mean(keras.ops.abs(self - predicted), axis=-1)

    def mean_squared_error(self, predicted):
        return Own.mse(self, predicted)

    class MeanSquaredError(keras.losses.Loss):
        def call(self, true, predicted):
            return Own.mse(true, predicted)

    @keras.saving.register_keras_serializable(package="mine")
    class Huber(keras.losses.Huber):
        def call(self, true, predicted):
            return Own.mse(true, predicted)

    class SGD(keras.optimizers.SGD):
        def update_step(self, gradient, variable, learning_rate):
            variable.assign_add(gradient)

    class CosineDecay(keras.optimizers.schedules.CosineDecay):
        def __call__(self, step):
            return 0.5

    class Schedule(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.5


BY_SCHEDULE = [
    (keras.optimizers.schedules.CosineDecayRestarts(0.1, 5), "its schedule CosineDecayRestarts cannot be said; supp"),
    (Own.CosineDecay(0.1, 5), "its schedule CosineDecay cannot be said; it is not Keras' own"),
    (Own.Schedule(), "its schedule Schedule cannot be said; it is not Keras' own"),
]
NOT_KEPT = [
    (("adam", "poisson"), "the compiled loss poisson is not kept", "mk5"),
    (("adam", lambda y, p: p), "the compiled loss <lambda> is not kept: it is not Keras' own", "m"),
    (("lion", "mse"), "the optimizer Lion is not kept", "mk5"),
    ((keras.optimizers.SGD(use_ema=True), "mse"), "use_ema is not supported", "mk5"),
    (("adam", SPARSE(ignore_class=0)), "ignore_class", "mk5"),
    (("adam", CROSS(reduction="sum")), "its reduction is sum", "mk5"),
    *(
        ((keras.optimizers.SGD(rule), "mse"), f"the optimizer SGD is not kept: {why}", "m" if at == 2 else "mk5")
        for at, (rule, why) in enumerate(BY_SCHEDULE)
    ),
    (("sgd", "nonsense"), "the compiled loss nonsense is not kept: supported are", "m"),
    (
        ("sgd", Own.mse),
        "the compiled loss mse is not kept: it is not Keras' own; training on takes cross-entropy unless",
        "mk",
    ),
    (("sgd", Own.mse), "the file has the loss mse and the optimizer SGD by name alone", "5"),
    (("sgd", Own.mean_squared_error), "the compiled loss mean_squared_error is not kept: it is not Keras' own", "m"),
    (("sgd", Own.mean_squared_error), "the file has the loss mean_squared_error by name alone", "k"),
    (("sgd", Own.MeanSquaredError()), "the compiled loss MeanSquaredError is not kept: it is not Keras' own", "mk"),
    (("sgd", Own.MeanSquaredError()), "the loss MeanSquaredError and the optimizer SGD by name alone", "5"),
    (("sgd", Own.Huber()), "Huber is not kept: it is not Keras' own", "mk5"),
    ((Own.SGD(), "mse"), "the optimizer SGD is not kept: it is not Keras' own; training on takes adam", "mk"),
    ((Own.SGD(), "mse"), "the loss mse and the optimizer SGD by name alone", "5"),
    (("sgd", "mse", [3.0]), "the compiled loss_weights=[3.0] are not kept", "mk5"),
    (("sgd", "mse", {"dense": 0.5}), "the compiled loss_weights={'dense': 0.5} are not kept", "mk5"),
]


@pytest.mark.parametrize(
    ("arguments", "note", "ending"),
    [
        (arguments, note, {"m": None, "k": ".keras", "5": ".h5"}[letter])
        for arguments, note, letters in NOT_KEPT
        for letter in letters
    ],
)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_what_is_not_kept_is_said(arguments, note, ending, tmp_path):
    model = linear()
    model.compile(*arguments)
    source = model
    if ending:
        source = tmp_path / f"m{ending}"
        model.save(source)
    certificate = to_numpy(source, tmp_path / "m.npz")
    assert certificate.passed
    assert note in "; ".join(certificate.notes)
    assert note in str(certificate)
    if "the optimizer" in note and "not kept" in note:
        # What can be said of the loss is kept all the same
        assert core_numpy.load(tmp_path / "m.npz").compiled.loss == MeanSquaredError()


@pytest.mark.parametrize("ending", [None, ".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_that_an_optimizer_begins_afresh_is_said(ending, tmp_path):
    model = linear()
    model.compile("adam", "mse")
    model.fit(np.ones((8, 4)), np.ones((8, 3)), batch_size=4, verbose=0)
    source = model
    if ending:
        source = tmp_path / f"m{ending}"
        model.save(source)
    note = "what the optimizer has gathered (steps taken: 2) is not kept: training on begins with a fresh one"
    assert note in to_numpy(source, tmp_path / "m.npz").notes


def test_a_model_that_was_not_compiled_keeps_nothing(tmp_path):
    assert to_numpy(linear(), tmp_path / "m.npz").notes == ()
    assert core_numpy.load(tmp_path / "m.npz").compiled is None


def test_training_goes_on_with_the_loss_of_the_file(tmp_path):
    model = linear()
    model.compile(keras.optimizers.SGD(0.5), SPARSE(from_logits=True))
    to_numpy(model, tmp_path / "m.npz")
    x, y = np.random.default_rng(0).random((16, 4)), np.arange(16) % 3
    loaded = core_numpy.load(tmp_path / "m.npz")
    assert loaded.evaluate(x, y)["loss"] == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)
    loaded.fit(x, y, loaded.compiled, epochs=1, batch_size=16, verbose=0)
    model.fit(x, y, batch_size=16, verbose=0)
    np.testing.assert_allclose(loaded.weights["dense/kernel"], model.layers[0].kernel.numpy(), atol=1e-6)
    # A run that names no loss takes the same
    again = core_numpy.load(tmp_path / "m.npz")
    again.fit(x, y, TrainingSpec(optimizer=SGD(0.5), batch_size=16), verbose=0)
    np.testing.assert_array_equal(again.weights["dense/kernel"], loaded.weights["dense/kernel"])


def test_loss_and_optimizer_come_back_to_keras(tmp_path):
    model = linear()
    model.compile(keras.optimizers.SGD(0.5, momentum=0.5), CROSS(from_logits=True))
    to_numpy(model, tmp_path / "m.npz")
    to_keras(tmp_path / "m.npz", tmp_path / "m.keras")
    back = keras.models.load_model(tmp_path / "m.keras")
    assert back.loss.from_logits
    assert type(back.loss) is CROSS
    assert float(back.optimizer.momentum) == 0.5


# Logits where probabilities are expected

ENDINGS = [
    ((Dense(3),), "linear"),
    ((Dense(3, activation="softmax"),), "softmax"),
    ((Dense(3), Activation("softmax")), "softmax"),
    ((Dense(3, activation="softmax"), Activation("linear")), "softmax"),
    ((Dense(3, activation="softmax"), BatchNormalization()), "linear"),
    ((Dense(3, activation="sigmoid"),), "sigmoid"),
]


# Both ask the same function; Keras compiles anew for every loss
@pytest.mark.parametrize(
    ("layers", "last", "backend"),
    [(*ending, NumpyModel) for ending in ENDINGS] + [(*ending, KerasModel) for ending in ENDINGS[:2]],
)
def test_a_linear_output_under_cross_entropy_warns(layers, last, backend):
    spec = ModelSpec("m", (4,), layers)
    assert final_activation(spec) == last
    model = backend(spec)
    x, y = np.ones((4, 4)), np.array([0, 1, 2, 0])
    calls = {
        loss: lambda loss=loss: model.fit(x, y, TrainingSpec(loss=loss), verbose=0)
        for loss in (None, "categorical_crossentropy", CategoricalCrossentropy())
    } | {"evaluate": lambda: model.evaluate(x, y)}
    for call in calls.values():
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always", UserWarning)
            call()
        assert [item.filename for item in found] == ([__file__] if last == "linear" else [])
    # Asked for by name
    for from_logits in (True, False):
        model.fit(x, y, TrainingSpec(loss=CategoricalCrossentropy(from_logits=from_logits)), verbose=0)
        model.evaluate(x, y)


def test_binary_cross_entropy_warns_too():
    model = NumpyModel(ModelSpec("m", (4,), (Dense(1),)))
    with pytest.warns(UserWarning, match="BinaryCrossentropy takes the output of model 'm' for probabilities"):
        model.fit(np.ones((2, 4)), [0, 1], TrainingSpec(loss="binary_crossentropy"), verbose=0)


def test_an_average_of_probabilities_is_one():
    spec = ModelSpec("m", (4, 4, 1), (Conv2D(3, 3, activation="softmax"), GlobalAveragePooling2D()))
    assert final_activation(spec) == "softmax"
    assert final_activation(ModelSpec("m", (4,), (Flatten(),))) == "none"


def test_losses_by_a_dict_are_told_as_what_they_are(tmp_path):
    x = keras.Input((4,))
    model = keras.Model(x, [keras.layers.Dense(2, name="kind")(x), keras.layers.Dense(1, name="size")(x)])
    model.compile(loss={"kind": "mse", "size": "mse"})
    note = "the compiled losses, one for each output, are not kept"
    assert note in to_numpy(model, tmp_path / "model.npz").notes
