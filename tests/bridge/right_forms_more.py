"""More right forms: the less frequent activations, normalizations of each example, convolutions, robust losses."""

from math import erf, erfc

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from model_spec import Conv2D, DepthwiseConv2D, LayerNormalization, MaxPooling2D
from model_spec.losses import Huber
from tests.bridge.slips.parts import Convolution

_ALPHA, _SCALE = 1.6732632423543772, 1.0507009873554805


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.logaddexp(0, x)


def normal_shares(x):
    return np.vectorize(lambda value: 0.5 * erfc(-value / np.sqrt(2)), otypes=[np.float64])(x).astype(x.dtype)


def normal_density(x):
    return np.exp(-x * x / 2) / np.sqrt(2 * np.pi).astype(x.dtype)


def log_softmax(z):
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


ACTIVATIONS = {
    "silu x sigmoid(x)": (
        "silu",
        lambda x: x * sigmoid(x),
        lambda x, y, dy: dy * (sigmoid(x) + x * sigmoid(x) * (1 - sigmoid(x))),
    ),
    "silu x / (1 + e^-x)": ("silu", lambda x: x / (1 + np.exp(-x)), lambda x, y, dy: dy * (y + sigmoid(x) * (1 - y))),
    "silu by tanh": (
        "silu",
        lambda x: x * (1 + np.tanh(x / 2)) / 2,
        lambda x, y, dy: dy * sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    ),
    "selu where": (
        "selu",
        lambda x: _SCALE * np.where(x > 0, x, _ALPHA * (np.exp(np.minimum(x, 0)) - 1)),
        lambda x, y, dy: dy * _SCALE * np.where(x > 0, 1, _ALPHA * np.exp(np.minimum(x, 0))),
    ),
    "selu by two parts": (
        "selu",
        lambda x: _SCALE * np.maximum(x, 0) + _SCALE * _ALPHA * np.expm1(np.minimum(x, 0)),
        lambda x, y, dy: np.where(x > 0, _SCALE * dy, dy * (y + _SCALE * _ALPHA)),
    ),
    "gelu by erf": (
        "gelu",
        lambda x: x * 0.5 * (1 + np.vectorize(erf, otypes=[np.float64])(x / np.sqrt(2)).astype(x.dtype)),
        lambda x, y, dy: dy * (normal_shares(x) + x * normal_density(x)),
    ),
    "gelu by erfc": (
        "gelu",
        lambda x: x * normal_shares(x),
        lambda x, y, dy: dy * (normal_shares(x) + x * normal_density(x)),
    ),
    "mish by tanh": (
        "mish",
        lambda x: x * np.tanh(softplus(x)),
        lambda x, y, dy: dy * (np.tanh(softplus(x)) + x * sigmoid(x) * (1 - np.tanh(softplus(x)) ** 2)),
    ),
    "softsign": ("softsign", lambda x: x / (1 + np.abs(x)), lambda x, y, dy: dy / (1 + np.abs(x)) ** 2),
    "softsign 1 - |y|": ("softsign", lambda x: x / (np.abs(x) + 1), lambda x, y, dy: dy * np.square(1 - np.abs(y))),
    "relu6 clip": ("relu6", lambda x: np.clip(x, 0, 6), lambda x, y, dy: dy * ((x > 0) & (x < 6))),
    "relu6 min max": (
        "relu6",
        lambda x: np.minimum(np.maximum(x, 0), x.dtype.type(6)),
        lambda x, y, dy: np.where((x <= 0) | (x >= 6), 0, dy),
    ),
    "hard sigmoid clip": (
        "hard_sigmoid",
        lambda x: np.clip(x / 6 + 0.5, 0, 1),
        lambda x, y, dy: dy / 6 * (np.abs(x) < 3),
    ),
    "hard sigmoid by relu6": (
        "hard_sigmoid",
        lambda x: np.clip(x + 3, 0, 6) / 6,
        lambda x, y, dy: np.where(np.abs(x) < 3, dy / 6, 0),
    ),
    "log softmax": (
        "log_softmax",
        log_softmax,
        lambda x, y, dy: dy - np.exp(y) * dy.sum(axis=1, keepdims=True),
    ),
    "exponential": ("exponential", np.exp, lambda x, y, dy: dy * y),
    "exponential, by powers of 2": (
        "exponential",
        lambda x: np.exp2(x * x.dtype.type(np.log2(np.e))),
        lambda x, y, dy: dy * y,
    ),
    "exponential, of x": ("exponential", lambda x: np.exp(x), lambda x, y, dy: dy * np.exp(x)),
}  # fmt: skip


class Examples:
    """Layer normalization; mean of squares, and one of three backwards."""

    def __init__(self, squares=False, back="sums", size=6):
        self.gamma, self.beta, self.squares, self.back = np.ones(size), np.zeros(size), squares, back

    def forward(self, x):
        mean = x.mean(axis=-1, keepdims=True)
        var = (x * x).mean(axis=-1, keepdims=True) - mean**2 if self.squares else x.var(axis=-1, keepdims=True)
        self.inverse, self.centred = 1 / np.sqrt(var + 1e-3), x - mean
        self.xn = self.centred * self.inverse
        return self.gamma * self.xn + self.beta

    def backward(self, dy):
        axes = tuple(range(dy.ndim - 1))
        self.dgamma, self.dbeta = (dy * self.xn).sum(axis=axes), dy.sum(axis=axes)
        dxn, n = dy * self.gamma, dy.shape[-1]
        if self.back == "sums":
            share = dxn.sum(axis=-1, keepdims=True) + self.xn * (dxn * self.xn).sum(axis=-1, keepdims=True)
            return self.inverse / n * (n * dxn - share)
        dvar = (dxn * self.centred).sum(axis=-1, keepdims=True) * -0.5 * self.inverse**3
        dmean = (-dxn * self.inverse).sum(axis=-1, keepdims=True)
        return dxn * self.inverse + dvar * 2 * self.centred / n + dmean / n


class Depthwise:
    """A kernel for each channel, by windows or by cells of the kernel."""

    def __init__(self, cells):
        self.W, self.b, self.cells = np.zeros((3, 3, 2, 1)), np.zeros(2), cells

    def forward(self, x):
        self.x, kernel = x, self.W[..., 0]
        h, w = x.shape[1] - 2, x.shape[2] - 2
        if self.cells:
            return sum(x[:, i : i + h, j : j + w] * kernel[i, j] for i in range(3) for j in range(3)) + self.b
        return np.einsum("nhwcij,ijc->nhwc", sliding_window_view(x, (3, 3), (1, 2)), kernel) + self.b

    def backward(self, dy):
        dx, self.dW = np.zeros_like(self.x), np.zeros_like(self.W)
        h, w = dy.shape[1:3]
        for i in range(3):
            for j in range(3):
                dx[:, i : i + h, j : j + w] += dy * self.W[i, j, :, 0]
                self.dW[i, j, :, 0] = (dy * self.x[:, i : i + h, j : j + w]).sum(axis=(0, 1, 2))
        self.db = dy.sum(axis=(0, 1, 2))
        return dx


class Turned(Convolution):
    """The gradient of x as a full convolution with the turned kernel."""

    def backward(self, dy):
        super().backward(dy)
        padded = np.pad(dy, ((0, 0), (2, 2), (2, 2), (0, 0)))
        view = sliding_window_view(padded, (3, 3), (1, 2))
        return np.einsum("nhwfij,ijcf->nhwc", view, self.W[::-1, ::-1])


class Ones(Convolution):
    """A kernel of one cell: a matrix product of the channels."""

    def __init__(self):
        super().__init__(shape=(1, 1, 2, 4))

    def forward(self, x):
        self.x = x
        return (x.reshape(-1, 2) @ self.W[0, 0] + self.b).reshape(*x.shape[:3], 4)


class ByMask:
    """Max pooling by the mask of the window's largest, in blocks."""

    def forward(self, x):
        n, h, w, c = x.shape
        blocks = x.reshape(n, h // 2, 2, w // 2, 2, c)
        y = blocks.max(axis=(2, 4))
        top = blocks == y[:, :, None, :, None]
        self.share = top / top.sum(axis=(2, 4), keepdims=True)
        return y

    def backward(self, dy):
        parts = self.share * dy[:, :, None, :, None]
        n, h, _, w, _, c = parts.shape
        return parts.reshape(n, 2 * h, 2 * w, c)


CONV = (Conv2D(4, 3), (5, 6, 2))
LAYERS = {
    "layer normalization": (Examples, LayerNormalization(), (6,), {}),
    "layer normalization, mean of squares": (lambda: Examples(squares=True), LayerNormalization(), (6,), {}),
    "layer normalization of 3, mean of squares": (
        lambda: Examples(squares=True, size=3),
        LayerNormalization(),
        (4, 5, 3),
        {},
    ),
    "layer normalization, small steps": (lambda: Examples(back="steps"), LayerNormalization(), (6,), {}),
    "depthwise by windows": (lambda: Depthwise(False), DepthwiseConv2D(3), (5, 6, 2), {}),
    "depthwise by cells": (lambda: Depthwise(True), DepthwiseConv2D(3), (5, 6, 2), {}),
    "conv, dx by the turned kernel": (Turned, *CONV, {}),
    "conv of one cell": (Ones, Conv2D(4, 1), (5, 6, 2), {}),
    "conv with a border": (lambda: Convolution(pad=((1, 1), (1, 1))), Conv2D(4, 3, padding="same"), (5, 6, 2), {}),
    "conv with strides": (lambda: Convolution(stride=2), Conv2D(4, 3, strides=2), (7, 7, 2), {}),
    "max pooling by a mask": (ByMask, MaxPooling2D(2), (4, 6, 3), {"edges": False}),
}


def _huber(y, t):
    d = np.abs(y - t)
    return np.where(d <= 1, d * d / 2, d - 0.5).mean()


LOSSES = {
    "huber where": (_huber, lambda y, t: np.clip(y - t, -1, 1) / y.size, Huber(1.0)),
    "huber by its quadratic part": (
        lambda y, t: (0.5 * (q := np.minimum(np.abs(y - t), 1)) ** 2 + (np.abs(y - t) - q)).mean(),
        lambda y, t: np.where(np.abs(y - t) <= 1, y - t, np.sign(y - t)) / y.size,
        Huber(1.0),
    ),
    "huber of 2": (
        lambda y, t: np.where((d := np.abs(y - t)) <= 2, d * d / 2, 2 * (d - 1)).mean(),
        lambda y, t: np.clip(y - t, -2, 2) / y.size,
        Huber(2.0),
    ),
    "log cosh": (lambda y, t: np.log(np.cosh(y - t)).mean(), lambda y, t: np.tanh(y - t) / y.size, "log_cosh"),
    "log cosh by softplus": (
        lambda y, t: (y - t + softplus(-2 * (y - t)) - np.log(2)).mean(),
        lambda y, t: (1 - 2 / (np.exp(2 * (y - t)) + 1)) / y.size,
        "log_cosh",
    ),
    "absolute": (lambda y, t: np.abs(y - t).mean(), lambda y, t: np.sign(y - t) / y.size, "mean_absolute_error"),
    "absolute by maximum": (
        lambda y, t: np.maximum(y - t, t - y).sum() / y.size,
        lambda y, t: np.where(y > t, 1, -1) / y.size,
        "mean_absolute_error",
    ),
    "hinge": (lambda y, t: np.maximum(0, 1 - t * y).mean(), lambda y, t: np.where(t * y < 1, -t, 0) / y.size, "hinge"),
    "hinge squared": (
        lambda y, t: (np.maximum(0, 1 - t * y) ** 2).mean(),
        lambda y, t: -2 * t * np.maximum(0, 1 - t * y) / y.size,
        "squared_hinge",
    ),
    "divergence": (lambda p, t: (t * np.log(t / p)).sum() / len(p), lambda p, t: -t / p / len(p), "kl_divergence"),
    "divergence, logarithms apart": (
        lambda p, t: (t * (np.log(t) - np.log(p))).sum(axis=1).mean(),
        lambda p, t: -(t / p) / len(p),
        "kl_divergence",
    ),
}
