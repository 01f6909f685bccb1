"""EarlyStopping stops both backends at the same epoch with the same best epoch, on random series."""

import math

import keras
import numpy as np
import pytest

from core_numpy.callbacks import EarlyStoppingState
from keras_models.callbacks import keras_early_stopping
from model_spec import EarlyStopping


class Listener:
    """What Keras' callback touches of a model, and no more: weights that are the epoch's number."""

    def __init__(self):
        self.stop_training = False
        self.weights = None

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights


def keras_run(callback, rule, series):
    """Feed a series to a real Keras callback; return (stopped epoch, best epoch, epoch of the weights at the end)."""
    model = Listener()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(series):
        model.weights = epoch
        callback.on_epoch_end(epoch, {rule.monitor: value})
        if model.stop_training:
            break
    callback.on_train_end()
    return (callback.stopped_epoch if model.stop_training else None), callback.best_epoch, model.weights


def numpy_run(rule, series):
    state, kept, epoch = EarlyStoppingState(rule), None, 0
    for epoch, value in enumerate(series):
        if state.update(epoch, value) and rule.restore_best_weights:
            kept = epoch
        if state.stopped_epoch is not None:
            break
    return state.stopped_epoch, state.best_epoch, epoch if kept is None else kept


def random_case(random):
    rule = EarlyStopping(
        monitor=str(random.choice(["val_loss", "val_accuracy"])),
        min_delta=float(random.choice([0, 0.01, 0.1, -0.05])),
        patience=int(random.integers(0, 6)),
        mode=str(random.choice(["auto", "min", "max"])),
        baseline=[None, 0.5, 0.9][random.integers(3)],
        restore_best_weights=bool(random.integers(2)),
        start_from_epoch=int(random.choice([0, 0, 1, 4])),
    )
    kind = random.choice(["noise", "ties", "plateau", "improving", "nan"])
    series = random.uniform(0, 1, 30)
    if kind == "ties":
        series = np.round(series, 1)
    elif kind == "plateau":
        series = np.repeat(series[:6], 5)
    elif kind == "improving":
        series = np.sort(series)[:: 1 if rule.larger_is_better else -1]
    elif kind == "nan":
        series[random.integers(0, 30, 5)] = np.nan
    return rule, [float(value) for value in series]


def stock(rule):
    return keras.callbacks.EarlyStopping(
        monitor=rule.monitor,
        min_delta=rule.min_delta,
        patience=rule.patience,
        mode="max" if rule.larger_is_better else "min",
        baseline=rule.baseline,
        restore_best_weights=rule.restore_best_weights,
        start_from_epoch=rule.start_from_epoch,
    )


def test_200_random_series_stop_alike():
    random = np.random.default_rng(11)
    stopped = compared_with_stock = 0
    for _ in range(200):
        rule, series = random_case(random)
        ours = numpy_run(rule, series)
        assert ours == keras_run(keras_early_stopping(rule), rule, series), (rule, series)
        stopped += ours[0] is not None
        if not any(math.isnan(value) for value in series):
            assert ours == keras_run(stock(rule), rule, series), (rule, series)
            compared_with_stock += 1
    assert stopped > 100
    assert compared_with_stock > 120


@pytest.mark.parametrize("make", [keras_early_stopping, stock])
def test_nan_rule_is_the_only_difference(make):
    """Keras takes a NaN in the first epoch for the best; in this project NaN is never an improvement."""
    rule = EarlyStopping(patience=2, restore_best_weights=True)
    series = [math.nan, 3.0, 2.0, 1.0, 0.5, 0.6, 0.7]
    ours = numpy_run(rule, series)
    assert ours == (6, 4, 4)
    assert (keras_run(make(rule), rule, series) == ours) == (make is keras_early_stopping)
