"""The fast tier equals the reference: every layer in a plan, every batch size, any number of threads."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import model_spec as ms
from core_numpy import NumpyModel
from core_numpy.engine import layout, runner
from core_numpy.engine.plan_cache import PlanCache
from core_numpy.engine.runner import FEW_IMAGES, chunk_size, even_chunk
from core_numpy.engine.shards import chunk_bounds, shard_bounds, single_threaded_blas
from core_numpy.engine.steps import INCREASING, pooled_first
from core_numpy.layers.activation import Activation
from core_numpy.layers.pooling import MaxPooling2D
from core_numpy.network import Network
from core_numpy.ops.activations import FUNCTIONS
from core_numpy.tiers import why_not_fast
from model_spec import zoo
from model_spec.activations import ACTIVATIONS

IMAGE, VECTOR = (7, 6, 2), (5,)

IMAGE_LAYERS = [
    ms.Conv2D(3, 3),
    ms.Conv2D(3, (3, 2), padding="same", activation="relu"),
    ms.Conv2D(3, 2, strides=2, use_bias=False),
    ms.Conv2D(3, 3, strides=(2, 3), padding="same"),
    ms.Conv2D(3, (2, 3), strides=(1, 2)),
    ms.Conv2D(2, 2, dilation_rate=(2, 1)),
    ms.Conv2D(2, 2, dilation_rate=(1, 2)),
    ms.Conv2D(2, 2, dilation_rate=2, padding="same"),
    ms.Conv2D(5, (7, 6)),
    ms.Conv2D(6, 1),
    ms.Conv2D(3, 2, trainable=False),
    *(
        kind(pool, strides, padding)
        for kind in (ms.MaxPooling2D, ms.AveragePooling2D)
        for pool, strides in ((2, None), (3, 2), (2, 1), ((1, 2), (3, 1)), (2, 3))
        for padding in ("valid", "same")
    ),
    ms.GlobalAveragePooling2D(),
    ms.GlobalMaxPooling2D(),
    ms.ZeroPadding2D(((1, 0), (2, 1))),
    ms.Reshape((6, 7, 2)),
    ms.Rescaling(0.5, 0.2),
    ms.Rescaling(0.5, [0.2, -0.4]),
    ms.Dropout(0.4),
    ms.Dropout(0.4, (None, 1, 1, None)),
    ms.BatchNormalization(),
    ms.BatchNormalization(center=False, scale=False),
    ms.BatchNormalization(trainable=False),
    ms.Dense(4, activation="tanh"),
    *(ms.Activation(name) for name in ACTIVATIONS if name != "step"),
]
VECTOR_LAYERS = [
    ms.Dense(4, use_bias=False),
    ms.Dense(4, trainable=False),
    ms.Reshape((5, 1)),
    ms.Rescaling(2.0),
    ms.Dropout(0.4),
    ms.BatchNormalization(),
    *(ms.Dense(4, activation=name) for name in ACTIVATIONS if name != "step"),
]


@pytest.fixture(autouse=True)
def split_every_batch(monkeypatch):
    """However small the networks here are."""
    monkeypatch.setattr(runner, "LEAST_SHARED_FLOPS", 0.0)


def name_of(layer):
    text = repr(layer.replace(name=None)) if hasattr(layer, "replace") else repr(layer)
    return text.replace("trainable=True, ", "").replace("name=None, ", "").replace(" ", "")[:70]


def sandwich(shape, *layers):
    """The layers behind one with parameters, and in front of a classifier, so that gradients pass through both ways."""
    front = ms.Conv2D(shape[-1], 1, activation="tanh") if len(shape) == 3 else ms.Dense(shape[-1], activation="tanh")
    return ms.ModelSpec("sandwich", shape, (front, *layers, ms.Flatten(), ms.Dense(3, activation="softmax")))


def pair(spec, dtype="float64", **options):
    """(fast, reference) with the same random weights."""
    random = np.random.default_rng(3)
    reference = NumpyModel(spec, 1, dtype, engine="reference")
    values = {name: random.normal(size=value.shape) * 0.5 for name, value in reference.weights.items()}
    values |= {name: np.abs(value) + 0.5 for name, value in values.items() if name.endswith("variance")}
    fast = NumpyModel(spec, 1, dtype, engine="fast", **options)
    for model in (fast, reference):
        model.set_weights(values)
    return fast, reference


def batch(spec, examples):
    random = np.random.default_rng(5)
    x = random.normal(size=(examples, *spec.input_shape))
    return x, random.integers(0, spec.output_shape[-1], examples), random.normal(size=(examples, *spec.output_shape))


def assert_same(found, expected, message=""):
    """Equal but for float64 rounding of sums in another order."""
    scale = max(float(np.abs(expected).max(initial=0)), 1e-3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * scale, err_msg=message)


def assert_equal_gradients(found, expected):
    if expected.loss is not None:
        assert found.loss == pytest.approx(expected.loss, rel=1e-12)
    assert set(found.parameters) == set(expected.parameters)
    for name, value in expected.parameters.items():
        assert_same(found.parameters[name], value, name)
    assert_same(found.inputs, expected.inputs, "x")


CASES = [
    pytest.param(sandwich(shape, layer), id=name_of(layer))
    for shape, layers in ((IMAGE, IMAGE_LAYERS), (VECTOR, VECTOR_LAYERS))
    for layer in layers
]
CASES += [
    pytest.param(sandwich(IMAGE, layer, ms.Conv2D(3, (3, 2), padding="same")), id=f"{name_of(layer)}-before-same")
    for layer in IMAGE_LAYERS
    if len(layer.output_shape(IMAGE)) == 3
]


@pytest.mark.parametrize("spec", CASES)
def test_a_plan_equals_the_reference(spec):
    fast, reference = pair(spec)
    x, y, cotangent = batch(spec, 2 * FEW_IMAGES + 3)
    assert_same(fast.predict(x), reference.predict(x))
    assert_same(fast.predict(x[:1]), reference.predict(x[:1]))
    for training in (False, True):
        found, expected = (model.loss_and_gradients(x, y, training=training) for model in (fast, reference))
        assert_equal_gradients(found, expected)
        found, expected = (model.pullback(x, cotangent, training=training) for model in (fast, reference))
        assert_equal_gradients(found, expected)


def plans_of(model):
    """The plans a model keeps between calls."""
    return [plan for cache in model._running_engine().leases._idle for plan in cache.plans]


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "elu"])
@pytest.mark.parametrize("shape", [IMAGE, VECTOR])
def test_activations_go_by_pieces(name, shape, monkeypatch):
    monkeypatch.setattr(layout, "PIECE_BYTES", 200)
    spec = sandwich(shape, ms.Activation(name))
    fast, reference = pair(spec)
    x, y, _ = batch(spec, 2 * FEW_IMAGES + 3)
    assert_same(fast.predict(x), reference.predict(x))
    assert_equal_gradients(fast.loss_and_gradients(x, y), reference.loss_and_gradients(x, y))
    blocks = [block for plan in plans_of(fast) for block in plan.blocks]
    assert any(len(block.pieces) > 1 for block in blocks if hasattr(block, "pieces"))


def test_elu_keeps_all_digits_of_small_values():
    x = np.concatenate([-(10.0 ** np.linspace(-30, 2, 500)), [0.0, 1.5]]).astype(np.float32)
    spec = ms.ModelSpec("elu", (len(x),), (ms.Activation("elu"),))
    found = NumpyModel(spec, engine="fast").predict(x[None])[0]
    true = np.where(x > 0, x, np.expm1(x.astype(np.float64)))
    # tanh is good to two units, the difference and the quotient to half a unit each
    np.testing.assert_allclose(found, true, rtol=3 * np.finfo(np.float32).eps, atol=0)


@pytest.mark.parametrize("spec", CASES)
def test_a_step_equals_the_reference(spec):
    fast, reference = pair(spec)
    x, y, _ = batch(spec, 11)
    for model in (fast, reference):
        model.start_training(ms.TrainingSpec(optimizer=ms.SGD(0.1, momentum=0.5)))
    for _ in range(3):
        assert fast.train_on_batch(x, y) == pytest.approx(reference.train_on_batch(x, y), rel=1e-11)
    for name, value in reference.weights.items():
        assert_same(fast.weights[name], value, name)
    assert fast.evaluate(x, y) == pytest.approx(reference.evaluate(x, y), rel=1e-10)


@pytest.mark.parametrize("pool, strides", [(2, None), (3, 1), (3, 2)])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_of_equal_cells_the_first_wins(pool, strides, activation):
    """Small whole numbers all the way to the pooling, so that most windows hold equal cells."""
    layers = (ms.Conv2D(3, 1, activation=activation), ms.MaxPooling2D(pool, strides), ms.Flatten(), ms.Dense(3))
    spec = ms.ModelSpec("ties", IMAGE, layers)
    models = pair(spec)
    random = np.random.default_rng(8)
    x = random.integers(-1, 2, (9, *IMAGE)).astype(float)
    whole = {name: np.rint(value * 4) for name, value in models[0].weights.items() if name.startswith("conv2d")}
    for model in models:
        model.set_weights(model.weights | whole)
    cotangent = random.normal(size=(9, 3))
    found, expected = (model.pullback(x, cotangent) for model in models)
    assert_equal_gradients(found, expected)


@pytest.mark.parametrize("examples", [1, 2, 3, 5, 31, 64, 65, 130, 257, 700])
@pytest.mark.parametrize("name", ["mlp", "lenet", "bn_cnn"])
def test_any_batch_size(name, examples):
    spec = zoo.build(name, (8, 8, 1))
    fast, reference = pair(spec)
    x, y, _ = batch(spec, examples)
    assert_same(fast.predict(x), reference.predict(x))
    found, expected = (model.loss_and_gradients(x, y, training=True) for model in (fast, reference))
    assert_equal_gradients(found, expected)
    assert_same(fast.predict(x, batch_size=7), reference.predict(x))


@pytest.mark.parametrize("name", ["lenet", "bn_cnn"])
@pytest.mark.parametrize("examples", [4, 70, 200])
def test_the_same_bits_for_any_number_of_threads(name, examples):
    spec = zoo.build(name, (12, 12, 1))
    x, y, _ = batch(spec, examples)
    bits = []
    for threads in (1, 2):
        model, _ = pair(spec, "float32", threads=threads)
        model.start_training(ms.TrainingSpec())
        losses = [model.train_on_batch(x, y) for _ in range(3)]
        bits.append(
            (losses, {name: value.tobytes() for name, value in model.weights.items()}, model.predict(x).tobytes())
        )
    assert bits[0] == bits[1]


def test_weighted_examples_and_other_losses():
    spec = sandwich(IMAGE, ms.MaxPooling2D(2))
    x, _, targets = batch(spec, 13)
    weights = np.random.default_rng(0).random(13)
    histories = []
    for model in pair(spec):
        run = ms.TrainingSpec(loss="mean_squared_error", batch_size=4, epochs=2, validation_split=0.2)
        histories.append(model.fit(x, targets, run, verbose=0, sample_weight=weights).history)
    assert list(histories[0]) == list(histories[1])
    for name, values in histories[0].items():
        assert values == pytest.approx(histories[1][name], rel=1e-11)


def test_binary_cross_entropy_counts_right_outputs():
    spec = ms.ModelSpec("bits", IMAGE, (ms.Conv2D(2, 3), ms.Flatten(), ms.Dense(4, activation="sigmoid")))
    x, _, outputs = batch(spec, 9)
    targets = (outputs > 0).astype(float)
    fast, reference = pair(spec)
    for model in (fast, reference):
        model.start_training(ms.TrainingSpec(loss="binary_crossentropy"))
    assert fast.evaluate(x, targets) == pytest.approx(reference.evaluate(x, targets))
    assert fast.train_on_batch(x, targets) == pytest.approx(reference.train_on_batch(x, targets), rel=1e-11)


@pytest.mark.parametrize("name", ["mlp", "lenet"])
def test_results_are_not_written_over_and_nothing_given_is(name):
    spec = zoo.build(name, (8, 8, 1))
    fast, _ = pair(spec)
    x, y, cotangent = batch(spec, 9)
    given = [value.copy() for value in (x, cotangent)]
    first = fast.pullback(x, cotangent)
    kept = {name: value.copy() for name, value in first.parameters.items()} | {"x": first.inputs.copy()}
    fast.pullback(-x, cotangent * 2)
    fast.loss_and_gradients(x, y, training=True)
    for name, value in kept.items():
        np.testing.assert_array_equal(first.inputs if name == "x" else first.parameters[name], value)
    np.testing.assert_array_equal(x, given[0])
    np.testing.assert_array_equal(cotangent, given[1])


def test_blas_gets_its_threads_back_whoever_leaves_last():
    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    with threadpool_limits(2, user_api="blas"):
        limit = single_threaded_blas()
        limit.__enter__()
        limit.__enter__()
        assert set(threads()) == {1}
        limit.__exit__()
        assert set(threads()) == {1}
        limit.__exit__()
        assert set(threads()) == {2}


def test_two_models_train_at_once():
    spec = zoo.cnn((8, 8, 1))
    x, y, _ = batch(spec, 40)

    def train(_):
        model, _ = pair(spec)
        model.start_training(ms.TrainingSpec())
        return [model.train_on_batch(x, y) for _ in range(5)]

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(train, range(2))
    assert first == second == train(0)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, copy.copy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_model_that_has_run_can_be_copied(duplicate):
    spec = zoo.lenet((8, 8, 1))
    model, _ = pair(spec)
    x, y, _ = batch(spec, 9)
    model.start_training(ms.TrainingSpec())
    model.train_on_batch(x, y)
    other = duplicate(model)
    np.testing.assert_array_equal(other.predict(x), model.predict(x))
    assert other._engine is not model._engine


def test_a_pickled_model_goes_on_training():
    spec = zoo.lenet((8, 8, 1))
    x, y, _ = batch(spec, 9)
    model, _ = pair(spec)
    model.start_training(ms.TrainingSpec())
    model.train_on_batch(x, y)
    other = pickle.loads(pickle.dumps(model))
    assert [model.train_on_batch(x, y) for _ in range(3)] == [other.train_on_batch(x, y) for _ in range(3)]
    for name, value in model.weights.items():
        np.testing.assert_array_equal(other.weights[name], value)


def test_what_plans_cannot_run():
    trailing = ms.ModelSpec("trailing", (4,), (ms.Dense(3, activation="softmax"), ms.Dropout(0.5)))
    assert "logits" in why_not_fast(Network.of(trailing))
    with pytest.raises(ValueError, match="engine='fast' cannot run 'trailing'.*engine='auto'"):
        NumpyModel(trailing, engine="fast").predict(np.zeros((1, 4)))
    assert NumpyModel(trailing, engine="auto").predict(np.zeros((1, 4))).shape == (1, 3)
    with pytest.raises(ValueError, match="engine must be one of auto, fast, reference, got 'slow'"):
        NumpyModel(trailing, engine="slow")
    with pytest.raises(ValueError, match="threads must be"):
        NumpyModel(trailing, threads=0)


def test_a_small_batch_is_not_split(monkeypatch):
    monkeypatch.setattr(runner, "LEAST_SHARED_FLOPS", 5e7)
    lenet = runner.Runner(Network.of(zoo.lenet()), "float32", 2)
    # 9 products of 9.6 million operations
    assert [len(lenet._cut(examples, backward=True)) for examples in (1, 5, 6, 100)] == [1, 1, 2, 2]


def test_shards_and_chunks():
    assert shard_bounds(7, 2) == [(0, 4), (4, 7)]
    assert shard_bounds(1, 2) == [(0, 1)]
    assert list(chunk_bounds(4, 11, 3)) == [(4, 7), (7, 10), (10, 11)]


def test_one_plan_runs_all_chunks_of_a_shard():
    cases = [(500, 64), (500, 128), (116, 128), (66, 64), (10, 64), (2000, 64), (7, 3), (1, 64)]
    assert [even_chunk(*case) for case in cases] == [64, 128, 128, 33, 10, 64, 3, 1]
    lenet = runner.Runner(Network.of(zoo.lenet()), "float32", 2)
    for examples in (1000, 1001, 132):
        plans = PlanCache()
        for shard in lenet._cut(examples, backward=True):
            assert len({plan for _, plan in lenet.of_shard.work(plans, shard)}) == 1


def test_chunks_fit_the_cache():
    sizes = [chunk_size(Network.of(zoo.build(name)), np.dtype("float32")) for name in ("lenet", "cnn")]
    assert sizes == [64, 128]


def conv_and_pooling(activation):
    layers = ms.Conv2D(2, 3, padding="same", activation=activation), ms.MaxPooling2D(2), ms.Flatten(), ms.Dense(3)
    return ms.ModelSpec("two", (8, 8, 1), layers)


@pytest.mark.parametrize("activation", sorted(INCREASING))
def test_increasing_activations_go_behind_the_pooling(activation):
    spec = conv_and_pooling(activation)
    kinds = [type(step.layer) for step in pooled_first(Network.of(spec).steps)]
    assert kinds[1:3] == [MaxPooling2D, Activation]
    function, x = FUNCTIONS[activation].forward, np.linspace(-20, 20, 10_001)
    assert (np.diff(function(x)) >= -1e-15).all()
    fast, reference = pair(spec)
    x, y, cotangent = batch(spec, 11)
    for found, expected in (
        (model.loss_and_gradients(x, y) for model in (fast, reference)),
        (model.pullback(x, cotangent, training=True) for model in (fast, reference)),
    ):
        assert_equal_gradients(found, expected)


@pytest.mark.parametrize("activation", ["silu", "gelu", "mish", "leaky_relu"])
def test_others_stay_in_front_of_the_pooling(activation):
    steps = Network.of(conv_and_pooling(activation)).steps
    assert pooled_first(steps) == list(steps)


def test_memory_does_not_grow_with_the_batch():
    import tracemalloc

    spec = zoo.lenet((12, 12, 1))
    peaks = []
    for examples in (512, 1024):
        model, _ = pair(spec, "float32", masks="fast")
        x, y, _ = batch(spec, examples)
        x = x.astype("float32")
        model.start_training(ms.TrainingSpec())
        tracemalloc.start()
        for _ in range(2):
            model.train_on_batch(x, y)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
