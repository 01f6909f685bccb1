"""Worker processes: the bits of threads, errors and warnings that come back, and clean ends."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings

import numpy as np
import pytest

import model_spec as ms
from core_numpy import NumpyModel, losses
from core_numpy.batch import Batch
from core_numpy.engine import runner, shard_runner, shard_tasks, worker_process, worker_team
from core_numpy.engine.shared_memory import MOST_LAYOUTS, SharedMemory
from core_numpy.engine.worker_process import WorkerDied, WorkerProcess
from core_numpy.engine.worker_team import WorkerTeam
from core_numpy.network import flatten
from model_spec import zoo

SMALL = (8, 8, 1)
REGRESSION = ms.ModelSpec(
    "values", SMALL, (ms.Conv2D(3, 3, activation="tanh"), ms.AveragePooling2D(2), ms.Flatten(), ms.Dense(2))
)
FROZEN = ms.ModelSpec(
    "frozen", SMALL, (ms.Conv2D(3, 3, trainable=False), ms.Flatten(), ms.Dense(10, activation="softmax"))
)
NORMALIZED = ms.ModelSpec(
    "normalized", SMALL, (ms.Conv2D(4, 3), ms.BatchNormalization(), ms.Flatten(), ms.Dense(10, activation="softmax"))
)
BRANCHED = ms.ModelSpec(
    "branched",
    SMALL,
    (
        ms.Conv2D(4, 3, padding="same", activation="relu", name="stem"),
        ms.Conv2D(4, 1, name="left"),
        ms.Concatenate(inputs=("stem", "left")),
        ms.Flatten(),
        ms.Dense(10, activation="softmax"),
    ),
)


@pytest.fixture(autouse=True)
def every_batch_is_shared(monkeypatch):
    """Small images are enough."""
    monkeypatch.setattr(runner, "LEAST_SHARED_FLOPS", 0)


def models(spec, **options):
    """The same model with threads and with processes."""
    return [NumpyModel(spec, seed=1, threads=2, workers=workers, **options) for workers in ("threads", "processes")]


def team(model):
    return model._running_engine().tier.team


def batch(spec, rows=37, seed=0):
    random = np.random.default_rng(seed)
    x = random.random((rows, *spec.input_shape))
    return x, random.random((rows, 2)) if spec is REGRESSION else random.integers(0, 10, rows)


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        (zoo.lenet(SMALL), {}),
        (zoo.lenet(SMALL), {"masks": "fast", "dtype": "float64"}),
        (zoo.cnn(SMALL), {"dtype": "float64"}),
        (REGRESSION, {}),
        (FROZEN, {}),
        (NORMALIZED, {}),
        (BRANCHED, {}),
    ],
    ids=lambda value: value.name if isinstance(value, ms.ModelSpec) else "-".join(value.values()),
)
def test_processes_give_the_bits_of_threads(spec, options):
    x, y = batch(spec)
    loss = "mse" if spec is REGRESSION else None
    found = []
    for model in models(spec, **options):
        # 37 rows in batches of 16: the last one has five
        history = model.fit(x, y, epochs=2, batch_size=16, loss=loss, verbose=0, sample_weight=np.linspace(0.5, 2, 37))
        found.append([*model.get_weights(), model.predict(x), *history.history["loss"], *model.evaluate(x, y).values()])
    assert team(model).process_ids
    for threads, processes in zip(*found, strict=True):
        np.testing.assert_array_equal(threads, processes)


def test_a_large_batch_is_taken_in_turns(monkeypatch):
    x, y = batch(REGRESSION, rows=37)
    model = models(REGRESSION)[1]
    model.compile(loss="mse")
    expected, loss = model.predict(x), model.evaluate(x, y)["loss"]
    monkeypatch.setattr(runner, "_MOST_ROWS", 10)
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-6)
    assert model.evaluate(x, y)["loss"] == pytest.approx(loss, rel=1e-6)


def test_losses_and_masks_of_ones_own_stay_with_the_caller():
    model = models(zoo.cnn(SMALL))[1]
    model.start_training(ms.TrainingSpec())
    model.loss_functions = lambda rule, from_logits: losses.loss_function(rule, from_logits)
    model.train_on_batch(*batch(model.spec))
    assert not team(model).process_ids
    assert shard_tasks.LossTask.of({}, {}, ms_batch(), {0: object()}, model.spec) is None


def ms_batch():
    return Batch(np.zeros((1, 1)), np.zeros(1), None, losses.loss_function)


@pytest.mark.parametrize("options", [{"threads": 1}, {"engine": "reference"}, {"workers": "threads"}], ids=str)
def test_no_process_where_none_is_wanted(options):
    model = NumpyModel(zoo.cnn(SMALL), **{"workers": "processes", **options})
    model.predict(batch(model.spec)[0])
    assert getattr(getattr(model._running_engine().tier, "team", None), "process_ids", []) == []


def test_gradients_outlive_the_loan_of_the_worker():
    """Whoever borrows it next, such as a prediction in another thread, writes into the same memory."""
    model = models(zoo.cnn(SMALL))[1]
    x, y = (part[:40] for part in batch(model.spec))
    engine = model._running_engine()
    with engine.leases.reading() as plans:
        work = Batch(np.float32(x), y, model.loss, losses.loss_function, training=True)
        gradients = flatten(engine.tier.pull_loss(model.params, model.state, work, plans).gradients)
    (worker,) = team(model)._team
    kept = {name: gradient.copy() for name, gradient in gradients.items()}
    for views in worker._memory._views.values():
        for view in views:
            view[...] = 7
    for name, gradient in gradients.items():
        np.testing.assert_array_equal(gradient, kept[name])


def test_unknown_workers_are_refused():
    with pytest.raises(ValueError, match="workers must be one of .*processes.*, got 'fibers'"):
        NumpyModel(zoo.cnn(SMALL), workers="fibers")


def test_a_dead_worker_is_an_error_and_the_next_call_is_right():
    threads, model = models(zoo.cnn(SMALL))
    x, y = batch(model.spec)
    for each in (threads, model):
        each.start_training(ms.TrainingSpec())
        each.train_on_batch(x, y)
    before = model.get_weights()
    (worker,) = team(model).process_ids
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(WorkerDied, match=rf"worker process {worker} .*\(signal SIGKILL\).*workers='threads'"):
        model.train_on_batch(x, y)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert model.train_on_batch(x, y) == threads.train_on_batch(x, y)
    assert team(model).process_ids != [worker]


def test_a_caller_that_fails_ends_the_worker(monkeypatch):
    """The answer it did not wait for must not be the next call's."""
    threads, model = models(zoo.cnn(SMALL))
    x, _ = batch(model.spec)
    model.predict(x)

    def interrupted(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shard_runner.ShardRunner, "infer", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.predict(x)
    assert not team(model).process_ids
    np.testing.assert_array_equal(model.predict(x + 1), threads.predict(x + 1))


def is_running(process_id):
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def gone(process_id, seconds=10):
    deadline = time.monotonic() + seconds
    while is_running(process_id) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_running(process_id)


def test_the_worker_ends_with_its_model():
    model = models(zoo.cnn(SMALL))[1]
    model.predict(batch(model.spec)[0])
    (worker,) = team(model).process_ids
    assert is_running(worker)
    del model
    gc.collect()
    assert gone(worker)


ORPHAN = """
import os, sys, time
import numpy as np
from core_numpy import NumpyModel
from core_numpy.engine import runner
from model_spec import zoo

runner.LEAST_SHARED_FLOPS = 0
model = NumpyModel(zoo.cnn((8, 8, 1)), threads=2, workers="processes")
model.predict(np.zeros((9, 8, 8, 1)))
if sys.argv[1] == "forks" and not os.fork():
    os.close(1)
    time.sleep(60)
print(*model._running_engine().tier.team.process_ids, flush=True)
while True:
    model.predict(np.zeros((9, 8, 8, 1)))
"""


def named_memory():
    """Shared memory with a name that Python or this project gave; semaphores of tests beside this one come and go."""
    names = os.listdir("/dev/shm") if os.path.isdir("/dev/shm") else []
    return {name for name in names if name.startswith(("psm_", "crosscheck"))}


@pytest.mark.parametrize("parent", ["alone", "forks"])
def test_the_worker_ends_with_its_parent_and_leaves_nothing(parent):
    """A script without a main guard, killed; a child it forked lives on, and knows nothing of the worker."""
    before = named_memory()
    script = [sys.executable, "-c", textwrap.dedent(ORPHAN), parent]
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        worker = int(process.stdout.readline())
        process.kill()
        process.wait()
        ended = gone(worker)
        if parent == "forks":
            os.killpg(process.pid, signal.SIGKILL)
    assert ended
    assert named_memory() <= before


def test_a_forked_child_starts_a_worker_of_its_own():
    threads, model = models(zoo.cnn(SMALL))
    x, _ = batch(model.spec)
    expected = threads.predict(x)
    model.predict(x)
    (worker,) = team(model).process_ids
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        right = np.array_equal(model.predict(x), expected) and team(model).process_ids != [worker]
        team(model).end()
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert is_running(worker)
    np.testing.assert_array_equal(model.predict(x), expected)


def make_odd_server(fails=False):
    if fails:
        raise LookupError("no such server")

    def serve(inputs, results, what):
        if what == "warn":
            warnings.warn("odd", UserWarning, stacklevel=1)
            return np.float32(0) / np.float32(0)
        if what == "raise":
            raise LookupError("not here")
        results["double"][...] = 2 * inputs["x"]
        return "done"

    return serve


@pytest.fixture
def odd(monkeypatch):
    monkeypatch.setattr(sys, "path", [os.path.dirname(__file__), *sys.path])
    worker = WorkerProcess(make_odd_server)
    yield worker
    worker.end()


def test_warnings_and_errors_come_back(odd):
    with np.errstate(invalid="ignore"):
        odd.begin({}, {}, {"what": "warn"})
    with pytest.warns(UserWarning, match="odd"):
        assert np.isnan(odd.finish()[0])
    with np.errstate(invalid="raise"):
        odd.begin({}, {}, {"what": "warn"})
    with pytest.warns(UserWarning, match="odd"), pytest.raises(FloatingPointError):
        odd.finish()
    odd.begin({}, {}, {"what": "raise"})
    with pytest.raises(LookupError, match="not here"):
        odd.finish()


def test_arrays_of_many_shapes(odd):
    """More lists of shapes than either side remembers, in an order that repeats."""
    for rows in [*range(1, 2 * MOST_LAYOUTS), *range(1, 5)]:
        x = np.arange(rows * 3, dtype=np.float32).reshape(rows, 3)
        odd.begin({"x": x}, {"double": (x.shape, "<f8")}, {"what": "double"})
        value, results = odd.finish()
        assert value == "done"
        np.testing.assert_array_equal(results["double"], 2 * x)


def test_a_server_that_cannot_be_made_is_told(monkeypatch):
    monkeypatch.setattr(sys, "path", [os.path.dirname(__file__), *sys.path])
    monkeypatch.setattr(worker_process.subprocess, "Popen", quiet(worker_process.subprocess.Popen))
    with pytest.raises(WorkerDied, match="exit code 1"):
        WorkerProcess(make_odd_server, True).is_ready(wait=True)


def quiet(start):
    return lambda *arguments, **options: start(*arguments, **options, stderr=subprocess.DEVNULL)


def test_memory_is_shared_and_grows():
    memory = SharedMemory()
    other = SharedMemory(os.dup(memory.descriptor))
    for count in (3, 5000):
        mine, theirs = (one.arrays([((count,), "<f4"), ((2,), "<i8")]) for one in (memory, other))
        mine[0][:] = np.arange(count)
        mine[1][:] = -1
        np.testing.assert_array_equal(theirs[0], np.arange(count))
        np.testing.assert_array_equal(theirs[1], [-1, -1])
    for one in (memory, other):
        one.close()


class StandIn:
    """A worker that is always ready."""

    process_id = 0

    def __init__(self, *arguments):
        self.end = lambda: None

    def is_ready(self, wait=False):
        return True


@pytest.mark.parametrize("faster", ["threads", "processes"])
def test_auto_keeps_what_is_faster(faster, monkeypatch):
    now = 0.0
    monkeypatch.setattr(worker_team, "perf_counter", lambda: now)
    monkeypatch.setattr(worker_process, "WorkerProcess", StandIn)
    auto = WorkerTeam("auto", 1, None)
    used = []
    for _ in range(60):
        with auto.borrow("training") as members:
            used.append("threads" if members is None else "processes")
            now += 0.1 if used[-1] == faster else 0.2
    assert used[:6] == ["threads"] * 6  # a second of work comes first
    assert set(used[6:18]) == {"threads", "processes"}
    assert set(used[-20:]) == {faster}
    assert auto.process_ids == ([0] if faster == "processes" else [])


def test_auto_goes_on_with_threads_where_its_process_cannot_start(monkeypatch):
    """Nobody has asked for a process, so nobody is told."""
    monkeypatch.setattr(sys, "path", [os.path.dirname(__file__), *sys.path])
    monkeypatch.setattr(worker_process.subprocess, "Popen", quiet(worker_process.subprocess.Popen))
    monkeypatch.setattr(worker_team, "WORTH_SECONDS", -1.0)
    auto = WorkerTeam("auto", 1, make_odd_server, True)
    deadline = time.monotonic() + 20
    while auto.workers == "auto" and time.monotonic() < deadline:
        with auto.borrow("training") as members:
            assert members is None
        time.sleep(0.01)
    assert auto.workers == "threads"
    assert not auto.process_ids


def test_where_no_process_can_start_threads_go_on(monkeypatch):
    def refused(*arguments, **options):
        raise OSError("no more processes")

    threads, model = models(zoo.cnn(SMALL))
    x, _ = batch(model.spec)
    monkeypatch.setattr(worker_process.subprocess, "Popen", refused)
    np.testing.assert_array_equal(model.predict(x), threads.predict(x))
    monkeypatch.setattr(worker_process.sys, "platform", "win32")
    assert not worker_process.can_start()
