"""Keras models in threads: one model from many, two precisions side by side, and one training at a time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

import model_spec as ms
from keras_models import KerasModel, floatx
from model_spec import zoo
from model_spec.training_lock import ModelInUseError

SPEC = zoo.cnn((8, 8, 1))
X = np.random.default_rng(0).random((4, 64, 8, 8, 1))
Y = np.arange(64) % 10


def test_precisions_do_not_touch_each_other():
    models = [KerasModel(SPEC, seed=1, dtype=dtype) for dtype in ("float32", "float64")]
    calls = [
        lambda model, x: {"output": model.predict(x)},
        lambda model, x: model.activations(x),
        lambda model, x: model.loss_and_gradients(x, Y).parameters,
        lambda model, x: model.evaluate(x, Y),
    ]
    jobs = [(call, model, x) for call in calls for x in X[:2] for model in models]
    expected = [call(model, x) for call, model, x in jobs]

    def differs(at):
        call, model, x = jobs[at]
        precision = 1e-12 if model.dtype == "float64" else 1e-5
        found = call(model, x)
        return [
            name
            for name, value in expected[at].items()
            if np.asarray(found[name]).dtype != np.asarray(value).dtype
            or np.max(np.abs(np.asarray(found[name]) - value)) > precision
        ]

    with ThreadPoolExecutor(4) as pool:
        assert [found for found in pool.map(differs, list(range(len(jobs))) * 4) if found] == []
    assert keras.config.floatx() == "float32"
    assert keras.config.dtype_policy().name == "float32"


def test_the_other_width_waits_and_nesting_does_not_block():
    inside, leave = threading.Event(), threading.Event()
    seen = []

    def first():
        with floatx("float32"):
            inside.set()
            leave.wait(20)
            with floatx("float64"):  # while the second thread waits for just this width
                seen.append(("first", keras.config.floatx()))
            seen.append(("first", keras.config.floatx()))

    def second():
        with floatx("float64"):
            seen.append(("second", keras.config.floatx()))
            with floatx("float32"):
                seen.append(("second", keras.config.floatx()))

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        assert inside.wait(20)
        other = pool.submit(second)
        with pytest.raises(TimeoutError):
            other.result(timeout=0.1)
        leave.set()
        one.result(timeout=20)
        other.result(timeout=20)
    assert sorted(seen) == [("first", "float32"), ("first", "float64"), ("second", "float32"), ("second", "float64")]
    assert keras.config.floatx() == "float32"


def test_a_second_thread_may_predict_but_not_train():
    model = KerasModel(SPEC, seed=1)
    inside, tried = threading.Event(), threading.Event()

    class Wait(ms.Callback):
        def on_epoch_end(self, epoch, logs=None):
            model.evaluate(X[0], Y)  # the thread that trains may
            inside.set()
            tried.wait(60)

    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(model.fit, X[0], Y, ms.TrainingSpec(epochs=1), callbacks=[Wait()], verbose=0)
        assert inside.wait(60)
        try:
            for change in (
                lambda: model.fit(X[0], Y, ms.TrainingSpec(epochs=1), verbose=0),
                lambda: model.train_on_batch(X[0], Y),
                lambda: model.set_weights(model.weights),
                lambda: model.loss_and_gradients(X[0], Y),
            ):
                with pytest.raises(ModelInUseError, match="another thread is training"):
                    change()
            assert model.predict(X[0]).shape == (64, 10)
        finally:
            tried.set()
        training.result()
    model.fit(X[0], Y, ms.TrainingSpec(epochs=1), verbose=0)
