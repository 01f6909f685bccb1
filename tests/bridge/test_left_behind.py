"""What a layer leaves behind: gradients that pile up, and arrays of the caller that it writes into."""

import numpy as np
import pytest

from bridge import check_layer, check_loss, compare_training, external_training, model_from_layers
from model_spec import SGD, Activation, Dense, ModelSpec, TrainingSpec


class Adding:
    def __init__(self, inputs=6, units=5):
        self.W, self.b = np.zeros((inputs, units)), np.zeros(units)
        self.dW, self.db = np.zeros((inputs, units)), np.zeros(units)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW += self.x.T @ dy
        self.db += dy.sum(axis=0)
        return dy @ self.W.T


class AddingUntilCleared(Adding):
    def zero_grad(self):
        self.dW[...], self.db[...] = 0, 0


class Fresh(Adding):
    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.W.T


class Relu:
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


class IntoX(Relu):
    def forward(self, x):
        self.mask = x > 0
        x[~self.mask] = 0
        return x


class IntoDy(Relu):
    def backward(self, dy):
        dy *= self.mask
        return dy


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_gradients_that_pile_up_are_refused(dtype):
    report = check_layer(Adding(), Dense(5), (6,), dtypes=dtype)
    assert not report.passed
    assert "never set to zero" in str(report) and "gradient of kernel on a second step" in str(report)


def test_adding_is_right_where_there_is_a_zero_grad():
    report = check_layer(AddingUntilCleared(), Dense(5), (6,))
    assert report.passed, str(report)
    assert any("by convention" in note for note in report.notes)
    assert check_layer(Adding(), Dense(5), (6,), accumulates=True).passed
    assert check_layer(Fresh(), Dense(5), (6,)).passed


def test_what_writes_into_its_arguments_is_refused_or_said():
    report = check_layer(IntoX(), Activation("relu"), (6,))
    assert not report.passed and "writes into the x it is given" in str(report) and not report.explanations
    into_dy = check_layer(IntoDy(), Activation("relu"), (6,))
    assert into_dy.passed and any("writes into the dy it is given" in note for note in into_dy.notes)
    plain = check_layer(Relu(), Activation("relu"), (6,))
    assert plain.passed and not plain.notes


def test_a_loss_that_writes_into_its_arguments_is_refused():
    def squares(y, t):
        y -= t
        return (y**2).mean(), 2 * y / y.size

    report = check_loss(squares, "mse")
    assert not report.passed and "writes into the outputs it is given" in str(report)


@pytest.mark.parametrize(("kind", "passes"), [(Fresh, True), (AddingUntilCleared, True), (Adding, False)])
def test_gradients_that_pile_up_show_in_a_training(kind, passes):
    spec = ModelSpec("line", (4,), (Dense(2, activation="linear"),))
    random = np.random.default_rng(0)
    x, y = random.normal(size=(12, 4)), random.normal(size=(12, 2))
    model = external_training(model_from_layers([kind(4, 2)], spec))
    training = TrainingSpec(optimizer=SGD(0.1), loss="mse", batch_size=6)
    assert compare_training(spec, x, y, training, 3, dtype="float64", controls=1, model=model).passed == passes
