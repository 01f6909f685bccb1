"""Training runs of NumpyModel: fit, its options and callbacks, single steps, saved state, interruption."""

import math

import numpy as np
import pytest

import model_spec as ms
from core_numpy import NumpyModel
from model_spec import EarlyStopping, TrainingSpec, optimizers, regularizers, streams

EVERY_OPTIMIZER = [
    optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    optimizers.Adagrad(0.1),
    optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    optimizers.Adadelta(1.0),
    optimizers.Adam(0.01, amsgrad=True),
    optimizers.AdamW(0.01),
    optimizers.Adamax(0.01),
    optimizers.Nadam(0.01),
]

SPEC = ms.ModelSpec(
    "small",
    (2,),
    (
        ms.Dense(8, activation="tanh", kernel_regularizer=regularizers.L2(1e-3)),
        ms.BatchNormalization(),
        ms.Dropout(0.25),
        ms.Dense(3, activation="softmax"),
    ),
)


def make(seed=3, dtype="float32", **options):
    return NumpyModel(SPEC, seed=seed, dtype=dtype, **options)


@pytest.fixture
def data():
    """Three clouds of points, 40 examples."""
    random = np.random.default_rng(0)
    y = random.integers(3, size=40)
    return random.normal(size=(40, 2)) * 0.4 + np.array([[2, 0], [-1, 2], [-1, -2]])[y], y


def bits(model):
    return {name: value.tobytes() for name, value in model.weights.items()}


def state_bits(model):
    return {name: value.tobytes() for name, value in model.training_state().items()}


RUN = TrainingSpec(optimizer=optimizers.Adam(0.05), batch_size=8, epochs=4)


class Recorder(ms.Callback):
    """Writes down what is called, and does something at the end of an epoch."""

    def __init__(self, at_end=None):
        self.calls, self.at_end = [], at_end

    def on_train_begin(self, logs=None):
        self.calls.append("train begin")

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(f"begin {epoch}")

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(f"end {epoch}")
        self.logs = logs
        if self.at_end:
            self.at_end(self, epoch)

    def on_train_end(self, logs=None):
        self.calls.append("train end")


# fit


@pytest.mark.parametrize("rule", EVERY_OPTIMIZER, ids=lambda rule: type(rule).__name__)
def test_fit_reduces_the_loss(data, rule):
    model = make()
    before = model.evaluate(*data)
    history = model.fit(*data, RUN, verbose=0, optimizer=rule, epochs=15).history
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert model.evaluate(*data)["loss"] < 0.8 * before["loss"]


def test_fit_learns_the_classes(data):
    model = make()
    model.fit(*data, RUN, verbose=0, epochs=40)
    assert model.evaluate(*data)["accuracy"] > 0.95


def test_history_holds_python_floats(data):
    history = make().fit(*data, RUN, validation_data=data, verbose=0)
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert {type(value) for values in history.history.values() for value in values} == {float}
    assert {len(values) for values in history.history.values()} == {4}
    assert history.epoch == [0, 1, 2, 3]
    assert history.best_epoch is history.stopped_epoch is None
    assert history.seconds > 0


def test_figures_of_an_epoch_are_means_over_examples(data):
    """With a rate near zero the weights stay: the epoch's loss is the whole set's, the last, smaller batch included."""
    x, y = data
    spec = ms.ModelSpec("plain", (2,), (ms.Dense(3, activation="softmax", kernel_regularizer=regularizers.L2(0.1)),))
    model = NumpyModel(spec, dtype="float64")
    run = TrainingSpec(optimizer=optimizers.SGD(1e-12), batch_size=16, epochs=1)
    expected = model.evaluate(x, y)
    history = model.fit(x, y, run, validation_data=(x[:5], y[:5]), verbose=0).history
    assert history["loss"][0] == pytest.approx(expected["loss"], rel=1e-9)
    assert history["accuracy"][0] == pytest.approx(expected["accuracy"])
    assert history["val_loss"][0] == pytest.approx(model.evaluate(x[:5], y[:5])["loss"], rel=1e-9)


def test_verbose_prints_a_line_an_epoch(data, capsys):
    make().fit(*data, RUN, verbose=0)
    assert capsys.readouterr() == ("", "")
    make().fit(*data, RUN, verbose=1)
    found = capsys.readouterr()
    assert found.out == ""
    assert [line.split()[1] for line in found.err.splitlines()] == ["1/4", "2/4", "3/4", "4/4"]


def test_overrides_change_single_fields(data):
    model = make()
    history = model.fit(*data, RUN, verbose=0, epochs=2, batch_size=20)
    assert len(history.epoch) == 2
    assert model.optimizer.iterations == 4
    with pytest.raises(ValueError, match="unknown training option rate; known are batch_size"):
        model.fit(*data, RUN, verbose=0, rate=1)
    assert RUN.epochs == 4


def test_no_epochs(data):
    model = make()
    before = bits(model)
    assert model.fit(*data, RUN, verbose=0, epochs=0).history == {}
    assert bits(model) == before


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", EVERY_OPTIMIZER, ids=lambda rule: type(rule).__name__)
def test_the_dtype_stays(data, rule, dtype):
    model = make(dtype=dtype)
    model.fit(*data, RUN, verbose=0, optimizer=rule, sample_weight=np.ones(40))
    assert {value.dtype.name for value in model.weights.values()} == {dtype}
    slots = {name: value for name, value in model.optimizer.slots["dense/kernel"].items()}
    assert {value.dtype.name for value in slots.values()} == {dtype}
    assert model.predict(data[0]).dtype == dtype


def test_a_fit_is_repeatable_and_the_seed_matters(data):
    models = [make() for _ in range(3)]
    for model, seed in zip(models, (0, 0, 1), strict=True):
        model.fit(*data, RUN, verbose=0, seed=seed)
    assert bits(models[0]) == bits(models[1]) != bits(models[2])


def test_shuffle_off_keeps_the_order(data):
    x, y = data
    model, other = make(), make()
    model.fit(x, y, RUN, verbose=0, shuffle=False)
    other.start_training(RUN)
    for _ in range(4):
        for at in range(0, 40, 8):
            other.train_on_batch(x[at : at + 8], y[at : at + 8])
    assert bits(model) == bits(other)


def test_each_fit_starts_a_fresh_optimizer(data):
    """Momentum left from the first run would carry the second one on."""
    first, second = make(), make()
    rule = optimizers.SGD(0.1, momentum=0.9)
    first.fit(*data, RUN, verbose=0, optimizer=rule)
    second.set_weights(first.weights)
    second.dropout_calls = first.dropout_calls
    histories = [model.fit(*data, RUN, verbose=0, optimizer=rule).history for model in (first, second)]
    assert bits(first) == bits(second)
    assert histories[0] == histories[1]
    assert first.optimizer.iterations == 20


def test_the_dropout_counter_goes_on(data):
    model = make()
    model.fit(*data, RUN, verbose=0)
    assert model.dropout_calls == 20
    model.evaluate(*data)
    model.predict(data[0])
    model.loss_and_gradients(*data, training=True, dropout_call=5)
    assert model.dropout_calls == 20
    model.fit(*data, RUN, validation_data=data, verbose=0)
    assert model.dropout_calls == 40


@pytest.mark.parametrize("split", [0.1, 0.25])
def test_validation_split_takes_the_end(data, split):
    x, y = data
    kept = round(40 * (1 - split))
    model, other = make(), make()
    history = model.fit(x, y, RUN, verbose=0, validation_split=split)
    expected = other.fit(x[:kept], y[:kept], RUN, validation_data=(x[kept:], y[kept:]), verbose=0)
    assert history.history == expected.history
    assert bits(model) == bits(other)


def test_weights_of_examples(data):
    x, y = data
    model, other = make(), make()
    weights = np.where(y == 1, 2.0, 1.0)
    model.fit(x, y, RUN, verbose=0, class_weight={1: 2.0})
    other.fit(x, y, RUN, verbose=0, sample_weight=weights)
    assert bits(model) == bits(other)
    plain = make()
    plain.fit(x, y, RUN, verbose=0)
    assert bits(plain) != bits(model)


def test_an_example_of_weight_zero_is_not_seen(data):
    x, y = data
    spec = ms.ModelSpec("plain", (2,), (ms.Dense(3, activation="softmax"),))
    models = [NumpyModel(spec, dtype="float64") for _ in range(2)]
    weights = (np.arange(40) != 7).astype(float)
    moved = x.copy()
    moved[7] += 100
    for model, points in zip(models, (x, moved), strict=True):
        model.fit(points, y, RUN, verbose=0, sample_weight=weights)
    np.testing.assert_allclose(models[0].weights["dense/kernel"], models[1].weights["dense/kernel"], rtol=1e-12)


# Steps instead of epochs


def test_steps_cut_the_last_epoch_short(data):
    model = make()
    history = model.fit(*data, RUN, verbose=0, steps=7)
    assert model.optimizer.iterations == 7
    assert history.epoch == [0, 1]


def test_sampling_with_replacement(data):
    x, y = data
    run = RUN.replace(steps=7, sampling="with_replacement", batch_size=9, seed=5)
    model, other = make(), make()
    model.fit(x, y, run, verbose=0)
    other.start_training(run)
    drawn = [rows for epoch in range(2) for rows in streams.batch_indices(run, 40, epoch)]
    assert [len(rows) for rows in drawn] == [9] * 7
    assert any(len(set(rows.tolist())) < 9 for rows in drawn)
    for rows in drawn:
        other.train_on_batch(x[rows], y[rows])
    assert bits(model) == bits(other)


def test_single_steps_are_a_fit(data):
    x, y = data
    model, other = make(), make()
    history = model.fit(x, y, RUN, verbose=0)
    other.start_training(RUN)
    for epoch in range(RUN.epochs):
        losses = []
        for rows in streams.batch_indices(RUN, 40, epoch):
            losses.append(other.train_on_batch(x[rows], y[rows]))
        assert history.history["loss"][epoch] == pytest.approx(np.mean(losses), rel=1e-12)
    assert bits(model) == bits(other)
    assert state_bits(model) == state_bits(other)


def test_the_step_is_the_optimizer_on_the_gradients(data):
    x, y = data
    model = make(dtype="float64")
    model.start_training(RUN.replace(optimizer=optimizers.SGD(0.1)))
    before = model.weights
    found = model.loss_and_gradients(x, y, training=True, dropout_call=0)
    assert model.train_on_batch(x, y) == pytest.approx(found.loss, rel=1e-14)
    for name, gradient in found.parameters.items():
        np.testing.assert_allclose(model.weights[name], before[name] - 0.1 * gradient, rtol=1e-13, atol=1e-15)
    # Moving statistics follow the batch: 0.99 of the old, 0.01 of the batch's own.
    rows = np.tanh(x @ before["dense/kernel"] + before["dense/bias"])
    np.testing.assert_allclose(model.weights["batch_normalization/moving_mean"], 0.01 * rows.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(
        model.weights["batch_normalization/moving_variance"], 0.99 + 0.01 * rows.var(axis=0), rtol=1e-9
    )


def test_a_step_without_a_run_is_refused(data):
    with pytest.raises(ValueError, match="call start_training"):
        make().train_on_batch(*data)


def test_frozen_layers_stay(data):
    layers = (
        ms.Dense(4, activation="relu", trainable=False, kernel_regularizer="l2"),
        ms.BatchNormalization(trainable=False),
        ms.Dense(3, activation="softmax"),
    )
    model = NumpyModel(ms.ModelSpec("frozen", (2,), layers))
    before = bits(model)
    model.fit(*data, RUN, verbose=0)
    changed = {name for name, value in bits(model).items() if value != before[name]}
    assert changed == {"dense_1/kernel", "dense_1/bias"}


# Callbacks


def test_callbacks_are_called_in_order(data):
    first, second = Recorder(), Recorder()
    model = make()
    model.fit(*data, RUN, validation_data=data, callbacks=[first, second], verbose=0, epochs=2)
    assert first.calls == ["train begin", "begin 0", "end 0", "begin 1", "end 1", "train end"] == second.calls
    assert first.model is model
    assert list(first.logs) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert {type(value) for value in first.logs.values()} == {float}


def test_a_callback_cannot_change_the_history(data):
    def spoil(recorder, epoch):
        recorder.logs.clear()

    history = make().fit(*data, RUN, callbacks=[Recorder(spoil)], verbose=0)
    assert len(history.history["loss"]) == 4


def test_a_callback_stops_the_training(data):
    def stop(recorder, epoch):
        recorder.model.stop_training = epoch == 1

    recorder = Recorder(stop)
    model = make()
    history = model.fit(*data, RUN, callbacks=[recorder], verbose=0)
    assert history.epoch == [0, 1]
    assert recorder.calls[-1] == "train end"
    # The next fit is not stopped by what the last one left.
    assert model.fit(*data, RUN, verbose=0).epoch == [0, 1, 2, 3]


# Early stopping


def watch(monitor="val_loss", **options):
    return RUN.replace(early_stopping=EarlyStopping(monitor, **options), epochs=12)


def test_early_stopping_restores_the_best_weights(data):
    x, y = data
    kept = {}

    def keep(recorder, epoch):
        kept[epoch] = bits(recorder.model)

    # Wrong labels to validate on: the better the fit, the worse the figure.
    run = watch(patience=2, restore_best_weights=True)
    model = make()
    history = model.fit(x, y, run, validation_data=(x, (y + 1) % 3), callbacks=[Recorder(keep)], verbose=0)
    assert history.stopped_epoch == len(history.epoch) - 1 < 11
    assert history.best_epoch == int(np.argmin(history.history["val_loss"])) == history.stopped_epoch - 2
    assert bits(model) == kept[history.best_epoch] != kept[history.stopped_epoch]


def test_without_restoring_the_last_weights_stay(data):
    x, y = data
    kept = {}

    def keep(recorder, epoch):
        kept[epoch] = bits(recorder.model)

    model = make()
    history = model.fit(
        x, y, watch(patience=2), validation_data=(x, (y + 1) % 3), callbacks=[Recorder(keep)], verbose=0
    )
    assert bits(model) == kept[history.stopped_epoch]


def test_the_best_weights_come_back_when_it_did_not_stop(data):
    kept = {}

    def keep(recorder, epoch):
        kept[epoch] = bits(recorder.model)

    x, y = data
    model = make()
    run = watch(patience=50, restore_best_weights=True)
    history = model.fit(x, y, run, validation_data=(x, (y + 1) % 3), callbacks=[Recorder(keep)], verbose=0)
    assert history.stopped_epoch is None
    assert history.best_epoch < 11
    assert bits(model) == kept[history.best_epoch]


def test_an_interrupt_keeps_the_history_and_the_best_weights(data):
    x, y = data
    kept = {}

    def keep_and_interrupt(recorder, epoch):
        kept[epoch] = bits(recorder.model)
        if epoch == 3:
            raise KeyboardInterrupt

    model = make()
    run = watch(patience=50, restore_best_weights=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, run, validation_data=(x, (y + 1) % 3), callbacks=[Recorder(keep_and_interrupt)], verbose=0)
    assert model.history.epoch == [0, 1, 2, 3]
    assert len(model.history.history["val_loss"]) == 4
    assert model.history.seconds > 0
    assert model.history.best_epoch == int(np.argmin(model.history.history["val_loss"])) < 3
    assert bits(model) == kept[model.history.best_epoch]


def test_an_interrupt_inside_an_epoch_drops_that_epoch(data, monkeypatch):
    model = make()
    step, count = model.step, []

    def interrupted(*arguments):
        count.append(1)
        if len(count) == 8:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(model, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*data, RUN, verbose=0)
    assert model.history.epoch == [0]
    assert model.optimizer.iterations == 7


# State of a run


@pytest.mark.parametrize("rule", EVERY_OPTIMIZER, ids=lambda rule: type(rule).__name__)
def test_a_run_goes_on_in_another_model(data, rule):
    x, y = data
    run = RUN.replace(optimizer=rule)
    batches = streams.batch_indices(run, 40, 0)
    model, other = make(), make(seed=3)
    model.start_training(run)
    for rows in batches[:2]:
        model.train_on_batch(x[rows], y[rows])
    other.start_training(run)
    other.set_weights(model.weights)
    other.set_training_state(model.training_state())
    assert state_bits(other) == state_bits(model)
    for rows in batches[2:]:
        assert model.train_on_batch(x[rows], y[rows]) == other.train_on_batch(x[rows], y[rows])
    assert bits(model) == bits(other)


def test_the_state_is_a_copy(data):
    model = make()
    model.fit(*data, RUN, verbose=0)
    saved = model.training_state()
    before = {name: value.tobytes() for name, value in saved.items()}
    model.train_on_batch(*data)
    assert {name: value.tobytes() for name, value in saved.items()} == before
    # And what was handed over is not written by the model that took it.
    model.set_training_state(saved)
    model.train_on_batch(*data)
    assert {name: value.tobytes() for name, value in saved.items()} == before


STATE_CHANGES = {
    "missing slot": (lambda state: state.pop("adam/dense/kernel/momentum"), "adam/dense/kernel/momentum"),
    "wrong shape": (
        lambda state: state.update({"adam/dense/bias/velocity": np.zeros(9)}),
        r"adam/dense/bias/velocity.*\(8,\).*\(9,\)",
    ),
    "missing statistics": (
        lambda state: state.pop("batch_normalization/moving_mean"),
        "batch_normalization/moving_mean: missing",
    ),
    "statistics that are not finite": (
        lambda state: state.update({"batch_normalization/moving_mean": np.full(8, math.nan)}),
        "batch_normalization/moving_mean: contains",
    ),
    "missing counter": (lambda state: state.pop("dropout/dropout_call"), "dropout/dropout_call"),
}


@pytest.mark.parametrize(
    ("change", "message"), STATE_CHANGES.values(), ids=[name.replace(" ", "-") for name in STATE_CHANGES]
)
def test_a_bad_state_changes_nothing(data, change, message):
    model, other = make(), make(seed=4)
    for each, run in ((model, RUN), (other, RUN.replace(seed=1, epochs=2))):
        each.fit(*data, run, verbose=0)
    bad = other.training_state()
    change(bad)
    before = bits(model), state_bits(model)
    with pytest.raises(ValueError, match=message):
        model.set_training_state(bad)
    assert (bits(model), state_bits(model)) == before


# Bad input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x[:0], y[:0]), "x has no rows"),
        (lambda x, y: (x, y[:-1]), "same number of rows, got 40 and 39"),
        (lambda x, y: (x, np.where(np.arange(40) == 5, 12, y)), "labels must be 0..2, got 12 at index 5"),
        (lambda x, y: (np.where(np.arange(80).reshape(40, 2) == 7, np.nan, x), y), r"x contains NaN.*\[3, 1\]"),
        (lambda x, y: (x[:, :1], y), r"x must have shape \(examples, \*\(2,\)\), got \(40, 1\)"),
    ],
    ids=["empty", "rows", "labels", "nan", "shape"],
)
def test_bad_data_is_refused_before_anything_changes(data, change, message):
    model = make()
    model.fit(*data, RUN, verbose=0)
    before, state, history = bits(model), state_bits(model), model.history
    with pytest.raises(ValueError, match=message):
        model.fit(*change(*data), RUN, verbose=0)
    assert (bits(model), state_bits(model)) == (before, state)
    assert model.history is history


def test_fast_masks_train_too(data):
    model = make(masks="fast")
    model.fit(*data, RUN, verbose=0, epochs=15)
    assert model.evaluate(*data)["accuracy"] > 0.9
    with pytest.raises(ValueError, match="masks must be one of fast, keras, got 'slow'"):
        make(masks="slow")
