"""The gradient check: right gradients agree, planted faults are found and placed, kinks are called kinks."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import model_spec as ms
from core_numpy import NumpyModel, gradient_check
from core_numpy.contract import Layer
from core_numpy.layers.build import lower
from model_spec import regularizers, zoo


@dataclass(frozen=True)
class Wrong(Layer):
    """A layer whose gradients go through ``spoil(dx, grads)``."""

    inner: Layer = None
    spoil: object = None

    def build(self, input_shape, seeds, dtype):
        return self.inner.build(input_shape, seeds, dtype)

    def forward(self, params, state, x, context):
        return self.inner.forward(params, state, x, context)

    def backward(self, params, cache, dy, need_dx=True):
        return self.spoil(*self.inner.backward(params, cache, dy, need_dx))


def wrong(layer, spoil):
    return Wrong(layer.spec, layer, spoil)


def one_entry_less(dx, grads):
    kernel = grads["kernel"].copy()
    kernel.flat[np.abs(kernel).argmax()] *= 0.999
    return dx, {**grads, "kernel": kernel}


FAULTS = {
    "x": lambda dx, grads: (dx * 1.001, grads),
    "kernel": one_entry_less,
    "bias": lambda dx, grads: (dx, {**grads, "bias": np.zeros_like(grads["bias"])}),
}


@pytest.fixture
def random():
    return np.random.default_rng(3)


def data(random, examples=2):
    return random.random((examples, 8, 8, 1)), random.integers(10, size=examples)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", ["mlp", "cnn", "lenet"])
def test_the_zoo_agrees(name, training, random):
    model = NumpyModel(zoo.build(name, (8, 8, 1)), seed=2, dtype="float64")
    x, y = data(random)
    before = {key: value.tobytes() for key, value in model.weights.items()}
    report = gradient_check(model, x, y, training=training)
    assert report.passed, str(report)
    assert [row.tensor for row in report.rows] == ["x", *model.weights]
    assert {row.verdict for row in report.rows} == {"agrees"}
    assert {key: value.tobytes() for key, value in model.weights.items()} == before
    assert report == gradient_check(model, x, y, training=training)


def test_without_targets_the_output_is_weighted(random):
    model = NumpyModel(zoo.mlp((3,), 4), dtype="float64")
    report = gradient_check(model, random.normal(size=(2, 3)), seed=1)
    assert report.passed
    assert len(report.rows) == 5


def test_penalties_and_losses_are_part_of_it(random):
    layers = (ms.Dense(3, activation="tanh", kernel_regularizer=regularizers.L2(0.3)), ms.Dense(2))
    model = NumpyModel(ms.ModelSpec("values", (4,), layers), dtype="float64")
    x, y = random.normal(size=(5, 4)), random.normal(size=(5, 2))
    assert gradient_check(model, x, y, loss="mean_squared_error").passed

    class WithoutPenaltyGradient(NumpyModel):
        def _with_penalties(self, value, gradients):
            return super()._with_penalties(value, gradients)[0], gradients

    broken = WithoutPenaltyGradient(model.spec, dtype="float64")
    report = gradient_check(broken, x, y, loss="mean_squared_error")
    assert [row.tensor for row in report.rows if row.verdict == "differs"] == ["dense/kernel"]


@pytest.mark.parametrize("tensor", FAULTS)
@pytest.mark.parametrize("layer", [ms.Dense(3), ms.Conv2D(2, 3, padding="same")], ids=["dense", "conv2d"])
def test_a_wrong_layer_differs_in_the_right_place(tensor, layer, random):
    shape = (3, 4) if isinstance(layer, ms.Dense) else (2, 5, 5, 2)
    x = random.normal(size=shape)
    right = lower(ms.ModelSpec("one", x.shape[1:], (layer,)))[0].layer
    assert gradient_check(right, x).passed
    report = gradient_check(wrong(right, FAULTS[tensor]), x)
    assert not report.passed
    assert [row.tensor for row in report.rows if row.verdict == "differs"] == [tensor]
    assert str(report).endswith("gradients differ")


def test_a_wrong_layer_inside_a_network(random):
    model = NumpyModel(zoo.cnn((8, 8, 1)), dtype="float64")
    model.network = model.network.replace_layer(0, wrong(model.network.steps[0].layer, FAULTS["bias"]))
    report = gradient_check(model, *data(random))
    assert [row.tensor for row in report.rows if row.verdict == "differs"] == ["conv2d/bias"]
    row = next(row for row in report.rows if row.tensor == "conv2d/bias")
    assert row.computed == 0
    assert row.error > 0.5


def test_a_wrong_entry_is_named(random):
    right = lower(ms.ModelSpec("one", (4,), (ms.Dense(3),)))[0].layer
    report = gradient_check(wrong(right, one_entry_less), random.normal(size=(3, 4)), coordinates=0)
    row = next(row for row in report.rows if row.tensor == "kernel")
    # The random direction sees one part in a thousand of one entry; the coordinate says which.
    assert row.where.startswith("[")
    assert row.error == pytest.approx(1e-3, rel=0.05)


@pytest.mark.parametrize(
    "layer",
    [
        ms.Dense(3, activation="softmax"),
        ms.Conv2D(2, 3, strides=2, activation="elu"),
        ms.AveragePooling2D(3, strides=1, padding="same"),
        ms.MaxPooling2D(2),
        ms.GlobalMaxPooling2D(),
        ms.BatchNormalization(),
        ms.Dropout(0.4),
        ms.Activation("softplus"),
    ],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize("training", [False, True])
def test_layers_of_model_spec(layer, training, random):
    report = gradient_check(layer, random.normal(size=(2, 5, 5, 2)), training=training)
    assert report.passed, str(report)
    assert {row.verdict for row in report.rows} == {"agrees"}


@pytest.mark.parametrize("name", ["relu", "leaky_relu"])
def test_a_kink_is_no_failure(name):
    report = gradient_check(ms.Activation(name), np.zeros((1, 3)))
    assert report.rows[0].verdict == "kink"
    assert report.passed
    assert "met a kink" in str(report)


def test_a_kink_between_the_steps_is_resolved():
    # Nearer than the first step, farther than the finer one.
    assert gradient_check(ms.Activation("relu"), np.full((1, 1), 3e-6)).rows[0].verdict == "agrees"


def test_a_tie_under_max_pooling_is_a_kink():
    assert gradient_check(ms.MaxPooling2D(2), np.ones((1, 2, 2, 1))).rows[0].verdict == "kink"


def test_a_smooth_function_is_never_a_kink(random):
    right = lower(ms.ModelSpec("one", (3,), (ms.Activation("tanh"),)))[0].layer
    x = random.normal(size=(4, 3))
    for factor in (0.0, 0.5, 1.0001, -1.0):
        report = gradient_check(wrong(right, lambda dx, grads, by=factor: (dx * by, grads)), x)
        assert report.rows[0].verdict == "differs"


def test_what_it_cannot_check_is_refused(random):
    x, y = data(random)
    with pytest.raises(ValueError, match="got a float32 model; build it with dtype='float64'"):
        gradient_check(NumpyModel(zoo.cnn((8, 8, 1))), x, y)
    with pytest.raises(ValueError, match="a layer has no loss"):
        gradient_check(ms.Flatten(), x, y)
    with pytest.raises(ValueError, match="expected a NumpyModel, .* got str"):
        gradient_check("cnn", x, y)
    right = lower(ms.ModelSpec("one", (4,), (ms.Dense(3),)))[0].layer
    with pytest.raises(ValueError, match=r"gradient of x has shape \(4, 3\), expected \(3, 4\)"):
        gradient_check(wrong(right, lambda dx, grads: (dx.T, grads)), random.normal(size=(3, 4)))


def test_the_report_is_frozen(random):
    report = gradient_check(ms.Activation("tanh"), random.normal(size=(1, 2)))
    with pytest.raises(AttributeError):
        report.rows = ()
    assert not replace(report, rows=(replace(report.rows[0], verdict="differs"),)).passed
