"""TrainingSpec, optimizers, schedules, losses and early stopping: defaults of Keras, and errors with the fix."""

import dataclasses

import pytest

import model_spec as ms
from model_spec import losses, optimizers, schedules


def test_names_become_objects():
    training = ms.TrainingSpec("sgd", "mean_squared_error")
    assert training.optimizer == ms.SGD(0.01)
    assert training.loss == losses.MeanSquaredError()
    assert ms.TrainingSpec().optimizer == ms.Adam(0.001)
    assert ms.TrainingSpec(loss="sparse_categorical_crossentropy").loss == losses.CategoricalCrossentropy()
    assert losses.get(None) == losses.CategoricalCrossentropy()


def test_replace_checks_again():
    training = ms.TrainingSpec(epochs=3, seed=4)
    assert training.replace(epochs=5, optimizer="adagrad") == ms.TrainingSpec("adagrad", epochs=5, seed=4)
    assert training.epochs == 3
    with pytest.raises(ValueError, match="unknown training option epoch .*; known are batch_size, "):
        training.replace(epoch=5)
    with pytest.raises(ValueError, match="batch_size must be an integer of at least 1, got 0"):
        training.replace(batch_size=0)


@pytest.mark.parametrize("name", sorted(optimizers.OPTIMIZERS))
def test_optimizer_defaults_are_those_of_keras(name):
    keras = pytest.importorskip("keras")
    ours, theirs = optimizers.OPTIMIZERS[name](), getattr(keras.optimizers, name)().get_config()
    compared = 0
    for item in dataclasses.fields(ours):
        expected = theirs[item.name]
        value = getattr(ours, item.name)
        assert value == (None if expected is None else pytest.approx(expected, rel=1e-6)), item.name
        compared += 1
    assert compared >= 5


def test_early_stopping_defaults_are_those_of_keras():
    keras = pytest.importorskip("keras")
    ours, theirs = ms.EarlyStopping(), keras.callbacks.EarlyStopping()
    for name in ("monitor", "min_delta", "patience", "baseline", "restore_best_weights", "start_from_epoch"):
        assert getattr(ours, name) == getattr(theirs, name), name


@pytest.mark.parametrize(
    ("stopping", "larger"),
    [
        (ms.EarlyStopping(), False),
        (ms.EarlyStopping("accuracy"), True),
        (ms.EarlyStopping("val_accuracy"), True),
        (ms.EarlyStopping("val_accuracy", mode="min"), False),
        (ms.EarlyStopping("loss", mode="max"), True),
    ],
)
def test_direction_of_improvement(stopping, larger):
    assert stopping.larger_is_better is larger


def test_min_delta_is_a_size():
    assert ms.EarlyStopping(min_delta=-0.01).min_delta == 0.01


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ms.TrainingSpec("speedy"), "unknown optimizer 'speedy'; use one of sgd, adagrad, "),
        (lambda: ms.TrainingSpec(loss="poisson"), "unknown loss 'poisson'; use one of categorical_crossentropy, "),
        (lambda: ms.TrainingSpec(batch_size=0), "batch_size must be an integer of at least 1, got 0"),
        (lambda: ms.TrainingSpec(epochs=-1), "epochs must be an integer of at least 0, got -1"),
        (lambda: ms.TrainingSpec(steps=0), "steps must be an integer of at least 1, got 0"),
        (lambda: ms.TrainingSpec(sampling="some"), "sampling must be one of epoch, with_replacement, got 'some'"),
        (lambda: ms.TrainingSpec(shuffle=None), "shuffle must be True or False, got None"),
        (lambda: ms.TrainingSpec(seed=-3), "seed must be an integer of at least 0, got -3"),
        (lambda: ms.TrainingSpec(validation_split=1), "validation_split must be .* below 1, got 1"),
        (lambda: ms.TrainingSpec(early_stopping=True), "must be None or an EarlyStopping, .* got True"),
        (lambda: ms.EarlyStopping("auc"), "monitor must be one of accuracy, loss, val_accuracy, val_loss, got 'auc'"),
        (lambda: ms.EarlyStopping(patience=-1), "patience must be an integer of at least 0, got -1"),
        (lambda: ms.EarlyStopping(baseline=float("nan")), "baseline must be a finite number, got nan"),
        (lambda: ms.SGD(0), "learning_rate must be a finite number above 0, got 0"),
        (lambda: ms.SGD(float("inf")), "learning_rate must be a finite number above 0, got inf"),
        (lambda: ms.SGD(momentum=2), r"momentum must lie in 0\.\.1, got 2"),
        (lambda: ms.SGD(nesterov=1), "nesterov must be True or False, got 1"),
        (lambda: ms.Adam(beta_1=1.0), "beta_1 must be .* below 1, got 1.0"),
        (lambda: ms.Adam(epsilon=0), "epsilon must be a finite number above 0, got 0"),
        (lambda: ms.Adam(clipnorm=1, global_clipnorm=1), "give one of .*got clipnorm and global_clipnorm"),
        (lambda: ms.Adam(clipvalue=1, clipnorm=1), "give one of .*got clipnorm and clipvalue"),
        (lambda: ms.Adam(clipvalue=0), "clipvalue must be a finite number above 0, got 0"),
        (lambda: schedules.CosineDecay(0.1, 5, warmup_steps=3), "warmup_steps=3 needs a warmup_target"),
        (lambda: schedules.PolynomialDecay(0.1, 5, power=0), "power must be a finite number above 0, got 0"),
        (lambda: losses.CategoricalCrossentropy(label_smoothing=1.5), r"label_smoothing must lie in 0\.\.1, got 1.5"),
        (lambda: schedules.PiecewiseConstantDecay((5, 3), (1, 1, 1)), "boundaries must increase"),
        (lambda: schedules.PiecewiseConstantDecay((5,), (1,)), "values must be one longer, got 1 boundaries"),
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "decay_steps must be an integer of at least 1, got 0"),
        (lambda: schedules.CosineDecay(0.1, 5, alpha=-1), "alpha must be .* at least 0, got -1"),
    ],
)
def test_bad_options_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_history_grows_in_plain_numbers():
    history = ms.History()
    history.append(0, {"loss": 1, "accuracy": 0.5})
    history.append(1, {"loss": 0.5, "accuracy": 0.75})
    assert history.history == {"loss": [1.0, 0.5], "accuracy": [0.5, 0.75]}
    assert history.epoch == [0, 1]
    assert '"loss": [1.0, 0.5]' in history.to_json()
