"""Constants as claimed and rounded to float32 are both right in code written elsewhere; others are refused."""

import math

import numpy as np
import pytest

import bridge
from bridge import check_layer, check_loss
from core_numpy import NumpyModel
from model_spec import Activation, BatchNormalization, Dense, LeakyReLU, ModelSpec, ReLU
from tests.bridge.slips.parts import Affine, Function, Normalization

ROOT = math.sqrt(0.5)


def single(value):
    return float(np.float32(value))


def leaky(slope):
    return Function(lambda x: np.where(x > 0, x, slope * x), lambda x, y, dy: np.where(x > 0, dy, slope * dy))


def shares(x, root):
    return np.vectorize(lambda value: 0.5 * math.erfc(-value * root))(x)


def gelu(root=ROOT):
    return Function(
        lambda x: x * shares(x, root),
        lambda x, y, dy: dy * (shares(x, root) + x * np.exp(-((x * root) ** 2)) * root / math.sqrt(math.pi)),
    )


def gelu_by_tanh():
    def inner(x):
        return math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)

    return Function(
        lambda x: 0.5 * x * (1 + np.tanh(inner(x))),
        lambda x, y, dy: (
            dy
            * (
                0.5 * (1 + np.tanh(inner(x)))
                + 0.5 * x * (1 - np.tanh(inner(x)) ** 2) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
            )
        ),
    )


def capped(largest):
    return Function(lambda x: np.clip(x, 0, largest), lambda x, y, dy: dy * ((x > 0) & (x <= largest)))


RIGHT = {
    "LeakyReLU exact": (leaky(0.01), LeakyReLU(0.01), "it computes with 0.01, which Keras rounds"),
    "LeakyReLU rounded": (leaky(single(0.01)), LeakyReLU(0.01), "as Keras: 0.01 rounded to float32"),
    "leaky_relu exact": (leaky(0.2), Activation("leaky_relu"), "it computes with 0.2, which Keras rounds"),
    "leaky_relu rounded": (leaky(single(0.2)), Activation("leaky_relu"), "as Keras: 0.2 rounded to float32"),
    "ReLU slope": (leaky(0.1), ReLU(negative_slope=0.1), "it computes with 0.1, which Keras rounds"),
    "ReLU largest": (capped(1.1), ReLU(max_value=1.1), "it computes with 1.1, which Keras rounds"),
    "gelu exact": (gelu(), Activation("gelu"), "which Keras rounds to float32: 0.707106769085"),
    "gelu rounded": (gelu(single(ROOT)), Activation("gelu"), "0.707106769085, as Keras"),
}
WRONG = {
    "slope": (leaky(0.0101), LeakyReLU(0.01)),
    "slope by a millionth": (leaky(0.01 * (1 + 1e-6)), LeakyReLU(0.01)),
    "slope between": (leaky((0.2 + single(0.2)) / 2), Activation("leaky_relu")),
    "gelu by tanh": (gelu_by_tanh(), Activation("gelu")),
    "largest": (capped(1.10001), ReLU(max_value=1.1)),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", list(RIGHT))
def test_both_roundings_of_a_constant_pass_and_are_said(name, seed):
    layer, claim, words = RIGHT[name]
    report = check_layer(layer, claim, (12,), seed=seed)
    assert report.passed, str(report)
    assert any(words in note for note in report.notes), report.notes


@pytest.mark.parametrize("name", list(WRONG))
def test_constants_of_the_next_size_are_refused(name):
    layer, claim = WRONG[name]
    assert not check_layer(layer, claim, (12,)).passed


@pytest.mark.parametrize("training", [True, False])
def test_batch_normalization_with_rounded_constants_passes(training):
    layer = Normalization(epsilon=single(1e-3), momentum=single(0.99))
    report = check_layer(layer, BatchNormalization(), (6,), training=training, backward=training)
    assert report.passed, str(report)
    assert any("epsilon is rounded to float32" in note for note in report.notes)


def log_cosh(two):
    def loss(y, t):
        size = np.abs(y - t)
        return (size + np.log1p(np.exp(-2 * size)) - two).mean(), np.tanh(y - t) / y.size

    return loss


def textbook_log_cosh(y, t):
    return np.log(np.cosh(y - t)).mean(), np.tanh(y - t) / y.size


@pytest.mark.parametrize("seed", range(5))
def test_log_cosh_passes_with_either_logarithm_of_2(seed):
    for loss in (textbook_log_cosh, log_cosh(math.log(2)), log_cosh(single(math.log(2)))):
        report = check_loss(loss, "log_cosh", seed=seed)
        assert report.passed, str(report)
    assert any("rounded to float32" in note for note in report.notes)
    wrong = check_loss(log_cosh(math.log(2.001)), "log_cosh", seed=seed)
    assert not wrong.passed and "is 1 times" not in str(wrong)


@pytest.mark.parametrize(
    ("layer", "claim", "words"),
    [
        (leaky(0.0101), LeakyReLU(0.01), "its slope left of zero is 0.0101 in place of 0.01"),
        (leaky(0.3), LeakyReLU(0.01), "its slope left of zero is 0.3 in place of 0.01"),
        (gelu_by_tanh(), Activation("gelu"), "approximation by tanh in place of the exact one"),
    ],
)
def test_other_constants_are_named(layer, claim, words):
    report = check_layer(layer, claim, (12,))
    assert not report.passed
    assert report.explanations == [each for each in report.explanations if words in each] != []


NETWORK = ModelSpec(
    "constants", (6,), (Dense(7), LeakyReLU(0.01), Dense(5), Activation("gelu"), BatchNormalization(), Dense(3))
)
X = np.random.default_rng(5).normal(size=(9, 6))


class OfTraining(Normalization):
    """Its backward knows training alone, and says so."""

    def forward(self, x, training=False):
        self.mode = training
        return super().forward(x, training)

    def backward(self, dy):
        if not self.mode:
            raise TypeError("of training alone")
        return super().backward(dy)


def of_network(slope, gelu, epsilon=1e-3, factor=1.0):
    norm = OfTraining(epsilon=epsilon)
    norm.gamma, norm.beta, norm.running_mean, norm.running_var = np.ones(5), np.zeros(5), np.zeros(5), np.ones(5)
    dense = [Affine(inputs=6, units=7), Affine(inputs=7, units=5), Affine(inputs=5, units=3)]
    dense[1].of_b = lambda x, dy, W, b: factor * dy.sum(axis=0)
    return [dense[0], leaky(slope), dense[1], gelu, norm, dense[2]]


def compared(layers, real_keras=False):
    from keras_models import KerasModel

    reference = (KerasModel if real_keras else NumpyModel)(NETWORK, seed=1, dtype="float64")
    foreign = bridge.model_from_layers(layers, NETWORK)
    bridge.copy_weights(reference, foreign)
    return bridge.compare_models(foreign, reference, X, names=("mine", "reference"))


@pytest.mark.parametrize("real_keras", [False, True])
@pytest.mark.parametrize("rounding", ["exact", "rounded", "mixed", "epsilon"])
def test_both_roundings_pass_inside_a_network(rounding, real_keras):
    layers = {
        "exact": lambda: of_network(0.01, gelu()),
        "rounded": lambda: of_network(single(0.01), gelu(single(ROOT))),
        "mixed": lambda: of_network(single(0.01), gelu()),
        "epsilon": lambda: of_network(0.01, gelu(), single(1e-3)),
    }[rounding]()
    report = compared(layers, real_keras)
    assert report.passed, str(report)
    assert any("which Keras rounds to float32" in note for note in report.notes) == (rounding != "rounded")


def test_a_fault_beside_exact_constants_is_named_alone():
    report = compared(of_network(0.01, gelu(), factor=2.0))
    assert not report.passed
    assert {row.tensor for row in report.failures} == {"gradient of dense_1/bias"}
    assert "gradient of bias is 2 times the true value" in str(report)
    assert not compared(of_network(0.0101, gelu())).passed
