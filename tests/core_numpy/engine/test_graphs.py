"""Plans of networks that branch equal the reference, whoever reads a value, and are no slower."""

import time

import numpy as np
import pytest

from core_numpy import NumpyModel
from core_numpy.engine import runner
from core_numpy.engine.depthwise_convolution import DepthwiseConvolution
from core_numpy.engine.layout import Layout
from core_numpy.engine.merging import Add, Concatenate, ReferenceMerge
from core_numpy.engine.plan import Plan
from core_numpy.engine.steps import pooled_first
from core_numpy.network import Network
from model_spec import ModelSpec, TrainingSpec, zoo_extended
from model_spec import layers as L

END = (L.Flatten(), L.Dense(3, activation="softmax"))

GRAPHS = {
    "a relu read by convolutions of other borders and by a sum": (
        L.Conv2D(4, 3, padding="same", activation="relu", name="stem"),
        L.Conv2D(4, 3, padding="same", name="three"),
        L.Conv2D(4, 5, padding="same", inputs="stem", name="five"),
        L.Conv2D(4, 1, inputs="stem", name="one"),
        L.Conv2D(4, 3, padding=((2, 0), (1, 1)), inputs="stem", name="crooked"),
        L.Add(inputs=("stem", "three", "five", "one", "crooked")),
    ),
    "a convolution in front of a pooling and of another": (
        L.Conv2D(4, 3, padding="same", name="stem"),
        L.MaxPooling2D(2, name="pooled"),
        L.Conv2D(4, 2, 2, inputs="stem", name="strided"),
        L.Add(inputs=("pooled", "strided")),
    ),
    "a relu in front of a pooling and of another": (
        L.Conv2D(4, 3, padding="same", name="stem"),
        L.Activation("relu", name="on"),
        L.MaxPooling2D(2, name="pooled"),
        L.AveragePooling2D(2, inputs="on", name="mean"),
        L.Concatenate(inputs=("pooled", "mean")),
    ),
    "a convolution in front of a relu and of another": (
        L.Conv2D(4, 3, padding="same", name="stem"),
        L.Activation("relu"),
        L.Add(inputs=("activation", "stem")),
    ),
    "a value read twice by one layer": (
        L.Conv2D(4, 3, padding="same", name="stem"),
        L.Add(inputs=("stem", "stem", "stem")),
        L.Multiply(inputs=("add", "add")),
    ),
    "batch normalization beside what it reads": (
        L.Conv2D(4, 3, padding="same", name="stem"),
        L.BatchNormalization(name="norm"),
        L.Activation("tanh", inputs="stem", name="bent"),
        L.Add(inputs=("norm", "bent")),
        L.BatchNormalization(),
        L.Activation("relu"),
    ),
    "dropout, rescaling and nothing beside what they read": (
        L.Conv2D(4, 3, padding="same", activation="relu", name="stem"),
        L.Dropout(0.5, name="some"),
        L.Rescaling(0.5, 1.0, inputs="stem", name="scaled"),
        L.Dropout(0.0, inputs="stem", name="all"),
        L.Activation("sigmoid"),
        L.Add(inputs=("some", "scaled", "all", "activation")),
    ),
    "the input read by several": (
        L.Conv2D(2, 3, padding="same", inputs="input", name="one"),
        L.Conv2D(2, 5, padding="same", inputs="input", name="two"),
        L.Concatenate(inputs=("one", "input", "two")),
    ),
    "the input read by a Dense and by a convolution": (
        L.Flatten(name="flat"),
        L.Dense(4, name="row"),
        L.Conv2D(2, 3, inputs="input", name="image"),
        L.Flatten(),
        L.Concatenate(inputs=("row", "flatten")),
    ),
    "rows, columns and channels behind one another": (
        L.Conv2D(3, 3, padding="same", name="one"),
        L.Conv2D(3, 3, padding="same", activation="relu", name="two"),
        L.Concatenate(1, inputs=("one", "two"), name="rows"),
        L.Concatenate(-2, inputs=("rows", "rows"), name="columns"),
        L.Conv2D(2, 3, padding="same", activation="relu"),
        L.Concatenate(3, inputs=("conv2d", "columns")),
    ),
    "every other merge": (
        L.Conv2D(3, 3, padding="same", name="one"),
        L.Conv2D(3, 3, padding="same", activation="tanh", inputs="input", name="two"),
        L.Maximum(inputs=("one", "two")),
        L.Minimum(inputs=("one", "two")),
        L.Subtract(inputs=("maximum", "minimum")),
        L.GlobalAveragePooling2D(keepdims=True, inputs="two"),
        L.Multiply(inputs=("subtract", "global_average_pooling2d")),
        L.Average(inputs=("multiply", "one")),
    ),
    "depthwise convolutions": (
        L.Conv2D(4, 1, activation="relu", name="stem"),
        L.DepthwiseConv2D(3, padding="same", name="one"),
        L.DepthwiseConv2D(3, (2, 2), padding="same", use_bias=False, activation="relu6", inputs="stem", name="two"),
        L.DepthwiseConv2D(2, padding=((1, 0), (0, 2)), dilation_rate=(2, 1), inputs="stem", name="three"),
        L.Flatten(inputs="one", name="f1"),
        L.Flatten(inputs="two", name="f2"),
        L.Flatten(inputs="three", name="f3"),
        L.Concatenate(inputs=("f1", "f2", "f3")),
    ),
    "frozen in front of a fork": (
        L.Conv2D(4, 3, padding="same", name="stem", trainable=False),
        L.Conv2D(4, 1, name="left"),
        L.Conv2D(4, 1, inputs="stem", name="right", trainable=False),
        L.Add(inputs=("left", "right", "stem")),
    ),
}
ROWS = (
    L.Dense(5, activation="relu", name="first"),
    L.Dense(5, activation="tanh", name="second"),
    L.Add(inputs=("first", "second")),
    L.Concatenate(inputs=("add", "first", "input")),
    L.Dense(3, activation="softmax"),
)
SPECS = {name: ModelSpec("graph", (7, 6, 2), (*graph, *END)) for name, graph in GRAPHS.items()} | {
    "rows": ModelSpec("graph", (4,), ROWS),
    "several inputs": ModelSpec(
        "graph",
        {"image": (5, 4, 2), "row": (3,)},
        (L.Conv2D(3, 3, inputs="image"), *END[:1], L.Concatenate(inputs=("flatten", "row")), *END[1:]),
    ),
}


@pytest.fixture(autouse=True)
def split_every_batch(monkeypatch):
    """However small the networks here are."""
    monkeypatch.setattr(runner, "LEAST_SHARED_FLOPS", 0.0)


@pytest.mark.parametrize("examples", [1, 5, 70])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_plan_equals_the_reference(spec, examples):
    random = np.random.default_rng(examples)
    x = random.normal(size=(examples, *spec.input_shape))
    y = random.integers(0, 3, examples)
    reference = NumpyModel(spec, seed=1, dtype="float64", engine="reference")
    weights = {name: random.uniform(0.05, 0.3, value.shape) for name, value in reference.weights.items()}
    reference.set_weights(weights)
    fast = NumpyModel(spec, dtype="float64", engine="fast", weights=weights, dropout_seed=1)
    np.testing.assert_allclose(fast.predict(x), reference.predict(x), rtol=1e-11, atol=1e-14)
    for training in (False, True):
        for _ in range(2):  # the buffers are used again
            found, expected = (model.loss_and_gradients(x, y, training=training) for model in (fast, reference))
        assert found.loss == pytest.approx(expected.loss, rel=1e-11)
        for name, value in {**expected.parameters, "x": expected.inputs}.items():
            one = found.inputs if name == "x" else found.parameters[name]
            np.testing.assert_allclose(one, value, rtol=0, atol=1e-10 * max(np.abs(value).max(), 1e-3), err_msg=name)
    for model in (fast, reference):
        model.start_training(TrainingSpec())
        model.train_on_batch(x, y)
    for name, value in reference.weights.items():
        if "moving" in name:
            np.testing.assert_allclose(fast.weights[name], value, rtol=1e-10)


def blocks(spec):
    plan = Plan(Network.of(spec), Layout(True), 4, np.dtype("float32"), True)
    return [type(block) for block in plan.blocks]


def test_what_runs_as_blocks_of_its_own():
    kinds = blocks(zoo_extended.resnet8((16, 16, 3)))
    assert Add in kinds
    assert "ReferenceLayer" not in {kind.__name__ for kind in kinds}
    assert Concatenate in blocks(zoo_extended.inception_block((16, 16, 1)))
    assert DepthwiseConvolution in blocks(zoo_extended.mobilenet_small((16, 16, 1)))
    assert ReferenceMerge in blocks(SPECS["every other merge"])


def test_a_relu_stays_in_front_of_a_pooling_where_others_read_it():
    steps = Network.of(SPECS["a relu in front of a pooling and of another"]).steps
    assert [step.name for step in pooled_first(steps)] == [step.name for step in steps]
    alone = Network.of(
        ModelSpec("line", (6, 6, 1), (L.Conv2D(2, 3), L.Activation("relu"), L.MaxPooling2D(2), *END))
    ).steps
    assert [step.name for step in pooled_first(alone)[:3]] == ["conv2d", "max_pooling2d", "activation"]
    assert [step.sources for step in pooled_first(alone)] == [step.sources for step in alone]


@pytest.mark.parametrize("name", ["inception_block", "mobilenet_small"])
def test_a_plan_is_not_slower_than_the_reference(name):
    """Measured: 5 to 10 times as fast; runs are interleaved, and the fastest of each counts."""
    spec = getattr(zoo_extended, name)()
    random = np.random.default_rng(0)
    x, y = random.random((32, *spec.input_shape)).astype("float32"), random.integers(0, 10, 32)
    models = [NumpyModel(spec, engine=engine) for engine in ("reference", "auto")]
    for model in models:
        model.start_training(TrainingSpec())
        model.train_on_batch(x, y)
    times = {model.engine: [] for model in models}
    for _ in range(4):
        for model in models:
            started = time.perf_counter()
            model.train_on_batch(x, y)
            model.predict(x[:1])
            times[model.engine].append(time.perf_counter() - started)
    assert min(times["auto"]) < min(times["reference"])
