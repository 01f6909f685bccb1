"""Activation functions: values known by hand, derivatives by central differences, no overflow at the ends."""

import math

import numpy as np
import pytest

from core_numpy.ops.activations import FUNCTIONS
from model_spec.activations import ACTIVATIONS

E = math.e
SLOPE = float(np.float32(0.2))  # TensorFlow keeps the slope of leaky relu in float32, in float64 networks too
ROOT_OF_HALF = float(np.float32(math.sqrt(0.5)))  # so in TensorFlow, in float64 too
KNOWN = {
    "linear": [(-2.0, -2.0), (3.0, 3.0)],
    "step": [(-2.0, 0.0), (0.0, 0.0), (0.5, 1.0)],
    "relu": [(-2.0, 0.0), (0.0, 0.0), (3.0, 3.0)],
    "leaky_relu": [(-2.0, -2 * SLOPE), (0.0, 0.0), (3.0, 3.0)],
    "elu": [(-1.0, 1 / E - 1), (0.0, 0.0), (3.0, 3.0)],
    "softplus": [(0.0, math.log(2)), (1.0, math.log(1 + E)), (-1.0, math.log(1 + 1 / E))],
    "sigmoid": [(0.0, 0.5), (1.0, E / (E + 1)), (-1.0, 1 / (E + 1)), (math.log(3), 0.75)],
    "tanh": [(0.0, 0.0), (math.log(2), 0.6), (-math.log(2), -0.6)],
    "softmax": [(0.0, 1.0), (7.0, 1.0)],
    "relu6": [(-2.0, 0.0), (3.0, 3.0), (8.0, 6.0)],
    # Klambauer et al. (2017): lambda and alpha
    "selu": [(0.0, 0.0), (1.0, 1.0507009873554805), (-math.log(2), -1.0507009873554805 * 1.6732632423543772 / 2)],
    "silu": [(0.0, 0.0), (math.log(3), 0.75 * math.log(3))],
    "gelu": [(0.0, 0.0), (1.0, 0.5 * (1 + math.erf(ROOT_OF_HALF)))],
    "hard_sigmoid": [(-4.0, 0.0), (0.0, 0.5), (1.5, 0.75), (4.0, 1.0)],
    "hard_silu": [(-4.0, 0.0), (1.5, 1.125), (4.0, 4.0)],
    "mish": [(0.0, 0.0), (1.0, ((1 + E) ** 2 - 1) / ((1 + E) ** 2 + 1))],
    "softsign": [(1.0, 0.5), (-3.0, -0.75)],
    "exponential": [(0.0, 1.0), (1.0, E), (math.log(3), 3.0)],
    "log_softmax": [(0.0, 0.0), (7.0, 0.0)],
}
DERIVATIVES_AT_0 = {"relu": 0.0, "leaky_relu": SLOPE, "elu": 1.0, "softplus": 0.5, "sigmoid": 0.25, "tanh": 1.0}
smooth = [name for name in ACTIVATIONS if name != "step"]


def test_both_lists_are_complete():
    assert list(FUNCTIONS) == list(ACTIVATIONS)
    assert set(KNOWN) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_known_values(name):
    for x, expected in KNOWN[name]:
        assert FUNCTIONS[name].forward(np.array([x])).item() == pytest.approx(expected, rel=1e-15, abs=1e-16)


@pytest.mark.parametrize("name", smooth)
def test_backward_is_the_derivative(name):
    random = np.random.default_rng(2)
    x = np.linspace(-2.9, 3.1, 24).reshape(6, 4)
    dy, direction = random.normal(size=x.shape), random.normal(size=x.shape)
    function = FUNCTIONS[name]
    dx = function.backward(x, function.forward(x), dy)
    h = 1e-5
    measured = (dy * (function.forward(x + h * direction) - function.forward(x - h * direction))).sum() / (2 * h)
    # Rounding and the series' next term are both near 1e-10 at this step.
    assert (dx * direction).sum() == pytest.approx(measured, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize(("name", "expected"), DERIVATIVES_AT_0.items())
def test_derivative_at_zero(name, expected):
    x = np.zeros(1)
    y = FUNCTIONS[name].forward(x)
    assert FUNCTIONS[name].backward(x, y, np.array([3.0])).item() == pytest.approx(3 * expected, rel=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [name for name in smooth if name != "exponential"])
def test_no_overflow_at_the_ends(name, dtype):
    x = np.array([[-1000.0, -100.0, 100.0, 1000.0]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = FUNCTIONS[name].forward(x)
        dx = FUNCTIONS[name].backward(x, y, np.full_like(x, 2))
    assert np.isfinite(y).all()
    assert np.isfinite(dx).all()
    expected = {
        "sigmoid": [0, 0, 1, 1],
        "tanh": [-1, -1, 1, 1],
        "softplus": [0, 0, 100, 1000],
        "elu": [-1, -1, 100, 1000],
        "softmax": [0, 0, 0, 1],
    }
    if name in expected:
        np.testing.assert_allclose(y[0], expected[name], atol=1e-30)


def test_small_tails_keep_their_digits():
    tail = np.array([-30.0])
    assert FUNCTIONS["sigmoid"].forward(tail).item() == pytest.approx(math.exp(-30), rel=1e-12)
    assert FUNCTIONS["softplus"].forward(tail).item() == pytest.approx(math.exp(-30), rel=1e-12)
    assert FUNCTIONS["elu"].forward(np.array([-1e-12])).item() == pytest.approx(-1e-12, rel=1e-10)


def test_step_cannot_be_pulled_back():
    x = np.ones(2)
    with pytest.raises(ValueError, match="use it forward only, or use sigmoid"):
        FUNCTIONS["step"].backward(x, x, x)
