"""Weights and training state: out, in, on disk, all or nothing."""

import os

import keras
import numpy as np
import pytest

from keras_models import KerasModel, weight_files
from model_spec import SGD, Adam, Dense, ModelSpec, Nadam, RMSprop, TrainingSpec


def check_equal(found, expected):
    assert list(found) == list(expected)
    for name, value in found.items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_weights_are_copies_and_set_weights_takes_dict_or_list(small, randomized):
    model, other = randomized(KerasModel(small)), KerasModel(small, 1)
    taken = model.weights
    taken["dense/kernel"][:] = 9
    assert (model.weights["dense/kernel"] != 9).all()
    other.set_weights(model.weights)
    check_equal(other.weights, model.weights)
    third = KerasModel(small, 2)
    third.set_weights(model.get_weights())
    check_equal(third.weights, model.weights)


def test_set_weights_is_all_or_nothing(small):
    model = KerasModel(small)
    before = model.weights
    wrong = {name: value + 1 for name, value in before.items()}
    wrong["dense_1/bias"] = np.zeros(7)
    wrong["head/kernel"] = wrong.pop("dense_1/kernel")
    with pytest.raises(ValueError) as found:
        model.set_weights(wrong)
    for words in ("dense_1/kernel: missing", "head/kernel: unknown", "dense_1/bias: expected shape (3,), got (7,)"):
        assert words in str(found.value)
    with pytest.raises(ValueError, match="not finite"):
        model.set_weights({name: value + np.nan for name, value in before.items()})
    check_equal(model.weights, before)


@pytest.mark.parametrize("optimizer", [Adam(0.01, amsgrad=True), Nadam(0.01), RMSprop(0.01, centered=True), SGD()])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_continued_run_equals_an_uninterrupted_one(small, rows, optimizer, dtype):
    x, y = rows
    training = TrainingSpec(optimizer)
    model, copy = KerasModel(small, 3, dtype), KerasModel(small, 4, dtype, dropout_seed=3)
    model.start_training(training)
    for _ in range(3):
        model.train_on_batch(x, y)
    copy.start_training(training)
    copy.set_weights(model.weights)
    copy.set_training_state(model.training_state())
    check_equal(copy.training_state(), model.training_state())
    assert model.training_state()["dropout/dropout_call"] == 3
    for _ in range(2):
        assert model.train_on_batch(x, y) == copy.train_on_batch(x, y)
    check_equal(copy.weights, model.weights)
    check_equal(copy.training_state(), model.training_state())


def test_state_matters_for_the_continuation(small, rows):
    model, copy = KerasModel(small, 3), KerasModel(small, 3)
    model.start_training(TrainingSpec(Adam(0.01)))
    model.train_on_batch(*rows)
    copy.start_training(TrainingSpec(Adam(0.01)))
    copy.set_weights(model.weights)
    assert model.train_on_batch(*rows) != copy.train_on_batch(*rows)


def test_training_state_is_all_or_nothing(small, rows):
    model = KerasModel(small)
    model.start_training(TrainingSpec("adam"))
    model.train_on_batch(*rows)
    before = model.training_state()
    wrong = {name: value + 1 for name, value in before.items()}
    wrong["adam/dense/kernel/momentum"] = np.zeros(3)
    wrong.pop("dropout/dropout_call")
    wrong["sgd/iterations"] = np.array(1)
    with pytest.raises(ValueError) as found:
        model.set_training_state(wrong)
    for words in ("dropout/dropout_call: missing", "sgd/iterations: unknown", "adam/dense/kernel/momentum: expected"):
        assert words in str(found.value)
    check_equal(model.training_state(), before)


def test_the_loss_of_a_batch_is_that_batch_alone(small, rows):
    x, y = rows
    model = KerasModel(small)
    model.start_training(TrainingSpec(SGD(1e-12)))
    for call, part in enumerate([slice(0, 5), slice(5, 23)]):
        expected = model.loss_and_gradients(x[part], y[part], training=True, dropout_call=call).loss
        assert model.train_on_batch(x[part], y[part]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("trained", [False, True])
def test_weight_files_round_trip(small, rows, randomized, tmp_path, dtype, trained):
    model, other = randomized(KerasModel(small, 1, dtype)), KerasModel(small, 2, dtype)
    if trained:
        model.fit(*rows, TrainingSpec(), verbose=0)
    path = tmp_path / "a.weights.h5"
    path.write_bytes(b"an older file")
    model.save_weights(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.weights.h5"]
    state = other.training_state()
    other.load_weights(str(path))
    check_equal(other.weights, model.weights)
    counter = "dropout/dropout_call"
    assert other.training_state()[counter] == state[counter] == 0


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_files_of_plain_keras_are_read(tmp_path):
    stock = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    stock.save_weights(tmp_path / "k.weights.h5")
    model = KerasModel(ModelSpec("m", (4,), (Dense(3),)), 5)
    model.load_weights(tmp_path / "k.weights.h5")
    np.testing.assert_array_equal(model.weights["dense/kernel"], stock.get_weights()[0])


def test_files_that_do_not_fit_leave_the_model_unchanged(small, randomized, tmp_path):
    model = KerasModel(small)
    before = model.weights
    good = tmp_path / "good.weights.h5"
    randomized(KerasModel(small)).save_weights(good)
    (tmp_path / "cut.weights.h5").write_bytes(good.read_bytes()[:-4000])
    (tmp_path / "text.weights.h5").write_text("no weights")
    layers = small.layers
    for name, other in [("fewer", layers[:3]), ("more", (*layers, Dense(3))), ("wider", (Dense(7), *layers[1:]))]:
        KerasModel(ModelSpec(name, (4,), other)).save_weights(tmp_path / f"{name}.weights.h5")
    for name in ("cut", "text", "fewer", "more", "wider", "absent"):
        with pytest.raises(ValueError, match=f"{name}.weights.h5"):
            model.load_weights(tmp_path / f"{name}.weights.h5")
        check_equal(model.weights, before)
    with pytest.raises(ValueError, match="end in .weights.h5"):
        model.save_weights(tmp_path / "model.npz")
    model.load_weights(good)
    assert (model.weights["dense/kernel"] != before["dense/kernel"]).all()


def test_a_failed_write_leaves_the_old_file(small, tmp_path, monkeypatch):
    path = tmp_path / "a.weights.h5"
    KerasModel(small).save_weights(path)
    before = path.read_bytes()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValueError, match="a.weights.h5 cannot be written.*No space left"):
        weight_files.save_weights(KerasModel(small, 2).keras_model, path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.weights.h5"]
    with pytest.raises(ValueError, match="cannot be written"):
        KerasModel(small).save_weights(tmp_path / "missing" / "a.weights.h5")
