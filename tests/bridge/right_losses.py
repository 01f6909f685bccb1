"""Losses that are right, in the styles people write; a table: how it is made, what it claims, options."""

import numpy as np

from model_spec.losses import Huber
from tests.bridge.slips.losses import BCE, CE, Loss, binary, cross_entropy, sigmoid, softmax


class SoftmaxWithLoss:
    def forward(self, x, t):
        self.t, self.y = t, softmax(x)
        return -np.log(self.y[np.arange(len(t)), t]).sum() / len(t)

    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dx / len(self.t) * dout


class TwoStatic:
    @staticmethod
    def loss(y_true, y_pred):
        return np.mean(np.power(y_true - y_pred, 2))

    @staticmethod
    def gradient(y_true, y_pred):
        return 2 * (y_pred - y_true) / y_true.size


def log_softmax(z):
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def logsumexp(z):
    largest = z.max(axis=1, keepdims=True)
    return largest + np.log(np.exp(z - largest).sum(axis=1, keepdims=True))


def hinge(y, t):
    return np.maximum(1 - t * y, 0).mean(), np.where(t * y < 1, -t, 0) / y.size


def hinge_of_bits(y, t):
    return hinge(y, 2 * t - 1 if np.isin(t, (0, 1)).all() else t)


def huber(delta):
    def value(y, t):
        d = np.abs(y - t)
        return np.where(d <= delta, d * d / 2, delta * d - delta**2 / 2).mean()

    return lambda y, t: (value(y, t), np.clip(y - t, -delta, delta) / y.size)


RIGHT = {
    "softmax with loss": (SoftmaxWithLoss, "sparse_categorical_crossentropy", {}),
    "static methods, targets first": (TwoStatic, "mean_squared_error", {}),
    "cross-entropy of probabilities": (
        lambda: Loss(cross_entropy, lambda p, t: -t / p / len(p)),
        "categorical_crossentropy",
        {},
    ),
    "Keras' gradient of shares": (
        lambda: Loss(cross_entropy, lambda p, t: (1 / p.sum(axis=1, keepdims=True) - t / p) / len(p)),
        "categorical_crossentropy",
        {},
    ),
    "p - t, said to be that of the logits": (
        lambda: Loss(cross_entropy, lambda p, t: (p - t) / len(p)),
        "categorical_crossentropy",
        {"gradient_of": "logits"},
    ),
    "from logits": (
        lambda: Loss(lambda z, t: -(t * log_softmax(z)).sum(axis=1).mean(), lambda z, t: (softmax(z) - t) / len(z)),
        "categorical_crossentropy",
        {},
    ),
    "sum, said to be one": (
        lambda: Loss(lambda p, t: cross_entropy(p, t) * len(p), lambda p, t: -t / p),
        "categorical_crossentropy",
        {"reduction": "sum"},
    ),
    "binary": (
        lambda: Loss(binary, lambda p, t: (p - t) / (p * (1 - p)) / p.size),
        "binary_crossentropy",
        {},
    ),
    "binary from logits": (
        lambda: Loss(
            lambda z, t: (np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z)))).mean(),
            lambda z, t: (sigmoid(z) - t) / z.size,
        ),
        "binary_crossentropy",
        {},
    ),
    "half squares": (
        lambda: Loss(lambda y, t: 0.5 * ((y - t) ** 2).sum() / len(y), lambda y, t: (y - t) / len(y)),
        "half_sum_squared_error",
        {},
    ),
    "one value an example": (
        lambda: Loss(lambda y, t: ((y - t) ** 2).mean(axis=1), lambda y, t: 2 * (y - t) / y.size),
        "mean_squared_error",
        {},
    ),
    "value and gradient": (
        lambda: lambda y, t: (((y - t) ** 2).mean(), 2 * (y - t) / y.size),
        "mse",
        {},
    ),
    "KL divergence of shares": (
        lambda: lambda p, t: ((t * np.log(t / p)).sum() / len(t), -t / p / len(t)),
        "kl_divergence",
        {},
    ),
    "hinge of signs": (
        lambda: lambda y, t: (np.maximum(1 - t * y, 0).mean(), np.where(t * y < 1, -t, 0) / y.size),
        "hinge",
        {},
    ),
    "answers in float32": (
        lambda: lambda y, t: (np.float32(((y - t) ** 2).mean()), (2 * (y - t) / y.size).astype("f4")),
        "mse",
        {},
    ),
    "a number beside a gradient in float32": (
        lambda: lambda y, t: (float(np.square(y - t, dtype="f4").mean()), (2 * (y - t) / y.size).astype("f4")),
        "mse",
        {},
    ),
    "cross-entropy of what is divided by its sum": (
        lambda: lambda p, t: (cross_entropy(p / p.sum(axis=1, keepdims=True), t), -t / p / len(p)),
        CE,
        {"from_logits": False},
    ),
    "softmax by a stable logarithm": (
        lambda: lambda z, t: (-(t * (z - logsumexp(z))).sum() / len(z), (np.exp(z - logsumexp(z)) - t) / len(z)),
        CE,
        {"from_logits": True},
    ),
    "one example of bits from logits": (
        lambda: lambda z, t: ((np.logaddexp(0, z) - z * t).mean(), (np.exp(z - np.logaddexp(0, z)) - t) / z.size),
        BCE,
        {"from_logits": True, "batch": 1, "outputs": 1},
    ),
    "one example of classes": (SoftmaxWithLoss, "sparse_categorical_crossentropy", {"batch": 1, "from_logits": True}),
    "hinge of one output": (lambda: hinge, "hinge", {"outputs": 1}),
    "hinge of one example": (lambda: hinge, "hinge", {"outputs": 1, "batch": 1}),
    "Huber beyond a small delta": (lambda: huber(0.01), Huber(0.01), {}),
    "Huber beyond a large delta": (lambda: huber(50.0), Huber(50.0), {}),
    "a pair of functions": (
        lambda: (
            lambda y_pred, y_true: ((y_pred - y_true) ** 2).mean(),
            lambda y_pred, y_true: 2 * (y_pred - y_true) / y_pred.size,
        ),
        "mse",
        {},
    ),
}
