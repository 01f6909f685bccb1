"""Training by Keras' fit: order of batches, histories, early stopping, callbacks and interruption."""

import keras
import numpy as np
import pytest

from keras_models import KerasModel, floatx, trainer
from keras_models.batches import OrderedBatches, validation_batches
from keras_models.callbacks import keras_early_stopping
from keras_models.optimizers import keras_optimizer
from model_spec import (
    SGD,
    Adam,
    AdamW,
    BatchNormalization,
    Callback,
    Conv2D,
    Dense,
    Dropout,
    EarlyStopping,
    ModelSpec,
    TrainingSpec,
    fitting,
    optimizers,
    schedules,
)
from model_spec.streams import batch_indices

LINEAR = ModelSpec("linear", (1,), (Dense(1),))


def test_no_autotuning_thread_is_started():
    """One that is left behind made later trainings of a process wait for up to a minute."""
    x, y = np.zeros((8, 1), np.float32), np.zeros((8, 1), np.float32)
    data = fitting.check_fit(LINEAR, TrainingSpec(loss="mse"), x, y, "float32", (x, y), None, None)
    training, validation = OrderedBatches(TrainingSpec(), data).as_dataset(), validation_batches(data.validation, 4)
    assert [dataset.options().autotune.enabled for dataset in (training, validation)] == [False, False]
    assert [int(dataset.cardinality()) for dataset in (training, validation)] == [1, 2]


class Seen(keras.layers.Layer):
    """Hands its input on and notes the batches that training runs through it."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def call(self, x, training=False):
        import tensorflow as tf

        if training:
            tf.py_function(lambda value: self.batches.append(value.numpy()[:, 0].astype(int)), [x], [])
        return x


def recorded_fit(monkeypatch, training, count):
    """Train on x = row number; return the rows of each batch Keras really trained on, and the history."""
    model = KerasModel(LINEAR)
    seen = Seen()
    dense = model.keras_model.layers[0]
    monkeypatch.setattr(model, "keras_model", keras.Sequential([keras.Input((1,)), seen, dense]))
    monkeypatch.setattr(trainer, "VALIDATION_BATCH_SIZE", 3)
    x = np.arange(count)[:, None]
    history = model.fit(x, np.zeros(count), training, validation_data=(x, np.zeros(count)), verbose=0)
    return seen.batches, history


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 3},
        {"epochs": 2, "shuffle": False},
        {"epochs": 3, "sampling": "with_replacement", "seed": 4},
        {"steps": 8},
        {"steps": 6},
        {"steps": 2},
        {"steps": 5, "early_stopping": EarlyStopping(patience=9, restore_best_weights=True)},
    ],
)
def test_batches_are_those_of_streams(monkeypatch, options):
    training = TrainingSpec(SGD(1e-6), "mean_squared_error", batch_size=4, **options)
    found, history = recorded_fit(monkeypatch, training, 11)
    epochs = -(-training.steps // 3) if training.steps else training.epochs
    expected = [rows for epoch in range(epochs) for rows in batch_indices(training, 11, epoch)]
    assert len(found) == len(expected) == (training.steps or 3 * epochs)
    for rows, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(rows, wanted)
    assert history.epoch == list(range(epochs))
    assert {len(values) for values in history.history.values()} == {epochs}
    assert set(history.history) == {"loss", "val_loss"}


def test_fit_equals_the_same_batches_one_by_one(small, rows):
    x, y = rows
    training = TrainingSpec(Adam(0.01), batch_size=5, epochs=2)
    whole, single = KerasModel(small, 3), KerasModel(small, 3)
    history = whole.fit(x, y, training, verbose=0)
    single.start_training(training)
    sums = [
        sum(single.train_on_batch(x[i], y[i]) * len(i) for i in batch_indices(training, 23, epoch)) / 23
        for epoch in range(2)
    ]
    np.testing.assert_allclose(history.history["loss"], sums, rtol=1e-5)
    for name, value in whole.weights.items():
        np.testing.assert_allclose(value, single.weights[name], rtol=1e-5, atol=1e-6, err_msg=name)
    for name, value in whole.training_state().items():
        np.testing.assert_allclose(value, single.training_state()[name], rtol=1e-4, atol=1e-6, err_msg=name)
    assert whole.training_state()["dropout/dropout_call"] == 10


def test_float64_trains_in_float64(small, rows):
    model = KerasModel(small, dtype="float64")
    x, y = rows
    training = TrainingSpec(SGD(0.1), batch_size=23, shuffle=False)
    gradients = model.loss_and_gradients(x, y, training=True)
    before = model.weights
    history = model.fit(x, y, training, verbose=0)
    np.testing.assert_allclose(history.history["loss"][0], gradients.loss, rtol=1e-14)
    for name, gradient in gradients.parameters.items():
        np.testing.assert_allclose(model.weights[name], before[name] - 0.1 * gradient, rtol=0, atol=1e-14)
    assert keras.config.floatx() == "float32"


def test_one_hot_and_integer_labels_train_alike(small, rows):
    x, y = rows
    first, second = KerasModel(small), KerasModel(small)
    training = TrainingSpec(batch_size=8, epochs=2, validation_split=0.3)
    a = first.fit(x, y, training, verbose=0)
    b = second.fit(x, np.eye(3)[y], training, verbose=0)
    assert set(a.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    for name, values in a.history.items():
        assert all(type(value) is float for value in values)
        np.testing.assert_allclose(values, b.history[name], rtol=1e-5)
    # The compiled form follows the labels, the optimizer stays.
    optimizer = second.keras_model.optimizer
    np.testing.assert_allclose(list(second.evaluate(x, y).values()), list(first.evaluate(x, y).values()), rtol=1e-5)
    assert second.keras_model.optimizer is optimizer
    assert second.training_state()["adam/iterations"] == 4


@pytest.mark.parametrize("optimizer", optimizers.OPTIMIZERS)
def test_every_optimizer_trains_and_names_its_state(small, rows, optimizer):
    model = KerasModel(small)
    model.fit(*rows, TrainingSpec(optimizer, steps=1), verbose=0)
    name = optimizer.lower()
    slots = {key.rpartition("/")[2] for key in model.training_state() if key.startswith(f"{name}/dense/kernel/")}
    adam = {"momentum", "velocity"}
    expected = {"sgd": set(), "adagrad": {"accumulator"}, "rmsprop": {"velocity"}, "adamax": {"momentum", "norm"}}
    expected |= {"adadelta": {"accumulated_grad", "accumulated_delta_var"}, "adam": adam, "adamw": adam, "nadam": adam}
    assert slots == expected[name]
    assert model.training_state()[f"{name}/iterations"] == 1
    assert ("nadam/u_product" in model.training_state()) == (name == "nadam")


def test_optimizer_options_reach_keras():
    schedule = schedules.PiecewiseConstantDecay((2, 4), (0.3, 0.2, 0.1))
    rule = optimizers.RMSprop(schedule, momentum=0.5, centered=True, clipnorm=2.0, weight_decay=0.1)
    built = keras_optimizer(rule, "float32")
    assert [round(float(built._learning_rate(step)), 6) for step in (2, 3, 5)] == [0.3, 0.2, 0.1]
    assert (built.momentum, built.centered, built.clipnorm, built.weight_decay) == (0.5, True, 2.0, 0.1)
    assert keras_optimizer(AdamW(weight_decay=None), "float32").weight_decay == 0
    assert keras_optimizer(SGD(global_clipnorm=0.5), "float32").global_clipnorm == 0.5


@pytest.mark.parametrize(
    "schedule, at_step_3",
    [
        (schedules.PiecewiseConstantDecay((2, 4), (0.3, 0.7, 0.1)), 0.7),
        (schedules.ExponentialDecay(0.1, 10, 0.7), 0.1 * 0.7**0.3),
        (schedules.ExponentialDecay(0.1, 2, 0.7, staircase=True), 0.1 * 0.7),
        (schedules.InverseTimeDecay(0.1, 10, 0.7), 0.1 / 1.21),
        (schedules.PolynomialDecay(0.1, 10, 0.02, 2.0), 0.08 * 0.7**2 + 0.02),
        (schedules.CosineDecay(0.1, 10, 0.3, 0.5, 6), 0.3),
        (schedules.CosineDecay(0.1, 10, 0.3), 0.1 * (0.7 * 0.5 * (1 + np.cos(0.3 * np.pi)) + 0.3)),
    ],
)
def test_schedules_are_exact_in_float64(schedule, at_step_3):
    for dtype, tolerance in (("float32", 1e-6), ("float64", 1e-15)):
        with floatx(dtype):
            built = keras_optimizer(SGD(schedule), dtype)
            built.iterations.assign(3)
            rate = built._get_current_learning_rate()
        assert rate.dtype == dtype
        np.testing.assert_allclose(rate, at_step_3, rtol=tolerance)


def adam_by_hand(gradients, rate, beta_1, beta_2):
    m = v = total = 0.0
    for step, g in enumerate(gradients, start=1):
        m += (g - m) * (1 - beta_1)
        v += (g * g - v) * (1 - beta_2)
        total -= m * rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step) / (np.sqrt(v) + 1e-7)
    return total


def momentum_by_hand(gradients, rate, momentum):
    m = total = 0.0
    for g in gradients:
        m = m * momentum - g * rate
        total += m
    return total


@pytest.mark.parametrize(
    "optimizer, by_hand",
    [
        (Adam(0.1, 0.7, 0.9), lambda gradients: adam_by_hand(gradients, 0.1, 0.7, 0.9)),
        (SGD(0.1, 0.7), lambda gradients: momentum_by_hand(gradients, 0.1, 0.7)),
    ],
)
def test_optimizer_constants_are_exact_in_float64(optimizer, by_hand):
    model = KerasModel(ModelSpec("m", (1,), (Dense(1, use_bias=False),)), dtype="float64")
    model.set_weights([[[0.0]]])
    model.start_training(TrainingSpec(optimizer, "half_sum_squared_error"))
    gradients = []
    for target in (1.0, 2.0, -1.0):
        gradients.append(model.weights["dense/kernel"][0, 0] - target)
        model.train_on_batch([[1.0]], [[target]])
    np.testing.assert_allclose(model.weights["dense/kernel"][0, 0], by_hand(gradients), rtol=1e-14)


def test_sample_and_class_weights(rows):
    x, y = rows
    spec = ModelSpec("m", (4,), (Dense(3, activation="softmax"),))
    training = TrainingSpec(SGD(0.1), batch_size=23)
    table = np.array([1.0, 5.0, 0.5])
    plain, by_class, by_row = KerasModel(spec), KerasModel(spec), KerasModel(spec)
    plain.fit(x, y, training, verbose=0)
    first = by_class.fit(x, y, training, verbose=0, class_weight={1: 5.0, 2: 0.5})
    second = by_row.fit(x, y, training, verbose=0, sample_weight=table[y])
    start = KerasModel(spec).predict(x)
    assert first.history == second.history
    expected = (-np.log(start[np.arange(23), y]) * table[y]).mean()
    assert first.history["loss"][0] == pytest.approx(expected, rel=1e-5)
    np.testing.assert_array_equal(by_class.weights["dense/kernel"], by_row.weights["dense/kernel"])
    assert (by_class.weights["dense/kernel"] != plain.weights["dense/kernel"]).any()


def test_sample_weights_of_image_outputs_are_one_per_example():
    spec = ModelSpec("m", (4, 4, 1), (Conv2D(2, 1, kernel_initializer="ones"),))
    x = np.arange(32.0).reshape(2, 4, 4, 1)
    weights = np.array([1.0, 3.0])
    for loss, scale in (("mean_squared_error", 1), ("half_sum_squared_error", 16)):
        training = TrainingSpec(SGD(1e-6), loss)
        history = KerasModel(spec).fit(x, np.zeros((2, 4, 4, 2)), training, verbose=0, sample_weight=weights)
        expected = scale * (weights * (x**2).mean(axis=(1, 2, 3))).mean()
        assert history.history["loss"] == [pytest.approx(expected)]


def test_binary_crossentropy_counts_accuracy_at_one_half():
    spec = ModelSpec("m", (1,), (Dense(1, activation="sigmoid", kernel_initializer="ones"),))
    model = KerasModel(spec)
    model.fit([[0.0]], [0], TrainingSpec(SGD(1e-9), "binary_crossentropy"), verbose=0)
    found = model.evaluate([[1.0], [2.0], [-1.0], [-3.0]], [1, 0, 0, 0])
    assert found["accuracy"] == 0.75
    assert found["loss"] == pytest.approx(np.logaddexp(0, [-1, 2, -1, -3]).mean())


class Forced(Callback):
    """Writes its epochs down, and sets the weight so that the next validation loss is a given number."""

    def __init__(self, values):
        self.values, self.seen, self.ends = values, [], 0

    def on_epoch_begin(self, epoch, logs=None):
        self.model.set_weights([[[0.0]], [np.sqrt(self.values[epoch])]])

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append((epoch, round(logs["val_loss"], 4)))

    def on_train_end(self, logs=None):
        self.ends += 1


def forced_fit(values, **stopping):
    model, callback = KerasModel(LINEAR), Forced(values)
    training = TrainingSpec(
        SGD(1e-12), "mean_squared_error", epochs=len(values), early_stopping=EarlyStopping(**stopping)
    )
    history = model.fit([[1.0]], [[0.0]], training, validation_data=([[1.0]], [[0.0]]), callbacks=[callback], verbose=0)
    return model, callback, history


def test_early_stopping_stops_and_restores():
    model, callback, history = forced_fit([4.0, 1.0, 2.0, 3.0, 0.1], patience=2, restore_best_weights=True)
    assert (history.best_epoch, history.stopped_epoch, history.epoch) == (1, 3, [0, 1, 2, 3])
    assert callback.seen == [(0, 4.0), (1, 1.0), (2, 2.0), (3, 3.0)]
    assert callback.ends == 1
    assert model.stop_training
    assert model.weights["dense/bias"] == pytest.approx(1.0)
    _, _, history = forced_fit([4.0, 1.0, 2.0], patience=2, restore_best_weights=True)
    assert (history.best_epoch, history.stopped_epoch) == (1, None)


def test_early_stopping_counts_from_a_start_and_takes_a_mode():
    _, _, history = forced_fit([1.0, 4.0, 5.0, 6.0], mode="max", patience=0, start_from_epoch=1)
    assert (history.best_epoch, history.stopped_epoch) == (3, None)
    _, _, history = forced_fit([1.0, 4.0], start_from_epoch=9)
    assert history.best_epoch is None


def test_nan_is_never_an_improvement():
    callback = keras_early_stopping(EarlyStopping(patience=5, restore_best_weights=True))
    callback.set_model(KerasModel(LINEAR).keras_model)
    callback.on_train_begin()
    for epoch, value in enumerate([float("nan"), 3.0, float("nan")]):
        callback.on_epoch_end(epoch, {"val_loss": value})
        assert callback.best_weights is not None
    assert (callback.best, callback.held_epoch) == (3.0, 1)
    # Keras' own rule keeps the NaN, against which nothing is ever better: ours is needed.
    stock = keras.callbacks.EarlyStopping(mode="min")
    stock.set_model(KerasModel(LINEAR).keras_model)
    stock.on_train_begin()
    stock.on_epoch_end(0, {"val_loss": float("nan")})
    stock.on_epoch_end(1, {"val_loss": 3.0})
    assert np.isnan(stock.best)


def test_monitoring_an_accuracy_that_is_not_there_is_refused():
    training = TrainingSpec("sgd", "mean_squared_error", early_stopping=EarlyStopping("accuracy"))
    with pytest.raises(ValueError, match="MeanSquaredError has no accuracy"):
        KerasModel(LINEAR).fit([[1.0]], [[0.0]], training, verbose=0)


class StopAt(Callback):
    def __init__(self, epoch, stage):
        self.epoch, self.stage = epoch, stage

    def on_epoch_begin(self, epoch, logs=None):
        if self.stage == "begin" and epoch == self.epoch:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        if self.stage == "end" and epoch == self.epoch:
            self.model.stop_training = True


@pytest.mark.parametrize("stage", ["begin", "end"])
def test_a_callback_stops_after_the_current_epoch(small, rows, stage):
    model = KerasModel(small)
    history = model.fit(*rows, TrainingSpec("sgd", batch_size=8, epochs=5), callbacks=[StopAt(1, stage)], verbose=0)
    assert history.epoch == [0, 1]
    assert model.training_state()["sgd/iterations"] == 6
    assert model.fit(*rows, TrainingSpec("sgd", epochs=2), verbose=0).epoch == [0, 1]


class Interrupt(Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


def test_interruption_keeps_finished_epochs_and_restores_the_best():
    model = KerasModel(LINEAR)
    forced = Forced([1.0, 4.0, 9.0])
    stopping = EarlyStopping("val_loss", patience=9, restore_best_weights=True)
    training = TrainingSpec(SGD(1e-12), "mean_squared_error", epochs=5, early_stopping=stopping)
    with pytest.raises(KeyboardInterrupt):
        model.fit([[1.0]], [[0.0]], training, ([[1.0]], [[0.0]]), callbacks=[forced, Interrupt()], verbose=0)
    assert model.history.epoch == [0, 1]
    assert (model.history.best_epoch, model.history.stopped_epoch) == (0, None)
    assert model.weights["dense/bias"] == pytest.approx(1.0)
    assert keras.config.floatx() == "float32"


def test_each_fit_starts_a_fresh_optimizer_while_counters_go_on(small, rows):
    model = KerasModel(small)
    training = TrainingSpec(Adam(), batch_size=8, epochs=1)
    model.fit(*rows, training, verbose=0)
    model.fit(*rows, training, verbose=0, epochs=2)
    assert model.training_state()["adam/iterations"] == 6
    assert model.training_state()["dropout/dropout_call"] == 9


def test_no_epochs_give_an_empty_history(small, rows):
    model = KerasModel(small)
    before = model.weights
    history = model.fit(*rows, TrainingSpec(epochs=0), verbose=0)
    assert (history.history, history.epoch) == ({}, [])
    for name, value in model.weights.items():
        np.testing.assert_array_equal(value, before[name])


def test_one_line_an_epoch_on_standard_error(small, rows, capsys):
    KerasModel(small).fit(*rows, TrainingSpec(epochs=2, validation_split=0.2))
    out, err = capsys.readouterr()
    lines = err.strip().splitlines()
    assert out == ""
    assert len(lines) == 2
    assert lines[1].startswith("epoch 2/2 loss=")
    assert " accuracy=" in lines[1] and " val_loss=" in lines[1] and lines[1].endswith(" s)")
    KerasModel(small).fit(*rows, TrainingSpec(), verbose=0)
    assert capsys.readouterr() == ("", "")


def test_frozen_models_train_their_statistics_only(rows):
    spec = ModelSpec("m", (4,), (BatchNormalization(center=False, scale=False), Dense(3, trainable=False)))
    model = KerasModel(spec)
    before = model.weights
    model.fit(*rows, TrainingSpec("sgd", "mean_squared_error"), verbose=0)
    assert (model.weights["batch_normalization/moving_mean"] != before["batch_normalization/moving_mean"]).all()
    np.testing.assert_array_equal(model.weights["dense/kernel"], before["dense/kernel"])
    model.start_training(TrainingSpec("sgd", "mean_squared_error"))
    model.train_on_batch(*rows)


def test_words_for_bad_training_input(small, rows):
    model = KerasModel(small)
    x, y = rows
    before = model.weights
    training = TrainingSpec()

    def check(x, y):
        return fitting.check_fit(small, training, x, y, "float32")

    calls = [
        (
            lambda: model.fit(x[:0], y[:0], training),
            lambda: check(x[:0], y[:0]),
        ),
        (lambda: model.fit(x, y / 2, training), lambda: check(x, y / 2)),
        (lambda: model.fit(x, y, training, steps_=3), lambda: training.replace(steps_=3)),
    ]
    for ours, guard in calls:
        with pytest.raises(ValueError) as expected:
            guard()
        with pytest.raises(ValueError) as found:
            ours()
        assert str(found.value) == str(expected.value)
    for call, words in [
        (lambda: model.fit(x, y, "adam"), "TrainingSpec"),
        (lambda: model.fit(x, y, training, verbose="loud"), "loud"),
        (lambda: model.train_on_batch(x, y), "start_training"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()
    for name, value in model.weights.items():
        np.testing.assert_array_equal(value, before[name])


def test_dropout_without_a_rate_trains(rows):
    spec = ModelSpec("m", (4,), (Dropout(0.0), Dense(3, activation="softmax")))
    assert KerasModel(spec).fit(*rows, TrainingSpec(), verbose=0).epoch == [0]
