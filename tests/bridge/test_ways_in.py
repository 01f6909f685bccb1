"""More ways in: whole networks of lists, column-major losses, closures, and the hint at a layout that was forgotten."""

import numpy as np
import pytest

import bridge
from bridge import check_layer, check_loss, from_functions, model_from_network
from core_numpy import NumpyModel
from model_spec import Activation, Conv2D, Dense, MaxPooling2D, ModelSpec
from tests.bridge.test_styles import DENSE, NchwConv, Z


class ColumnsOfLists:
    """One layer in the names of a network of lists, an example a column."""

    def __init__(self, k):
        self.weights, self.biases, self.k = Z((5, 6)), Z((5, 1)), k

    def feedforward(self, a):
        self.a = a
        return self.weights @ a + self.biases

    def backprop(self, delta):
        self.nabla_w, self.nabla_b = self.k * delta @ self.a.T, delta.sum(axis=1, keepdims=True)
        return self.weights.T @ delta


class OtherGradientNames:
    """weights beside dW, biases beside db."""

    def __init__(self, k):
        self.weights, self.biases, self.k = Z((6, 5)), Z((1, 5)), k

    def forward(self, x):
        self.x = x
        return x @ self.weights + self.biases

    def backward(self, dy):
        self.dW, self.db = self.k * self.x.T @ dy, dy.sum(axis=0, keepdims=True)
        return dy @ self.weights.T


def closures(k):
    W, b, kept = Z((6, 5)), Z(5), {}

    def forward(x):
        kept["x"] = x
        return x @ W + b

    def backward(dy):
        return dy @ W.T, k * kept["x"].T @ dy, dy.sum(axis=0)

    return forward, backward


def returns_its_backward(k):
    params = {"W": Z((6, 5)), "b": Z(5)}

    def layer(x):
        W, b = params["W"], params["b"]

        def backward(dy):
            return dy @ W.T, {"W": k * x.T @ dy, "b": dy.sum(axis=0)}

        return x @ W + b, backward

    return layer


class ObjectReturnsItsBackward:
    def __init__(self, k):
        self.W, self.b, self.k = Z((6, 5)), Z(5), k

    def __call__(self, x):
        def backward(dy):
            self.dW, self.db = self.k * x.T @ dy, dy.sum(axis=0)
            return dy @ self.W.T

        return x @ self.W + self.b, backward


def functions_return_backward(k):
    def affine(x, W, b):
        return x @ W + b, lambda dy: (dy @ W.T, k * x.T @ dy, dy.sum(axis=0))

    return from_functions(affine, None, {"W": Z((6, 5)), "b": Z(5)})


class Parameter:
    def __init__(self, data):
        self.data, self.grad = data, None


class ListsItsParameters:
    """parameters() gives objects with data and grad, as frameworks do."""

    def __init__(self, k):
        self._all, self.k = [Parameter(Z((6, 5))), Parameter(Z(5))], k

    def parameters(self):
        return self._all

    def forward(self, x):
        self.x = x
        return x @ self._all[0].data + self._all[1].data

    def backward(self, dy):
        self._all[0].grad, self._all[1].grad = self.k * self.x.T @ dy, dy.sum(axis=0)
        return dy @ self._all[0].data.T


def relu_and_its_backward(k):
    return lambda x: (np.maximum(x, 0), lambda dy: k * dy * (x > 0))


LAYERS = {
    "lists' names, columns": (ColumnsOfLists, *DENSE),
    "weights beside dW": (OtherGradientNames, *DENSE),
    "a pair of closures": (closures, *DENSE),
    "a function that returns its backward": (returns_its_backward, *DENSE),
    "an object that returns its backward": (ObjectReturnsItsBackward, *DENSE),
    "pure functions that return their backward": (functions_return_backward, *DENSE),
    "parameters()": (ListsItsParameters, *DENSE),
    "an activation that returns its backward": (relu_and_its_backward, Activation("relu"), (9,), {}),
}


@pytest.mark.parametrize("name", list(LAYERS))
def test_a_layer_is_taken_and_its_fault_named(name):
    make, claim, shape, options = LAYERS[name]
    report = check_layer(make(1), claim, shape, **options)
    assert report.passed, str(report)
    assert {row.tensor for row in report.rows} >= {"y", "gradient of x"}
    report = check_layer(make(2), claim, shape, **options)
    assert not report.passed
    assert "2 times the true value" in "; ".join(report.explanations)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class Lists:
    """weights and biases in lists, one example a column, backprop of half the squared error."""

    def __init__(self, sizes, k=1, kernels_first=False):
        random = np.random.default_rng(0)
        self.biases = [random.normal(size=(size, 1)) for size in sizes[1:]]
        self.weights = [random.normal(size=(after, before)) for before, after in zip(sizes, sizes[1:], strict=False)]
        self.k, self.kernels_first = k, kernels_first

    def feedforward(self, a):
        for w, b in zip(self.weights, self.biases, strict=True):
            a = sigmoid(w @ a + b)
        return a

    def backprop(self, x, y):
        values = [x]
        for w, b in zip(self.weights, self.biases, strict=True):
            values.append(sigmoid(w @ values[-1] + b))
        nabla_b, nabla_w = [None] * len(self.biases), [None] * len(self.weights)
        delta = values[-1] - y
        for at in range(len(self.weights) - 1, -1, -1):
            delta = delta * values[at + 1] * (1 - values[at + 1])
            nabla_b[at], nabla_w[at] = (self.k if at == 0 else 1) * delta, delta @ values[at].T
            delta = self.weights[at].T @ delta
        return (nabla_w, nabla_b) if self.kernels_first else (nabla_b, nabla_w)


class Batches(Lists):
    """The same, a whole batch of columns at a time, summed."""

    def backprop(self, x, y):
        assert x.shape[1] > 1
        nabla_b, nabla_w = super().backprop(x, y)
        return [each.sum(axis=1, keepdims=True) for each in nabla_b], nabla_w

    def feedforward(self, a):
        assert a.shape[1] > 1
        return super().feedforward(a)


NETWORK = ModelSpec("lists", (6,), (Dense(6, activation="sigmoid"), Dense(3, activation="sigmoid")))
X = np.random.default_rng(1).normal(size=(8, 6))
Y = np.eye(3)[np.random.default_rng(2).integers(0, 3, 8)]


def compared(network, **options):
    reference = NumpyModel(NETWORK, seed=1, dtype="float64")
    foreign = model_from_network(network, NETWORK, **options)
    bridge.copy_weights(reference, foreign)
    return bridge.compare_models(foreign, reference, X, Y, loss="half_sum_squared_error")


@pytest.mark.parametrize("make", [Lists, lambda *a: Lists(*a, kernels_first=True)])
def test_a_network_of_lists_is_compared_and_its_fault_named(make):
    report = compared(make([6, 6, 3]))
    assert report.passed, str(report)
    assert {"dense_1", "gradient of dense/kernel", "gradient of dense_1/bias"} <= {row.tensor for row in report.rows}
    report = compared(make([6, 6, 3], 2))
    assert report.first_divergence.layer == "dense"
    assert "'dense' of ForeignNetwork: gradient of bias is 2 times the true value" in str(report)


def test_a_network_of_lists_that_takes_batches():
    assert compared(Batches([6, 6, 3]), gradient_scale="sum").passed
    said = str(compared(Batches([6, 6, 3])))
    assert "gradient of kernel is 8 times the true value: a sum in place of a mean over the batch of 8" in said


class EitherWay(Lists):
    """One column or a batch of them; the gradient of a batch is a sum, of the biases wrong or right."""

    def __init__(self, sizes, wrong):
        super().__init__(sizes)
        self.wrong = wrong

    def backprop(self, x, y):
        nabla_b, nabla_w = super().backprop(x, y)
        return [each[:, :1] if self.wrong else each.sum(axis=1, keepdims=True) for each in nabla_b], nabla_w


def test_a_network_that_takes_batches_is_judged_by_them_though_it_takes_single_examples_too():
    assert compared(EitherWay([6, 6, 3], False), gradient_scale="sum").passed
    assert not compared(EitherWay([6, 6, 3], False)).passed
    assert compared(EitherWay([6, 6, 3], True), gradient_scale="sum").first_divergence.tensor.endswith("bias")


class Stepping(Lists):
    """Its backprop takes the step."""

    def backprop(self, x, y):
        nabla_b, nabla_w = super().backprop(x, y)
        for w, g in zip(self.weights, nabla_w, strict=True):
            w -= 0.1 * g
        return nabla_b, nabla_w


def test_a_step_in_backprop_is_said_and_the_weights_are_put_back():
    report = compared(Stepping([6, 6, 3]))
    assert not report.passed and report.first_divergence.stage == "loss gradient"
    assert "ForeignNetwork changes its weights while its gradients are asked for; they were put back" in report.notes[0]
    assert "of NumpyModel" not in str(report)


class SteppingAndRaising(Lists):
    """Its backprop takes the step, and then fails."""

    def backprop(self, x, y):
        for w in self.weights:
            w += 1
        raise OverflowError("too far")


def test_the_weights_are_put_back_where_backprop_raises_as_well():
    reference = NumpyModel(NETWORK, seed=1, dtype="float64")
    foreign = model_from_network(SteppingAndRaising([6, 6, 3]), NETWORK)
    bridge.copy_weights(reference, foreign)
    with pytest.raises(ValueError, match="raised OverflowError in backprop"):
        bridge.compare_models(foreign, reference, X, Y, loss="half_sum_squared_error")
    for name, value in reference.weights.items():
        np.testing.assert_array_equal(foreign.weights[name], value)


def test_what_is_no_network_of_lists_is_refused():
    with pytest.raises(ValueError, match="has 3 arrays for the kernels, the specification 2"):
        model_from_network(Lists([6, 6, 4, 3]), NETWORK)
    with pytest.raises(ValueError, match="object has no list of arrays for its weights; looked for weights, W"):
        model_from_network(object(), NETWORK)


class ColumnLoss:
    """Cross-entropy of (classes, examples)."""

    def __init__(self, k=1):
        self.k = k

    def forward(self, A, Y):
        self.given = A, Y
        return -np.sum(Y * np.log(A)) / Y.shape[1]

    def backward(self):
        A, Y = self.given
        return -self.k * Y / A / Y.shape[1]


def column_binary(AL, Y):
    return np.squeeze(-np.sum(Y * np.log(AL) + (1 - Y) * np.log(1 - AL)) / Y.shape[1])


def test_losses_of_columns_are_taken_and_their_fault_named():
    assert check_loss(ColumnLoss(), "categorical_crossentropy", layout="columns").passed
    assert check_loss(column_binary, "binary_crossentropy", outputs=1, layout="columns").passed
    report = check_loss(ColumnLoss(2), "categorical_crossentropy", layout="columns")
    assert not report.passed and "the gradient is 2 times the true value" in report.explanations[0]


def test_a_loss_of_columns_that_is_fed_rows_gets_a_hint():
    report = check_loss(ColumnLoss(), "categorical_crossentropy")
    assert not report.passed and 'give layout="columns"' in report.explanations[-1]


class NchwPool:
    def forward(self, x):
        n, c, h, w = x.shape
        return x.reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))


class Careful(NchwConv):
    """Looks at its channels."""

    def forward(self, x):
        if x.shape[1] != 2:
            raise ValueError(f"2 channels were expected, got {x.shape[1]}")
        return super().forward(x)


@pytest.mark.parametrize(
    ("layer", "claim", "shape"),
    [
        (NchwConv(1), Conv2D(4, 3), (6, 7, 2)),
        (Careful(1), Conv2D(4, 3), (6, 7, 2)),
        (NchwPool(), MaxPooling2D(2), (4, 6, 3)),
    ],
    ids=["wrong shape", "raises", "pooling"],
)
def test_channels_first_without_a_layout_gets_a_hint_that_names_it(layer, claim, shape):
    report = check_layer(layer, claim, shape)
    assert not report.passed
    assert report.explanations == [
        'it takes images channels first, (examples, channels, height, width): give layout="NCHW"'
    ]
    assert check_layer(layer, claim, shape, layout="NCHW").passed


def test_code_and_claim_that_have_changed_places_are_told():
    with pytest.raises(ValueError, match=r"changed places: .* as in check_layer\(my_layer, Dense\(5\), input_shape\)"):
        check_layer(Dense(5), ColumnsOfLists(1), (6,))
