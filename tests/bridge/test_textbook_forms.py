"""Right forms of activations pass in both precisions; forms that are wrong by little more are refused."""

import numpy as np
import pytest

from bridge import check_layer
from model_spec import Activation


class Layer:
    def __init__(self, value, slope):
        self.value, self.slope = value, slope

    def forward(self, x):
        self.x = x
        self.y = self.value(x)
        return self.y

    def backward(self, dy):
        return dy * self.slope(self.x, self.y)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


RIGHT = {
    "softplus log(1 + e^x)": ("softplus", lambda x: np.log(1 + np.exp(x)), lambda x, y: sigmoid(x)),
    "softplus log1p(e^x)": ("softplus", lambda x: np.log1p(np.exp(x)), lambda x, y: 1 - np.exp(-y)),
    "softplus x + log(1 + e^-x)": ("softplus", lambda x: x + np.log(1 + np.exp(-x)), lambda x, y: sigmoid(x)),
    "softplus logaddexp": ("softplus", lambda x: np.logaddexp(0, x), lambda x, y: np.exp(x) / (1 + np.exp(x))),
    "sigmoid by tanh": ("sigmoid", lambda x: 0.5 * np.tanh(0.5 * x) + 0.5, lambda x, y: y * (1 - y)),
    "sigmoid e^x / (1 + e^x)": ("sigmoid", lambda x: np.exp(x) / (1 + np.exp(x)), lambda x, y: y - y**2),
    "sigmoid 1 - 1/(1 + e^x)": ("sigmoid", lambda x: 1 - 1 / (1 + np.exp(x)), lambda x, y: y * (1 - y)),
    "sigmoid e^-x / (1 + e^-x)^2": ("sigmoid", sigmoid, lambda x, y: np.exp(-x) / (1 + np.exp(-x)) ** 2),
    "tanh by four exponentials": (
        "tanh",
        lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
        lambda x, y: 4 / (np.exp(x) + np.exp(-x)) ** 2,
    ),
    "tanh 2/(1 + e^-2x) - 1": ("tanh", lambda x: 2 / (1 + np.exp(-2 * x)) - 1, lambda x, y: (1 - y) * (1 + y)),
    "tanh 1 - 2/(e^2x + 1)": ("tanh", lambda x: 1 - 2 / (np.exp(2 * x) + 1), lambda x, y: 1 / np.cosh(x) ** 2),
    "tanh sinh / cosh": ("tanh", lambda x: np.sinh(x) / np.cosh(x), lambda x, y: 1 - np.tanh(x) ** 2),
    "elu e^x - 1": ("elu", lambda x: np.where(x > 0, x, np.exp(x) - 1), lambda x, y: np.where(x > 0, 1, y + 1)),
    "elu e^x": ("elu", lambda x: np.where(x > 0, x, np.expm1(x)), lambda x, y: np.where(x > 0, 1, np.exp(x))),
    "relu (x + |x|) / 2": ("relu", lambda x: (x + np.abs(x)) / 2, lambda x, y: (np.sign(x) + 1) / 2),
}
SLOPE = 0.20000000298023224
RIGHT["leaky relu by two slopes"] = (
    "leaky_relu",
    lambda x: x.dtype.type((1 + SLOPE) / 2) * x + x.dtype.type((1 - SLOPE) / 2) * np.abs(x),
    lambda x, y: np.where(x > 0, x.dtype.type(1), x.dtype.type(SLOPE)),
)


@pytest.mark.parametrize("name", list(RIGHT))
def test_right_forms_pass(name):
    claim, value, slope = RIGHT[name]
    for seed in range(5):
        report = check_layer(Layer(value, slope), Activation(claim), (40,), seed=seed)
        assert report.passed, str(report)


@pytest.mark.parametrize("name", list(RIGHT))
def test_one_step_beyond_is_refused(name):
    """A hundred roundoffs of 1, forward or backward."""
    claim, value, slope = RIGHT[name]
    for wrong in (
        Layer(lambda x: value(x) + x.dtype.type(100 * np.finfo(x.dtype).eps), slope),
        Layer(value, lambda x, y: slope(x, y) + x.dtype.type(100 * np.finfo(x.dtype).eps)),
    ):
        assert not check_layer(wrong, Activation(claim), (40,)).passed


def test_single_precision_inside_double_is_refused():
    layer = Layer(lambda x: np.tanh(x.astype(np.float32)).astype(x.dtype), lambda x, y: 1 - y**2)
    assert not check_layer(layer, Activation("tanh"), (40,), dtypes="float64").passed
