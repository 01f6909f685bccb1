"""One model used by many threads and by forked processes: the serial answers in every bit, and bounded memory."""

import multiprocessing
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import model_spec as ms
from core_numpy import NumpyModel
from core_numpy.engine.leases import _FORK_SECONDS, IDLE_BYTES, Leases
from core_numpy.engine.plan_cache import PlanCache
from core_numpy.engine.shards import ShardThreads, single_threaded_blas
from model_spec import zoo
from model_spec.training_lock import ModelInUseError, TrainingLock

SMALL = (8, 8, 1)
DENSE = ms.ModelSpec("dense", (64,), (ms.Dense(256, activation="relu"), ms.Dense(10, activation="softmax")))
NORMALIZED = ms.ModelSpec(
    "normalized", SMALL, (ms.Conv2D(4, 3), ms.BatchNormalization(), ms.Flatten(), ms.Dense(10, activation="softmax"))
)
NETWORKS = [zoo.mlp(), zoo.cnn(SMALL), zoo.lenet(SMALL), DENSE, NORMALIZED]
THREADS = 8


@pytest.fixture(autouse=True)
def frequent_switches():
    """Let Python change threads as often as it can."""
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(former)


def batches(spec, seed=0):
    random = np.random.default_rng(seed)
    sizes = [1, 2, 5, 17, 64, 65, 130, 300]
    return [(random.random((rows, *spec.input_shape)), random.integers(0, 10, rows)) for rows in sizes]


CALLS = {
    "predict": lambda model, x, y: {"output": model.predict(x)},
    "evaluate": lambda model, x, y: model.evaluate(x, y),
    "activations": lambda model, x, y: model.activations(x),
    "gradients": lambda model, x, y: (
        (found := model.loss_and_gradients(x, y)).parameters | {"loss": found.loss, "inputs": found.inputs}
    ),
}


@pytest.mark.parametrize("spec", NETWORKS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_many_threads_get_the_serial_answers(spec, engine):
    model = NumpyModel(spec, seed=1, engine=engine)
    jobs = [(call, *batch) for call in CALLS.values() for batch in batches(spec)]
    expected = [call(model, x, y) for call, x, y in jobs]
    order = np.random.default_rng(2).permutation(np.tile(np.arange(len(jobs)), 3))

    def differs(at):
        call, x, y = jobs[at]
        found = call(model, x, y)
        return [name for name, value in expected[at].items() if not np.array_equal(found[name], value)]

    with ThreadPoolExecutor(THREADS) as pool:
        assert [found for found in pool.map(differs, order) if found] == []


def test_threads_would_be_caught_sharing_buffers(monkeypatch):
    """The check above sees what it is there for: with one cache for all, answers differ."""
    shared = PlanCache()
    monkeypatch.setattr(Leases, "take", lambda leases: shared)
    monkeypatch.setattr(Leases, "give_back", lambda leases, cache: None)
    model = NumpyModel(DENSE, seed=1)
    x = np.random.default_rng(0).random((16, 64, 64)).astype(np.float32)
    expected = [model.predict(rows) for rows in x]

    def agrees(at):
        with np.errstate(all="ignore"):  # what one thread overwrites may overflow in another
            return np.array_equal(model.predict(x[at]), expected[at])

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(agrees, list(range(16)) * 60))
    assert not all(found)


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_no_answer_mixes_weights_from_before_and_after_a_change(engine):
    spec = zoo.cnn(SMALL)
    model = NumpyModel(spec, seed=1, engine=engine)
    model.start_training(ms.TrainingSpec())  # from here on weights are written in place
    x = np.random.default_rng(0).random((40, *SMALL))
    sets = [NumpyModel(spec, seed=seed).weights for seed in (1, 2)]
    right = []
    for weights in sets:
        model.set_weights(weights)
        right.append(model.predict(x))
    done = threading.Event()

    def change():
        for at in range(400):
            model.set_weights(sets[at % 2])
        done.set()

    answers = []
    with ThreadPoolExecutor(3) as pool:
        changing = pool.submit(change)
        while not done.is_set():
            answers.append(model.predict(x))
        changing.result()
    assert all(any(np.array_equal(answer, one) for one in right) for answer in answers)


def test_predictions_beside_a_training_are_those_of_some_step():
    spec = zoo.mlp(SMALL)
    x, y = np.random.default_rng(0).random((64, *SMALL)), np.arange(64) % 10
    steps = [ms.TrainingSpec(batch_size=8, epochs=4)]
    model, other = NumpyModel(spec, seed=1), NumpyModel(spec, seed=1)
    known = [other.predict(x).tobytes()]

    class Record(ms.Callback):
        def on_epoch_end(self, epoch, logs=None):
            known.append(other.predict(x).tobytes())

    other.fit(x, y, steps[0], callbacks=[Record()], verbose=0)
    seen = []
    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(model.fit, x, y, steps[0], verbose=0)
        while not training.done():
            seen.append(model.predict(x))
    assert np.isfinite(seen).all()
    assert model.predict(x).tobytes() == known[-1]


@pytest.mark.parametrize(
    "second",
    [
        lambda model, x, y: model.fit(x, y, ms.TrainingSpec(epochs=1), verbose=0),
        lambda model, x, y: model.train_on_batch(x, y),
        lambda model, x, y: model.start_training(ms.TrainingSpec()),
        lambda model, x, y: model.set_weights(model.weights),
        lambda model, x, y: model.set_training_state(model.training_state()),
    ],
)
def test_a_second_thread_may_not_train(second):
    model = NumpyModel(zoo.mlp(SMALL), seed=1)
    x, y = np.random.default_rng(0).random((16, *SMALL)), np.arange(16) % 10
    inside, tried = threading.Event(), threading.Event()

    class Wait(ms.Callback):
        def on_epoch_end(self, epoch, logs=None):
            model.set_weights(model.weights)  # the thread that trains may
            inside.set()
            tried.wait(20)

    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(model.fit, x, y, ms.TrainingSpec(epochs=1), callbacks=[Wait()], verbose=0)
        assert inside.wait(20)
        try:
            with pytest.raises(ModelInUseError, match=r"another thread is training.*NumpyModel\(model\.spec"):
                second(model, x, y)
            assert model.predict(x).shape == (16, 10)
        finally:
            tried.set()
        training.result()
    second(model, x, y)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_a_forked_child_answers_and_trains(engine):
    """Also where other threads of the parent are inside at the moment of the fork."""
    model = NumpyModel(zoo.lenet(), seed=1, engine=engine)
    x = np.random.default_rng(0).random((200, 28, 28, 1), np.float32)
    y = np.arange(200) % 10
    expected = model.predict(x)
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            model.predict(x[:100])

    def child(answers):
        equal = [bool(np.array_equal(model.predict(x), expected)) for _ in range(2)]
        model.start_training(ms.TrainingSpec())
        equal.append(bool(np.isfinite(model.train_on_batch(x, y))))
        answers.put(equal)

    context = multiprocessing.get_context("fork")
    with ThreadPoolExecutor(2) as pool:
        threads = [pool.submit(busy) for _ in range(2)]
        try:
            for _ in range(2):
                answers = context.Queue()
                process = context.Process(target=child, args=(answers,), daemon=True)
                started = time.monotonic()
                process.start()
                # Calls at work had ended: the fork did not give up waiting for them
                assert time.monotonic() - started < _FORK_SECONDS
                assert answers.get(timeout=60) == [True, True, True]
                process.join(20)
        finally:
            stop.set()
        for thread in threads:
            thread.result()
    assert np.array_equal(model.predict(x), expected)


def test_memory_of_plans_is_bounded():
    spec = zoo.lenet()
    model = NumpyModel(spec, seed=1)
    x = np.random.default_rng(0).random((300, 28, 28, 1), np.float32)
    leases = model._running_engine().leases
    for rows in np.random.default_rng(1).integers(1, 301, 60):
        model.predict(x[:rows])
        assert leases.idle_bytes <= IDLE_BYTES
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda rows: model.predict(x[:rows]), np.random.default_rng(2).integers(1, 301, 60)))
    assert all(cache.nbytes <= IDLE_BYTES for cache in leases._idle)
    assert leases.idle_bytes == sum(plan.nbytes for cache in leases._idle for plan in cache.plans)


class Sized:
    """A stand-in for a plan that only has a size."""

    def __init__(self, nbytes):
        self.nbytes, self.released = nbytes, False

    def release(self):
        self.released = True


def key(examples):
    return 0, examples, False, True


def test_a_cache_forgets_what_was_not_used_for_longest():
    cache = PlanCache()
    plans = {}
    for size in (1, 2, 3):
        plans[size] = cache.get(key(size), lambda key: Sized(10 * key[1]))
        cache.end_call(1000)
    cache.get(key(1), None)
    cache.get(key(4), lambda key: Sized(40))
    cache.end_call(85)
    assert [plan.nbytes for plan in cache.plans] == [30, 10, 40]
    assert plans[2].released
    assert not plans[3].released
    # A call that needs more by itself keeps what it needs: the next one is most often like it
    cache.get(key(5), lambda key: Sized(500))
    cache.end_call(85)
    assert (cache.nbytes, len(cache.plans)) == (500, 1)


def test_a_lost_lease_is_replaced():
    leases = Leases(1)
    leases.take()  # a thread that Ctrl-C has hit takes it along
    assert isinstance(leases.take(), PlanCache)


def test_a_lock_of_the_parents_thread_is_free_in_another_process(monkeypatch):
    lock = TrainingLock()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lock.__enter__).result()
        with pytest.raises(ModelInUseError), lock:
            pass
        monkeypatch.setattr("model_spec.training_lock.os.getpid", lambda: -1)
        with lock:
            pass


def test_reductions_of_two_batches_do_not_wait_for_each_other():
    """Shards of a coupled batch wait for each other; two such batches share the helper threads."""
    workers = ShardThreads(3, one_blas_thread=False)

    def task(shard, handle):
        return float(handle.sum(np.ones(1))[0])

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda _: workers.run_all_reduce(task, 3, 3), range(200), timeout=60))
    assert found == [[3.0, 3.0, 3.0]] * 200


def test_blas_threads_come_back_in_a_child():
    limit = single_threaded_blas()
    with limit:
        limit._start_anew()  # what a fork does in the child
        assert limit._inside == 0
        assert limit._limit is None
        limit._inside = 1  # for the exit of this test's own block


@pytest.mark.parametrize("readers", [1, 3])
@pytest.mark.parametrize("call", ["train", "set weights", "predict"])
def test_threads_that_predict_in_a_loop_keep_nobody_out(readers, call):
    # Python's own: a thread keeps the interpreter for many calls of a network as small as this
    sys.setswitchinterval(0.005)
    spec = ms.ModelSpec("tiny", (20,), (ms.Dense(30, activation="relu"), ms.Dense(4, activation="softmax")))
    model = NumpyModel(spec, seed=1)
    x, y = np.random.default_rng(0).random((33, 20), np.float32), np.arange(33) % 4
    model.start_training(ms.TrainingSpec(optimizer="adam"))
    calls = {
        "train": lambda: model.train_on_batch(x, y),
        "set weights": lambda: model.set_weights(model.get_weights()),
        "predict": lambda: model.predict(x),
    }
    stop, counts = threading.Event(), [0] * readers

    def read(number):
        while not stop.is_set():
            model.predict(x)
            counts[number] += 1

    def work():
        for _ in range(30):
            calls[call]()

    threads = [threading.Thread(target=read, args=(number,), daemon=True) for number in range(readers)]
    worker = threading.Thread(target=work, daemon=True)
    for thread in (*threads, worker):
        thread.start()
    worker.join(20)
    ended = not worker.is_alive()
    stop.set()
    for thread in threads:
        thread.join(20)
    assert ended
    assert min(counts) > 0


def test_who_waits_for_several_caches_keeps_his_place():
    leases = Leases(3)
    one = leases.take()
    order = []

    def write():
        with leases.writing():
            order.append("writer")

    def read():
        with leases.reading():
            order.append("reader")

    writer = threading.Thread(target=write)
    writer.start()
    while not leases._queue:
        time.sleep(0.001)
    reader = threading.Thread(target=read)
    reader.start()
    while len(leases._queue) < 2:
        time.sleep(0.001)
    leases.give_back(one)
    for thread in (writer, reader):
        thread.join(20)
    assert order == ["writer", "reader"]
    assert len(leases._idle) == 3
    assert not leases._queue
