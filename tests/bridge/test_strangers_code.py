"""Code in the manner of books and frameworks that once was refused, certified or explained wrongly."""

import numpy as np
import pytest

from bridge import check_layer, check_loss, check_optimizer, compare_models, model_from_layers, random_weights
from core_numpy import NumpyModel
from model_spec import SGD, Activation, BatchNormalization, Conv1D, Dense, ModelSpec
from tests.bridge.own_affine import Affine


class StepsConvolution:
    """One-dimensional, kernels (width, channels, filters) or (filters, channels, width)."""

    def __init__(self, first):
        self.first = first
        self.W, self.b = np.zeros((4, 2, 3) if first else (3, 2, 4)), np.zeros(4)

    def forward(self, x):
        self.x = x.swapaxes(1, 2) if self.first else x
        kernel = self.W.transpose(2, 1, 0) if self.first else self.W
        count = self.x.shape[1] - 2
        y = sum(self.x[:, at : at + count] @ kernel[at] for at in range(3)) + self.b
        return y.swapaxes(1, 2) if self.first else y

    def backward(self, dy):
        dy = dy.swapaxes(1, 2) if self.first else dy
        kernel = self.W.transpose(2, 1, 0) if self.first else self.W
        count, dx = dy.shape[1], np.zeros_like(self.x)
        own = np.stack([np.einsum("ntc,nto->co", self.x[:, at : at + count], dy) for at in range(3)])
        for at in range(3):
            dx[:, at : at + count] += dy @ kernel[at].T
        self.dW, self.db = own.transpose(2, 1, 0) if self.first else own, dy.sum(axis=(0, 1))
        return dx.swapaxes(1, 2) if self.first else dx


@pytest.mark.parametrize(("first", "layout"), [(False, "NHWC"), (True, "NCHW")])
def test_convolutions_over_steps(first, layout):
    assert check_layer(StepsConvolution(first), Conv1D(4, 3), (8, 2), layout=layout).passed


@pytest.mark.parametrize("told", [None, "IO"])
def test_a_square_layer_in_a_network_has_the_layout_of_its_neighbours(told):
    spec = ModelSpec("net", (6 if told is None else 8,), (Dense(8), Dense(8)))
    mine = model_from_layers([Affine(spec.input_shape[0], 8), Affine(8, 8)], spec, kernel_layout=told)
    ours = NumpyModel(spec, dtype="float64", weights=random_weights(spec, 0))
    mine.set_weights(ours.weights)
    assert compare_models(ours, mine, np.random.default_rng(0).normal(size=(3, *spec.input_shape))).passed


class LeavesResults(Affine):
    def forward(self, x):
        self.output = super().forward(x)

    def backward(self, dy):
        self.dinputs = super().backward(dy)


def test_results_left_in_attributes():
    assert check_layer(LeavesResults(), Dense(5), (6,)).passed


class Forgets(Affine):
    def forward(self, x):
        super().forward(x)


def test_a_forward_without_a_result_is_told_so():
    assert "forward returned None" in str(check_layer(Forgets(), Dense(5), (6,)))


class ForgetsTargets:
    """Softmax and cross-entropy of logits; the gradient lacks the targets."""

    def forward(self, z, t):
        z = z - z.max(axis=1, keepdims=True)
        self.log, self.t = z - np.log(np.exp(z).sum(axis=1, keepdims=True)), t
        return -(t * self.log).sum(axis=1).mean()

    def backward(self):
        return np.exp(self.log) / len(self.t)


def test_a_right_value_beside_a_wrong_gradient_is_not_blamed():
    report = check_loss(ForgetsTargets(), "categorical_crossentropy")
    assert report.first_divergence.tensor == "gradient"
    assert "probabilities once more" not in str(report)


class BindsAnew:
    def update(self, params, grads):
        for name in params:
            w = params[name]
            w = w - 0.1 * grads[name]


def test_an_optimizer_that_changes_nothing_is_told_so():
    report = check_optimizer(BindsAnew(), SGD(0.1))
    assert "no parameter is changed by a step" in str(report)
    assert "learning rate" not in str(report)


class Misspelled:
    def forward(self, x):
        return x * (x > 0)

    def backward(self, dy):
        return dy * mask  # noqa: F821 - the mistake


def test_an_exception_in_backward_says_nothing_of_a_right_forward():
    report = str(check_layer(Misspelled(), Activation("relu"), (6,)))
    assert "NameError" in report
    assert "float32, though" not in report


class KeepsItsBuffer(Affine):
    buffer = None

    def forward(self, x):
        if self.buffer is None:
            self.buffer = np.zeros((len(x), 5))
        self.buffer[: len(x)] = super().forward(x)
        return self.buffer


def test_a_smaller_batch_after_a_larger_one():
    report = check_layer(KeepsItsBuffer(), Dense(5), (6,))
    assert not report.passed
    assert "a call after one with more examples" in str(report)


class SquaredErrorLeft:
    """The value is returned by calculate, the gradient left in dinputs."""

    scale = 1.0

    def calculate(self, outputs, targets):
        return ((outputs - targets) ** 2).mean()

    def backward(self, outputs, targets):
        self.dinputs = self.scale * 2 * (outputs - targets) / outputs.size


@pytest.mark.parametrize("scale", [1.0, 12345.0])
def test_a_gradient_left_in_an_attribute_is_judged(scale):
    loss = SquaredErrorLeft()
    loss.scale = scale
    report = check_loss(loss, "mse")
    assert report.passed == (scale == 1.0)
    assert "no gradient was given" not in str(report)


class MovesAlways:
    """Batch normalization whose moving statistics move in inference, too."""

    always = True

    def __init__(self):
        self.gamma, self.beta = np.ones(3), np.zeros(3)
        self.running_mean, self.running_var = np.zeros(3), np.ones(3)

    def forward(self, x, train_flg=True):
        if not train_flg:
            y = self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + 1e-3) + self.beta
            if self.always:
                self.running_mean = 0.99 * self.running_mean + 0.01 * x.mean(axis=0)
            return y
        raise NotImplementedError


@pytest.mark.parametrize("always", [True, False])
def test_statistics_that_move_in_inference(always):
    layer = MovesAlways()
    layer.always = always
    report = check_layer(layer, BatchNormalization(), (3,), backward=False)
    assert report.passed == (not always)
    assert ("a forward in inference mode moves it" in str(report)) == always
