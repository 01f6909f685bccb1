"""Callbacks do on both backends what Keras' own do."""

import keras
import numpy as np
import pytest

from bridge.lockstep.training import deviation
from core_numpy import NumpyModel
from keras_models import KerasModel
from model_spec import Adam, EpochHook, ModelCheckpoint, ReduceLROnPlateau, TrainingSpec, schedules, zoo

SPEC = zoo.mlp((8, 8, 1))


class Rate:
    """A model that has a learning rate and nothing else."""

    learning_rate = 1.0


def rates_of(callback, series):
    model, rates = Rate(), []
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(series):
        callback.on_epoch_end(epoch, {"val_loss": value})
        rates.append(float(model.learning_rate))
    return rates


def keras_rates(options, series):
    callback = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", **options | {"mode": "min"})
    model, rates = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]), []
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse")
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(series):
        callback.on_epoch_end(epoch, {"val_loss": value})
        rates.append(float(model.optimizer.learning_rate))
    return rates


# Keras' own callback converts a variable in a way that NumPy 2 warns about
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_plateau_reduces_as_keras_does_on_random_series():
    random = np.random.default_rng(5)
    reduced = 0
    for _ in range(40):
        options = {
            "factor": float(random.choice([0.1, 0.5])),
            "patience": int(random.integers(0, 4)),
            "min_delta": float(random.choice([0, 0.1, 1e-4])),
            "cooldown": int(random.integers(0, 4)),
            "min_lr": float(random.choice([0, 0.05])),
        }
        series = [float(value) for value in np.round(random.uniform(0, 1, 25), 1)]
        ours = rates_of(ReduceLROnPlateau(**options), series)
        assert ours == pytest.approx(keras_rates(options, series), rel=1e-5), (options, series)
        reduced += ours[-1] < 1
    assert reduced > 30


@pytest.mark.parametrize("kind", [NumpyModel, KerasModel])
def test_plateau_changes_the_rate_of_a_run(kind, digits):
    model, seen = kind(SPEC), []
    callbacks = [ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=10.0)]
    callbacks.append(EpochHook(lambda trained, epoch, logs: seen.append(round(trained.learning_rate, 6))))
    model.fit(*digits, TrainingSpec(optimizer=Adam(0.008), epochs=4), callbacks=callbacks, verbose=0)
    assert seen == [0.008, 0.004, 0.002, 0.001]


@pytest.mark.parametrize("kind", [NumpyModel, KerasModel])
def test_a_scheduled_rate_cannot_be_set(kind, digits):
    model = kind(SPEC)
    with pytest.raises(ValueError, match="no training was started; call start_training"):
        model.learning_rate = 0.1
    model.start_training(TrainingSpec(optimizer=Adam(schedules.CosineDecay(0.1, 10))))
    with pytest.raises(ValueError, match="the learning rate follows CosineDecay"):
        model.learning_rate = 0.1


@pytest.mark.parametrize(("kind", "ending"), [(NumpyModel, "npz"), (KerasModel, "weights.h5")])
def test_checkpoint_keeps_the_best_weights(kind, ending, digits, tmp_path):
    model, kept = kind(SPEC), []
    path = tmp_path / f"best.{ending}"
    callbacks = [
        ModelCheckpoint(path, "loss", save_best_only=True, mode="max"),
        ModelCheckpoint(str(tmp_path / ("epoch{epoch}." + ending)), "loss"),
        EpochHook(lambda trained, epoch, logs: kept.append(trained.weights)),
    ]
    model.fit(*digits, TrainingSpec(epochs=3), callbacks=callbacks, verbose=0)
    fresh = kind(SPEC, seed=9)
    # With the direction turned round, the first epoch's falling loss is never beaten
    fresh.load_weights(path)
    assert all(np.array_equal(fresh.weights[name], kept[0][name]) for name in kept[0])
    fresh.load_weights(tmp_path / f"epoch3.{ending}")
    assert all(np.array_equal(fresh.weights[name], kept[2][name]) for name in kept[2])


@pytest.mark.parametrize("kind", [NumpyModel, KerasModel])
def test_a_callback_that_watches_what_is_not_reported_says_so(kind, digits):
    with pytest.raises(ValueError, match="ReduceLROnPlateau watches 'val_loss', this run reports loss, accuracy"):
        kind(SPEC).fit(*digits, TrainingSpec(), callbacks=[ReduceLROnPlateau()], verbose=0)


def test_weighted_training_agrees(digits):
    x, y = digits
    for weights in ({"sample_weight": np.linspace(0.1, 2, len(x))}, {"class_weight": {3: 2.5, 1: 0.0}}):
        models = [kind(SPEC, seed=2, dtype="float64") for kind in (NumpyModel, KerasModel)]
        histories = [
            model.fit(x, y, TrainingSpec(epochs=3, batch_size=5, seed=1), verbose=0, **weights) for model in models
        ]
        first, second = (model.weights for model in models)
        for name in first:
            assert deviation(first[name], second[name], 0.001) < 1e-9
        assert histories[0].history["loss"] == pytest.approx(histories[1].history["loss"], rel=1e-9)
        assert histories[0].history["accuracy"] == pytest.approx(histories[1].history["accuracy"])
