"""A run that was interrupted and taken up again ends with the bits of one that was not."""

import random
import signal
import subprocess
import sys
import time
from functools import cache

import numpy as np
import pytest

import model_spec as ms
from core_numpy import NumpyModel, WeightFileError
from keras_models import KerasModel
from model_spec import weight_files, zoo

SPEC = ms.ModelSpec(
    "small",
    (6, 6, 1),
    (
        ms.Conv2D(3, 3, activation="relu"),
        ms.BatchNormalization(),
        ms.Dropout(0.3),
        ms.Flatten(),
        ms.Dense(4, activation="softmax"),
    ),
)
TRAINING = ms.TrainingSpec(
    optimizer="adam",
    batch_size=8,
    epochs=6,
    early_stopping=ms.EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True),
)


BACKENDS = {"numpy": NumpyModel, "keras": KerasModel}
both = pytest.mark.parametrize("backend", BACKENDS)


def data():
    random = np.random.default_rng(0)
    return random.random((40, 6, 6, 1)), random.integers(0, 4, 40)


def fit(model, training=TRAINING, **options):
    x, y = data()
    return model.fit(x, y, training, validation_data=(x[:12], y[:12]), verbose=0, **options)


def interrupt_in(epoch):
    def stop(model, number, logs):
        if number == epoch:
            raise KeyboardInterrupt

    return ms.EpochHook(stop)


def same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


@cache
def uninterrupted(backend, training):
    """The model and the history of a run from one end to the other."""
    model = BACKENDS[backend](SPEC, seed=2)
    return model, fit(model, training)


@pytest.mark.parametrize(
    ("backend", "epoch", "optimizer"),
    [("numpy", epoch, name) for epoch in range(1, 6) for name in ("adam", ms.SGD(0.1, 0.9), ms.RMSprop(0.01), "nadam")]
    + [("keras", epoch, "adam") for epoch in range(1, 6)]
    + [("keras", 2, ms.SGD(0.1, 0.9)), ("keras", 2, "nadam")],
)
def test_taken_up_after_an_interruption(tmp_path, backend, epoch, optimizer):
    training = TRAINING.replace(optimizer=optimizer)
    whole, expected = uninterrupted(backend, training)
    broken, resumed = (BACKENDS[backend](SPEC, seed=2) for _ in range(2))
    path = tmp_path / "run.npz"
    interrupted = len(expected.epoch) > epoch
    if interrupted:
        with pytest.raises(KeyboardInterrupt):
            fit(broken, training, checkpoint=path, callbacks=[interrupt_in(epoch)])
    history = fit(resumed, training, checkpoint=path, resume=True)
    assert history.history == expected.history
    assert (history.epoch, history.best_epoch, history.stopped_epoch) == (
        expected.epoch,
        expected.best_epoch,
        expected.stopped_epoch,
    )
    same(resumed.weights, whole.weights)
    same(resumed.training_state(), whole.training_state())


STOPPING = TRAINING.replace(
    epochs=8, early_stopping=ms.EarlyStopping("val_loss", min_delta=1000.0, patience=3, restore_best_weights=True)
)
"""Nothing is so much better than the first epoch: it stays the best, and the fourth is the last."""


@both
@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_early_stopping_remembers_how_long_it_has_waited(tmp_path, backend, epoch):
    whole, expected = uninterrupted(backend, STOPPING)
    broken, resumed = (BACKENDS[backend](SPEC, seed=2) for _ in range(2))
    assert (expected.epoch, expected.best_epoch, expected.stopped_epoch) == ([0, 1, 2, 3], 0, 3)
    with pytest.raises(KeyboardInterrupt):
        fit(broken, STOPPING, checkpoint=tmp_path / "run.npz", callbacks=[interrupt_in(epoch)])
    history = fit(resumed, STOPPING, checkpoint=tmp_path / "run.npz", resume=True)
    assert history.history == expected.history
    assert (history.best_epoch, history.stopped_epoch) == (0, 3)
    same(resumed.weights, whole.weights)


@both
def test_callbacks_remember(tmp_path, backend):
    """A learning rate that has been waiting for three epochs has not been waiting for none."""

    def callbacks(path):
        plateau = ms.ReduceLROnPlateau("loss", factor=0.5, patience=2, min_delta=10.0, cooldown=1)
        # The better the earlier: forgetting what was best would write again
        best = ms.ModelCheckpoint(str(path), "loss", save_best_only=True, mode="max")
        return [ms.EpochHook(lambda *_: None), plateau, best]

    training = ms.TrainingSpec(optimizer=ms.SGD(0.1), batch_size=8, epochs=6)
    ending = ".npz" if backend == "numpy" else ".weights.h5"
    whole, broken, resumed = (BACKENDS[backend](SPEC, seed=2) for _ in range(3))
    fit(whole, training, callbacks=callbacks(tmp_path / f"first{ending}"))
    given, path = callbacks(tmp_path / f"second{ending}"), tmp_path / "run.npz"
    with pytest.raises(KeyboardInterrupt):
        fit(broken, training, checkpoint=path, callbacks=[*given, interrupt_in(3)])
    taken = callbacks(tmp_path / f"third{ending}")
    fit(resumed, training, checkpoint=path, resume=True, callbacks=taken)
    assert resumed.learning_rate == whole.learning_rate < 0.1
    same(resumed.weights, whole.weights)
    assert not (tmp_path / f"third{ending}").exists()
    with pytest.raises(ValueError, match="another run: it differs in callbacks"):
        fit(resumed, training, checkpoint=path, resume=True, callbacks=taken[:2])


def test_a_checkpoint_of_the_other_backend_is_refused(tmp_path):
    fit(NumpyModel(SPEC), epochs=1, checkpoint=tmp_path / "run.npz")
    with pytest.raises(ValueError, match="another run: it differs in backend"):
        fit(KerasModel(SPEC), checkpoint=tmp_path / "run.npz", resume=True)


@both
@pytest.mark.parametrize("changed", [{"seed": 8}, {"dropout_seed": 8}, {"masks": "fast"}], ids=str)
def test_masks_of_another_stream_are_refused(tmp_path, backend, changed):
    if backend == "keras" and "masks" in changed:
        pytest.skip("Keras has its own masks only")
    fit(BACKENDS[backend](SPEC), epochs=1, checkpoint=tmp_path / "run.npz")
    with pytest.raises(ValueError, match="another run: it differs in (dropout_seed .0 there, 8 here.|masks)"):
        fit(BACKENDS[backend](SPEC, **changed), checkpoint=tmp_path / "run.npz", resume=True)
    without = ms.ModelSpec("without", (6, 6, 1), (ms.Flatten(), ms.Dense(4, activation="softmax")))
    fit(BACKENDS[backend](without), epochs=1, checkpoint=tmp_path / "without.npz")
    fit(BACKENDS[backend](without, **changed), epochs=1, checkpoint=tmp_path / "without.npz", resume=True)


@both
@pytest.mark.parametrize("training", [TRAINING, STOPPING], ids=["to the end", "stopped"])
def test_a_finished_run_is_not_trained_further(tmp_path, backend, training):
    first, second = BACKENDS[backend](SPEC), BACKENDS[backend](SPEC, seed=5, dropout_seed=0)
    history = fit(first, training, checkpoint=tmp_path / "run.npz")
    again = fit(second, training, checkpoint=tmp_path / "run.npz", resume=True)
    assert again.history == history.history
    same(first.weights, second.weights)


@both
def test_a_run_may_be_made_longer(tmp_path, backend):
    training = ms.TrainingSpec(batch_size=8, epochs=2)
    whole, resumed = BACKENDS[backend](SPEC), BACKENDS[backend](SPEC)
    expected = fit(whole, training, epochs=4)
    fit(resumed, training, checkpoint=tmp_path / "run.npz")
    assert fit(resumed, training, checkpoint=tmp_path / "run.npz", resume=True, epochs=4).history == expected.history
    same(whole.weights, resumed.weights)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training": TRAINING.replace(batch_size=4)}, "training.batch_size"),
        ({"training": TRAINING.replace(seed=1)}, "training.seed"),
        # A run cut short in the middle of an epoch cannot be made longer to the same bits
        ({"training": TRAINING.replace(steps=7)}, "training.steps"),
        ({"spec": zoo.cnn((6, 6, 1), 4)}, "spec"),
        ({"dtype": "float64"}, "dtype"),
        ({"x": 1}, "data"),
    ],
)
def test_another_run_is_refused(tmp_path, change, message):
    path = tmp_path / "run.npz"
    fit(NumpyModel(SPEC), checkpoint=path)
    model = NumpyModel(change.get("spec", SPEC), dtype=change.get("dtype", "float32"))
    before = model.weights
    x, y = data()
    x[0] += change.get("x", 0)
    with pytest.raises(ValueError, match=f"another run: it differs in .*{message}"):
        model.fit(
            x, y, change.get("training", TRAINING), (x[:12], y[:12]), verbose=0, checkpoint=path, resume=True
        )  # fmt: skip
    for name, value in before.items():
        np.testing.assert_array_equal(model.weights[name], value)


def test_files_that_are_no_checkpoints(tmp_path):
    NumpyModel(SPEC).save_weights(tmp_path / "weights.npz")
    with pytest.raises(WeightFileError, match="no checkpoint"):
        fit(NumpyModel(SPEC), checkpoint=tmp_path / "weights.npz", resume=True)
    (tmp_path / "damaged.npz").write_bytes(b"PK damaged")
    with pytest.raises(WeightFileError, match="damaged.npz"):
        fit(NumpyModel(SPEC), checkpoint=tmp_path / "damaged.npz", resume=True)
    with pytest.raises(ValueError, match="give checkpoint="):
        fit(NumpyModel(SPEC), resume=True)
    with pytest.raises(ValueError, match="written as .npz"):
        fit(NumpyModel(SPEC), checkpoint=tmp_path / "run.h5")


PROGRAM = """
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[1])
from core_numpy import NumpyModel
from model_spec import TrainingSpec, zoo
random = np.random.default_rng(0)
x, y = random.random((64, 12, 12, 1)), random.integers(0, 10, 64)
model = NumpyModel(zoo.lenet((12, 12, 1)), masks="fast")
path = Path(sys.argv[2])
model.fit(x, y, TrainingSpec(epochs=12, batch_size=16), verbose=0, checkpoint=path, resume=True)
model.save_weights(path.with_name("final.npz"))
"""


def test_killed_at_any_moment(tmp_path, request):
    """Whatever was being written, the next run goes on from a whole file."""
    command = [sys.executable, "-c", PROGRAM, str(request.config.rootpath)]
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    subprocess.run([*command, str(tmp_path / "whole" / "run.npz")], check=True, timeout=120)
    moments = random.Random(0)
    for _ in range(4):
        process = subprocess.Popen([*command, str(tmp_path / "killed" / "run.npz")])
        time.sleep(moments.uniform(0.3, 1.2))
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([*command, str(tmp_path / "killed" / "run.npz")], check=True, timeout=120)
    with np.load(tmp_path / "whole" / "final.npz") as whole, np.load(tmp_path / "killed" / "final.npz") as killed:
        for name in whole.files:
            np.testing.assert_array_equal(whole[name], killed[name])


@both
@pytest.mark.parametrize("memory", [{"wait": 1}, {"patience": 3}, [1]])
def test_a_memory_that_is_none_leaves_the_model_as_it_is(tmp_path, backend, memory):
    """Behind a right seal: as another version might write it."""
    path = tmp_path / "run.npz"
    fit(BACKENDS[backend](SPEC), STOPPING, checkpoint=path, epochs=1)
    file = weight_files.read(path)
    facts = {name: file.meta[name] for name in ("backend", "dtype")}
    weight_files.save(path, file.arrays, SPEC, **facts, checkpoint=file.meta["checkpoint"] | {"stopping": memory})
    model = BACKENDS[backend](SPEC, seed=4)
    before = model.weights
    with pytest.raises(WeightFileError, match="is no checkpoint of a training run"):
        fit(model, STOPPING, checkpoint=path, resume=True)
    same(model.weights, before)


@pytest.mark.parametrize("kind", [NumpyModel, KerasModel])
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_a_training_that_diverges_at_once_ends_with_nan_and_restores_it(kind, tmp_path):
    line = ms.ModelSpec("line", (1,), (ms.Dense(1),))
    x = np.linspace(-1000, 1000, 40, dtype=np.float32)[:, None]
    stop = ms.EarlyStopping(patience=5, restore_best_weights=True)
    training = ms.TrainingSpec(ms.SGD(1e4), "mse", batch_size=2, epochs=4, validation_split=0.1, early_stopping=stop)
    model = kind(line)
    history = model.fit(x, 3 * x, training, verbose=0, checkpoint=tmp_path / "run.npz")
    assert np.isnan(history.history["val_loss"]).all() and len(history.history["loss"]) == 4
    assert (history.best_epoch, history.stopped_epoch) == (0, None)
    assert np.isnan(model.get_weights()[0]).all()
    with pytest.raises(ValueError, match="not finite in float32.*; the model is unchanged - a training that diverged"):
        kind(line).fit(x, 3 * x, training, verbose=0, checkpoint=tmp_path / "run.npz", resume=True)
