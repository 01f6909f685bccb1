"""Layers in the styles in which people write them: certified as they stand or with a line of glue, faults named."""

import numpy as np
import pytest

from bridge import check_layer, from_autograd, from_functions
from model_spec import Activation, BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D

Z = np.zeros


class Books:
    """W, b, dW, db."""

    def __init__(self, k):
        self.W, self.b, self.k = Z((6, 5)), Z(5), k

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.k * self.x.T @ dout, dout.sum(axis=0)
        return dout @ self.W.T


class Dicts:
    """params and grads, methods under other names."""

    def __init__(self, k):
        self.params, self.grads, self.k = {"w": Z((5, 6)), "b": Z((5, 1))}, {}, k

    def fprop(self, x):
        self.x = x
        return x @ self.params["w"].T + self.params["b"].T

    def bprop(self, dy):
        self.grads = {"w": self.k * dy.T @ self.x, "b": dy.sum(0)[:, None]}
        return dy @ self.params["w"]


class TupleBackward(Books):
    def backward(self, dy):
        return dy @ self.W.T, self.k * self.x.T @ dy, dy.sum(0)


class DxLast(Books):
    def backward(self, dy):
        return self.k * self.x.T @ dy, dy.sum(0), dy @ self.W.T


class DictBackward(Books):
    def backward(self, dy):
        return {"dx": dy @ self.W.T, "dW": self.k * self.x.T @ dy, "db": dy.sum(0)}


class UpdatesInside:
    """backward(grad, learning_rate) takes the step itself."""

    def __init__(self, k):
        self.weights, self.bias, self.k = Z((6, 5)), Z((1, 5)), k

    def forward(self, input):
        self.input = input
        return self.input @ self.weights + self.bias

    def backward(self, output_gradient, learning_rate):
        input_gradient = output_gradient @ self.weights.T
        self.weights -= learning_rate * self.k * self.input.T @ output_gradient
        self.bias -= learning_rate * output_gradient.sum(axis=0, keepdims=True)
        return input_gradient


class ReturnsCache(Books):
    def forward(self, x):
        return x @ self.W + self.b, (x,)

    def backward(self, dy, cache):
        self.dW, self.db = self.k * cache[0].T @ dy, dy.sum(0)
        return dy @ self.W.T


class CacheFirst(ReturnsCache):
    def backward(self, cache, dout):
        return super().backward(dout, cache)


class Lazy:
    """Makes its weights when it first sees an input."""

    def __init__(self, k):
        self.W = None
        self.k = k

    def forward(self, x):
        if self.W is None:
            self.W, self.b = np.random.default_rng(0).normal(size=(x.shape[1], 5)), Z(5)
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.k * self.x.T @ dy, dy.sum(0)
        return dy @ self.W.T


class PilesUp(Lazy):
    """Keeps every input until the step is taken."""

    def __init__(self, k):
        super().__init__(k)
        self.seen = []

    def forward(self, x):
        self.seen.append(x)
        return super().forward(x)

    def backward(self, dy):
        parts = [super(PilesUp, self).backward(dy) for _ in self.seen]
        return parts[0] if len(parts) == 1 else parts


class Columns:
    """(features, examples), as in lecture notes."""

    def __init__(self, k):
        self.W, self.b, self.k = Z((5, 6)), Z((5, 1)), k

    def forward(self, A):
        self.A = A
        return self.W @ A + self.b

    def backward(self, dZ):
        self.dW, self.db = self.k * dZ @ self.A.T, dZ.sum(axis=1, keepdims=True)
        return self.W.T @ dZ


class OneByOne:
    """One example at a time."""

    def __init__(self, k):
        self.W, self.b, self.k = Z((6, 5)), Z(5), k

    def forward(self, x):
        assert x.ndim == 1
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.k * np.outer(self.x, dy), dy
        return self.W @ dy


class Callable:
    """Called like a function; gradients under gw, gb."""

    def __init__(self, k):
        self.w, self.bias, self.k = Z((6, 5)), Z(5), k

    def __call__(self, x):
        self.x = x
        return x @ self.w + self.bias

    def backprop(self, dy):
        self.grad_w, self.grad_bias = self.k * self.x.T @ dy, dy.sum(0)
        return dy @ self.w.T


class OtherNames:
    def __init__(self, k):
        self.theta, self.offset, self.k = Z((6, 5)), Z(5), k

    def go(self, x):
        self.x = x
        return x @ self.theta + self.offset

    def come_back(self, dy):
        self.store = {"t": self.k * self.x.T @ dy, "o": dy.sum(0)}
        return dy @ self.theta.T


OTHER_NAMES = {
    "forward": "go",
    "backward": "come_back",
    "kernel": "theta",
    "bias": "offset",
    "gradient of kernel": "store.t",
    "gradient of bias": "store.o",
}


class OtherArguments(Books):
    """Arguments that no signature explains."""

    def forward(self, what, x):
        return super().forward(x)

    def backward(self, what, dy):
        return super().backward(dy)


OTHER_ARGUMENTS = {
    "forward": lambda layer, x, training: layer.forward("it", x),
    "backward": lambda layer, dy: layer.backward("it", dy),
}


def functions(k):
    def affine(x, W, b):
        return x @ W + b, (x, W)

    def affine_backward(dy, cache):
        x, W = cache
        return dy @ W.T, k * x.T @ dy, dy.sum(axis=0)

    return from_functions(affine, affine_backward, {"W": Z((6, 5)), "b": Z(5)})


def functions_of_params(k):
    def affine(params, x):
        return x @ params["W"] + params["b"]

    def affine_backward(params, x, dout):
        return {"dx": dout @ params["W"].T, "dW": k * x.T @ dout, "db": dout.sum(axis=0)}

    return from_functions(affine, affine_backward, {"W": Z((6, 5)), "b": Z(5)})


class Scalar:
    """A number that remembers where it came from."""

    def __init__(self, data, parents=(), scale=1.0):
        self.data, self.grad, self.parents, self.scale = data, 0.0, parents, scale

    def __add__(self, other):
        other = other if isinstance(other, Scalar) else Scalar(other)
        return Scalar(self.data + other.data, ((self, 1.0), (other, 1.0)))

    __radd__ = __add__

    def __mul__(self, other):
        other = other if isinstance(other, Scalar) else Scalar(other)
        return Scalar(self.data * other.data, ((self, other.data), (other, self.data)))

    __rmul__ = __mul__

    def backward(self):
        order, seen = [], set()

        def visit(node):
            if id(node) not in seen:
                seen.add(id(node))
                for parent, _ in node.parents:
                    visit(parent)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            for parent, slope in node.parents:
                parent.grad += slope * node.grad


class Tensor:
    """Arrays with a tape: enough for x @ W + b and relu."""

    def __init__(self, data, parents=(), k=1.0):
        self.data, self.grad, self.parents, self.k = np.asarray(data), None, parents, k

    def __matmul__(self, other):
        return type(self)(
            self.data @ other.data,
            ((self, lambda g: g @ other.data.T), (other, lambda g: other.k * self.data.T @ g)),
        )

    def __add__(self, other):
        return type(self)(self.data + other.data, ((self, lambda g: g), (other, lambda g: g.sum(axis=0))))

    def __mul__(self, other):
        return type(self)(self.data * other.data, ((self, lambda g: g * other.data), (other, lambda g: g * self.data)))

    def sum(self):
        return type(self)(self.data.sum(), ((self, lambda g: g * np.ones_like(self.data)),))

    def collect(self, gradient):
        self.grad = gradient if self.grad is None else self.grad + gradient
        for parent, pull in self.parents:
            parent.collect(pull(gradient))

    def backward(self, gradient):
        self.collect(gradient)


class NoGradientTensor(Tensor):
    """Starts from a scalar alone, as many engines do."""

    def backward(self):
        self.collect(np.ones_like(self.data))


def scalars(k):
    def affine(x, W, b):
        return x @ W * 1.0 + b if k == 1 else x @ (W * k) * (1 / k) + b * k

    return from_autograd(Scalar, affine, {"W": Z((6, 5)), "b": Z(5)}, scalars=True)


def tensors(k):
    return from_autograd(lambda a: Tensor(a, k=k), lambda x, W, b: x @ W + b, {"W": Z((6, 5)), "b": Z(5)})


class NchwConv:
    """Loops, channels first, kernel (out, in, h, w)."""

    def __init__(self, k):
        self.weight, self.bias, self.k = Z((4, 2, 3, 3)), Z(4), k

    def forward(self, x):
        self.x = x
        n, _, h, w = x.shape
        out = np.zeros((n, 4, h - 2, w - 2), x.dtype)
        for i in range(h - 2):
            for j in range(w - 2):
                patch = x[:, None, :, i : i + 3, j : j + 3]
                out[:, :, i, j] = (patch * self.weight).sum(axis=(2, 3, 4)) + self.bias
        return out

    def backward(self, dy):
        dx, self.dweight = np.zeros_like(self.x), np.zeros_like(self.weight)
        for i in range(dy.shape[2]):
            for j in range(dy.shape[3]):
                g = dy[:, :, i, j]
                self.dweight += np.einsum("nf,ncij->fcij", g, self.x[:, :, i : i + 3, j : j + 3])
                dx[:, :, i : i + 3, j : j + 3] += np.einsum("nf,fcij->ncij", g, self.weight)
        self.dbias = self.k * dy.sum(axis=(0, 2, 3))
        return dx


def ohwi_conv(k):
    layer = NchwConv(k)
    layer.weight = Z((4, 3, 3, 2))
    plain_forward, plain_backward = layer.forward, layer.backward

    class Ohwi:
        def __init__(self):
            self.W, self.b, self.inner = layer.weight, layer.bias, layer

        def forward(self, x):
            self.inner.weight, self.inner.bias = self.W.transpose(0, 3, 1, 2), self.b
            return NchwConv.forward(self.inner, x.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)

        def backward(self, dy):
            dx = NchwConv.backward(self.inner, dy.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
            self.dW, self.db = self.inner.dweight.transpose(0, 2, 3, 1), self.inner.dbias
            return dx

    assert plain_forward and plain_backward
    return Ohwi()


class ImagePool:
    """One image (h, w, c) at a time, in loops."""

    def __init__(self, k):
        self.k = k

    def forward(self, image):
        assert image.ndim == 3
        self.image = image
        h, w, c = image.shape
        out = np.zeros((h // 2, w // 2, c))
        for i in range(h // 2):
            for j in range(w // 2):
                out[i, j] = image[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max(axis=(0, 1))
        return out

    def backprop(self, d_out):
        dx = np.zeros_like(self.image)
        h, w, c = d_out.shape
        for i in range(h):
            for j in range(w):
                for f in range(c):
                    window = self.image[2 * i : 2 * i + 2, 2 * j : 2 * j + 2, f]
                    a, b = np.unravel_index(window.argmax(), window.shape)
                    dx[2 * i + a, 2 * j + b, f] = self.k * d_out[i, j, f]
        return dx


class ModeAttribute:
    """Dropout whose mode is an attribute."""

    def __init__(self, k):
        self.training, self.k, self.random = True, k, np.random.default_rng(0)

    def forward(self, x):
        if not self.training:
            return x
        self.mask = (self.random.random(x.shape) >= 0.25) / 0.75
        return x * self.mask

    def backward(self, dy):
        return self.k * dy * self.mask


class Moments:
    """Batch normalization that keeps its statistics in a dict, mode="train"."""

    def __init__(self, k):
        self.params = {"gamma": np.ones(6), "beta": Z(6)}
        self.running_mean, self.running_var, self.k = Z(6), np.ones(6), k

    def forward(self, x, mode="train"):
        mean, var = (x.mean(0), x.var(0)) if mode == "train" else (self.running_mean, self.running_var)
        if mode == "train":
            self.running_mean = 0.9 * self.running_mean + 0.1 * mean
            self.running_var = 0.9 * self.running_var + 0.1 * var
        self.inverse = 1 / np.sqrt(var + 1e-5)
        self.normalized = (x - mean) * self.inverse
        return self.params["gamma"] * self.normalized + self.params["beta"]

    def backward(self, dy):
        self.grads = {"gamma": self.k * (dy * self.normalized).sum(0), "beta": dy.sum(0)}
        share = dy.mean(0) + self.normalized * (dy * self.normalized).mean(0)
        return self.params["gamma"] * self.inverse * (dy - share)


class Relu:
    def __init__(self, k):
        self.k = k

    def calculate(self, z):
        self.z = z
        return np.maximum(0, z)

    def derivative(self, upstream):
        return self.k * upstream * (self.z > 0)


class FlattenColumns:
    """Channels first, declared."""

    def __init__(self, k):
        self.k = k

    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy):
        return self.k * dy.reshape(self.shape)


DENSE = (Dense(5), (6,), {})
KERNEL = "gradient of kernel is twice the true value"
STYLES = {
    "books": (Books, *DENSE),
    "dicts and fprop": (Dicts, *DENSE),
    "backward gives a tuple": (TupleBackward, *DENSE),
    "backward gives dx last": (DxLast, *DENSE),
    "backward gives a dict": (DictBackward, *DENSE),
    "backward updates": (UpdatesInside, *DENSE),
    "forward gives (y, cache)": (ReturnsCache, *DENSE),
    "backward(cache, dout)": (CacheFirst, *DENSE),
    "lazy": (Lazy, *DENSE),
    "piles up": (PilesUp, *DENSE),
    "columns": (Columns, *DENSE),
    "one example": (OneByOne, *DENSE),
    "callable": (Callable, *DENSE),
    "other names": (OtherNames, Dense(5), (6,), {"names": OTHER_NAMES}),
    "other arguments": (OtherArguments, Dense(5), (6,), {"call": OTHER_ARGUMENTS}),
    "pure functions": (functions, *DENSE),
    "pure functions of params": (functions_of_params, *DENSE),
    "autograd of scalars": (scalars, Dense(5), (6,), {"batch": 2, "edges": False}),
    "autograd of tensors": (tensors, *DENSE),
    "channels first": (NchwConv, Conv2D(4, 3), (6, 7, 2), {"layout": "NCHW"}),
    "kernel (out, h, w, in)": (ohwi_conv, Conv2D(4, 3), (6, 7, 2), {"kernel_layout": "OHWI"}),
    "one image": (ImagePool, MaxPooling2D(2), (6, 4, 3), {}),
    "mode as an attribute": (ModeAttribute, Dropout(0.25), (40,), {"training": True}),
    "mode='train'": (Moments, BatchNormalization(0.9, 1e-5), (6,), {"training": True}),
    "derivative": (Relu, Activation("relu"), (9,), {}),
    "flatten": (FlattenColumns, Flatten(), (3, 4, 2), {}),
}


def test_there_are_enough():
    assert len(STYLES) >= 20


@pytest.mark.parametrize("name", list(STYLES))
def test_each_style_is_certified(name):
    make, claim, shape, options = STYLES[name]
    report = check_layer(make(1), claim, shape, **options)
    assert report.passed, str(report)
    assert {row.tensor for row in report.rows} >= {"y", "gradient of x"}


@pytest.mark.parametrize("name", list(STYLES))
def test_a_fault_in_each_is_refused_and_named(name):
    make, claim, shape, options = STYLES[name]
    report = check_layer(make(2), claim, shape, **options)
    assert not report.passed
    said = "; ".join(report.explanations)
    assert "2 times the true value" in said or "added twice" in said, said


def test_a_tensor_that_starts_from_a_scalar():
    layer = from_autograd(NoGradientTensor, lambda x, W, b: x @ W + b, {"W": Z((6, 5)), "b": Z(5)})
    assert check_layer(layer, Dense(5), (6,)).passed


def test_what_fits_nothing_gets_the_shortest_glue():
    with pytest.raises(ValueError, match="class Adapter"):
        check_layer(object(), Dense(5), (6,))


class Parameter:
    def __init__(self, data):
        self.data, self.grad = data, np.zeros_like(data)


class OfParameters:
    def __init__(self, factor):
        self.weight, self.bias, self.factor = Parameter(np.zeros((6, 5))), Parameter(np.zeros(5)), factor

    def forward(self, x):
        self.x = x
        return x @ self.weight.data + self.bias.data

    def backward(self, dy):
        self.weight.grad, self.bias.grad = self.factor * self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.weight.data.T


def test_parameter_objects_are_found_and_their_dotted_names_are_taken():
    dotted = {"kernel": "weight.data", "bias": "bias.data", "gradient of kernel": "weight.grad"}
    for names in (None, dotted):
        assert check_layer(OfParameters(1), Dense(5), (6,), names=names).passed
        report = check_layer(OfParameters(2), Dense(5), (6,), names=names)
        assert not report.passed and "gradient of kernel is 2 times the true value" in report.explanations[0]
