"""Slips in losses, each with its words: (loss, claim, [words])."""

import numpy as np

from model_spec.losses import Huber


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class Loss:
    """An object of two functions of (outputs, targets)."""

    def __init__(self, value, gradient):
        self.value_of, self.gradient_of = value, gradient

    def forward(self, outputs, targets):
        self.given = outputs, targets
        return self.value_of(outputs, targets)

    def backward(self, dout=1):
        return self.gradient_of(*self.given) * dout


def cross_entropy(p, t):
    return -(t * np.log(p)).sum() / len(p)


def binary(p, t):
    return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()


def right_gradient(p, t):
    return -t / p / len(p)


def squares(y, t):
    return ((y - t) ** 2).mean()


def binary_of_logits(z, t):
    return (np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z)))).mean()


CE, BCE, MSE = "categorical_crossentropy", "binary_crossentropy", "mean_squared_error"
WRONG = {
    "epsilon": (Loss(lambda p, t: cross_entropy(p + 1e-7, t), right_gradient), CE, ["log(p + 1e-07)"]),
    "epsilon in both": (
        Loss(lambda p, t: cross_entropy(p + 1e-8, t), lambda p, t: -t / (p + 1e-8) / len(p)),
        CE,
        ["the loss: the logarithm has an epsilon in it: log(p + 1e-08)", "the gradient: the logarithm has an epsilon"],
    ),
    "small epsilon in both": (
        Loss(lambda p, t: cross_entropy(p + 1e-12, t), lambda p, t: -t / (p + 1e-12) / len(p)),
        CE,
        ["the loss: the logarithm has an epsilon in it: log(p + 1e-12)", "the gradient: the logarithm has an epsilon"],
    ),
    "smallest epsilon": (lambda p, t: cross_entropy(p + 1e-15, t), CE, ["log(p + 1e-15)"]),
    "binary, small epsilon": (
        lambda p, t: -(t * np.log(p + 1e-12) + (1 - t) * np.log(1 - p + 1e-12)).mean(),
        BCE,
        ["log(p + 1e-12)"],
    ),
    "epsilon and a sum": (
        Loss(lambda p, t: cross_entropy(p + 1e-7, t) * len(p), right_gradient),
        CE,
        ["a sum in place of a mean over the batch of 8", "log(p + 1e-07)"],
    ),
    "sum": (
        Loss(lambda p, t: cross_entropy(p, t) * len(p), right_gradient),
        CE,
        ["the loss is 8 times", "a sum in place"],
    ),
    "gradient not divided": (
        Loss(cross_entropy, lambda p, t: -t / p),
        CE,
        ["the gradient is 8 times the true value: a sum"],
    ),
    "gradient of the logits": (
        Loss(cross_entropy, lambda p, t: (p - t) / len(p)),
        CE,
        ["with respect to the logits in front of a softmax, p - t"],
    ),
    "sign": (Loss(lambda p, t: -cross_entropy(p, t), right_gradient), CE, ["the sign is the other way round"]),
    "base 2": (
        Loss(lambda p, t: -(t * np.log2(p)).sum() / len(p), right_gradient),
        CE,
        ["a logarithm to base 2"],
    ),
    "all classes": (
        Loss(lambda p, t: binary(p, t) * p.shape[1], lambda p, t: (p - t) / (p * (1 - p)) / len(p)),
        CE,
        ["binary cross-entropy"],
    ),
    "mean over classes too": (
        Loss(lambda p, t: -(t * np.log(p)).mean(), right_gradient),
        CE,
        ["1/5 of the true value: divided by the 5 outputs"],
    ),
    "half of binary": (
        Loss(lambda p, t: -(t * np.log(p)).mean(), lambda p, t: -t / p / p.size),
        BCE,
        ["(1 - t) log(1 - p) is missing"],
    ),
    "binary sum over outputs": (
        Loss(lambda p, t: binary(p, t) * p.shape[1], lambda p, t: (p - t) / (p * (1 - p)) / p.size),
        BCE,
        ["5 times the true value: multiplied with, or not divided by, the 5 outputs of an example"],
    ),
    "sigmoid's logits": (
        Loss(binary, lambda p, t: (p - t) / p.size),
        BCE,
        ["with respect to the logits in front of a sigmoid"],
    ),
    "half": (Loss(lambda y, t: squares(y, t) / 2, lambda y, t: (y - t) / y.size), MSE, ["half"]),
    "without the 2": (
        Loss(squares, lambda y, t: (y - t) / y.size),
        MSE,
        ["the gradient is 1/2 of the true value: half"],
    ),
    "turned round": (Loss(squares, lambda y, t: 2 * (t - y) / y.size), MSE, ["the sign is the other way round"]),
    "root": (Loss(lambda y, t: np.sqrt(squares(y, t)), lambda y, t: 2 * (y - t) / y.size), MSE, ["root"]),
    "absolute": (
        Loss(lambda y, t: np.abs(y - t).mean(), lambda y, t: np.sign(y - t) / y.size),
        MSE,
        ["absolute error"],
    ),
    "binary from logits, summed over outputs": (
        Loss(binary_of_logits, lambda z, t: (sigmoid(z) - t) / len(z)),
        BCE,
        ["the gradient is 5 times the true value: multiplied with, or not divided by, the 5 outputs of an example"],
    ),
    "binary from logits, both summed over outputs": (
        Loss(lambda z, t: binary_of_logits(z, t) * 5, lambda z, t: (sigmoid(z) - t) / len(z)),
        BCE,
        [
            "the loss is 5 times the true value: multiplied with",
            "the gradient is 5 times the true value: multiplied with",
        ],
    ),
    "over the batch alone": (
        Loss(squares, lambda y, t: 2 * (y - t) / len(y)),
        MSE,
        ["5 times the true value: multiplied with, or not divided by, the 5 outputs of an example"],
    ),
}


def huber(delta=1.0, slope=None, minus=0.5, square=0.5):
    """square d^2 up to delta, slope |d| - minus delta^2 beyond."""
    slope = delta if slope is None else slope

    def value(y, t):
        d = np.abs(y - t)
        return np.where(d <= delta, square * d * d, slope * d - minus * delta**2).mean()

    def gradient(y, t):
        d = y - t
        return np.where(np.abs(d) <= delta, 2 * square * d, slope * np.sign(d)) / y.size

    return Loss(value, gradient)


def log_cosh_without_constant(y, t):
    d = np.abs(y - t)
    return (d + np.log1p(np.exp(-2 * d))).mean()


def tanh_gradient(y, t):
    return np.tanh(y - t) / y.size


HUBER, TWO = Huber(1.0), Huber(2.0)
WRONG |= {
    "huber delta": (huber(1.5), HUBER, ["the loss: its delta is 1.5 in place of 1", "the gradient: its delta is 1.5"]),
    "huber without its constant": (huber(minus=0.0), HUBER, ["the constant - delta^2 / 2 is missing"]),
    "huber, the whole square subtracted": (huber(minus=1.0), HUBER, ["- delta^2 in place of - delta^2 / 2"]),
    "huber, delta not squared": (huber(2.0, minus=0.25), TWO, ["- delta / 2 in place of - delta^2 / 2"]),
    "huber, square not halved": (
        huber(square=1.0),
        HUBER,
        ["loss: the square is not", "gradient: the square"],
    ),
    "huber, slope 1": (huber(2.0, slope=1.0), TWO, ["the absolute error without the factor delta"]),
    "huber is the square": (
        Loss(lambda y, t: squares(y, t) / 2, lambda y, t: (y - t) / y.size),
        HUBER,
        ["there is no line beyond delta"],
    ),
    "log cosh without log 2": (
        Loss(log_cosh_without_constant, tanh_gradient),
        "log_cosh",
        ["the constant log(2) is missing"],
    ),
    "cosh": (
        Loss(lambda y, t: np.cosh(y - t).mean(), lambda y, t: np.sinh(y - t) / y.size),
        "log_cosh",
        ["the loss: it is cosh without the logarithm", "the gradient: it is cosh"],
    ),
    "targets first, unsaid": (
        (lambda a, b: -(a * np.log(b)).sum() / len(a), lambda a, b: -a / b / len(a)),
        CE,
        ["its arguments have changed places"],
    ),
    "binary, targets first, unsaid": (lambda a, b: binary(b, a), BCE, ["its arguments have changed places"]),
    "divergence the other way": (lambda p, t: (p * np.log(p / t)).sum() / len(p), "kl_divergence", ["changed places"]),
    "squares, targets first, unsaid": (
        (lambda a, b: squares(a, b), lambda a, b: 2 * (b - a) / a.size),
        MSE,
        ["the sign is the other way round, or its arguments have changed places"],
    ),
    "pair: half and not divided": (
        Loss(lambda y, t: squares(y, t) / 2, lambda y, t: 2 * (y - t) / len(y)),
        MSE,
        ["half", "the gradient is 5 times the true value"],
    ),
    "pair: epsilon and logits' gradient": (
        Loss(lambda p, t: cross_entropy(p + 1e-7, t), lambda p, t: (p - t) / len(p)),
        CE,
        ["log(p + 1e-07)", "with respect to the logits in front of a softmax"],
    ),
}
