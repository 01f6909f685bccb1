"""Networks of lists whose kernels are square, in batches as long as they are wide: the shapes fit both ways."""

import numpy as np
import pytest

import bridge
from bridge import model_from_network
from core_numpy import NumpyModel
from model_spec import Dense, ModelSpec


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class Rows:
    """An example a row, biases (n,); backprop of half the squared error, summed over the batch."""

    def __init__(self, sizes, k=1.0):
        random, self.k = np.random.default_rng(0), k
        self.weights = [random.normal(size=pair) for pair in zip(sizes, sizes[1:], strict=False)]
        self.biases = [random.normal(size=size) for size in sizes[1:]]

    def layer(self, a, w, b):
        return sigmoid(a @ w + b)

    def feedforward(self, a):
        for w, b in zip(self.weights, self.biases, strict=True):
            a = self.layer(a, w, b)
        return a

    def backprop(self, x, y):
        values = [x]
        for w, b in zip(self.weights, self.biases, strict=True):
            values.append(self.layer(values[-1], w, b))
        delta, nabla_b, nabla_w = values[-1] - y, [], []
        for at in range(len(self.weights) - 1, -1, -1):
            delta = delta * values[at + 1] * (1 - values[at + 1])
            nabla_b, nabla_w = [delta.sum(axis=0), *nabla_b], [self.k * values[at].T @ delta, *nabla_w]
            delta = delta @ self.weights[at].T
        return nabla_b, nabla_w


class FlatRows(Rows):
    """Biases (1, n)."""

    def __init__(self, sizes, k=1.0):
        super().__init__(sizes, k)
        self.biases = [b[None] for b in self.biases]

    def backprop(self, x, y):
        nabla_b, nabla_w = super().backprop(x, y)
        return [b[None] for b in nabla_b], nabla_w


class Columns(Rows):
    """An example a column, biases (n, 1)."""

    def __init__(self, sizes, k=1.0):
        super().__init__(sizes, k)
        self.weights, self.biases = [w.T.copy() for w in self.weights], [b[:, None] for b in self.biases]

    def layer(self, a, w, b):
        return sigmoid(a.T @ w.T + b.T).T

    def backprop(self, x, y):
        rows = Rows([1])
        rows.k, rows.weights, rows.biases = self.k, [w.T for w in self.weights], [b[:, 0] for b in self.biases]
        nabla_b, nabla_w = rows.backprop(x.T, y.T)
        return [b[:, None] for b in nabla_b], [w.T for w in nabla_w]


class ColumnsOfFlatBiases(Columns):
    """Biases (n,), so that only a kernel that is not square tells that an example is a column."""

    def __init__(self, sizes, k=1.0):
        super().__init__(sizes, k)
        self.biases = [b[:, 0] for b in self.biases]

    def layer(self, a, w, b):
        return super().layer(a, w, b[:, None])

    def backprop(self, x, y):
        columns = Columns([1], self.k)
        columns.weights, columns.biases = self.weights, [b[:, None] for b in self.biases]
        nabla_b, nabla_w = columns.backprop(x, y)
        return [b[:, 0] for b in nabla_b], nabla_w


def compared(network, sizes, batch):
    spec = ModelSpec("square", sizes[:1], tuple(Dense(size, activation="sigmoid") for size in sizes[1:]))
    reference = NumpyModel(spec, seed=1, dtype="float64")
    foreign = model_from_network(network, spec, gradient_scale="sum")
    bridge.copy_weights(reference, foreign)
    random = np.random.default_rng(batch)
    x, y = random.normal(size=(batch, sizes[0])), np.eye(sizes[-1])[random.integers(0, sizes[-1], batch)]
    return bridge.compare_models(foreign, reference, x, y, loss="half_sum_squared_error")


@pytest.mark.parametrize("batch", [1, 3, 4, 8])
@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        (Rows, (4, 4)),
        (Rows, (4, 4, 4)),
        (FlatRows, (4, 4)),
        (Columns, (4, 4)),
        (Columns, (4, 4, 3)),
        (Rows, (4, 4, 3)),
        (ColumnsOfFlatBiases, (4, 4, 3)),
    ],
)
def test_a_square_network_is_taken_as_it_is_and_its_fault_named(kind, sizes, batch):
    report = compared(kind(sizes), sizes, batch)
    assert report.passed, str(report)
    report = compared(kind(sizes, 2.0), sizes, batch)
    assert not report.passed and "gradient of kernel is 2 times the true value" in str(report)
