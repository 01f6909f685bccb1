"""Layers, a loss and optimizers as other people write them, and each again with one slip."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy.contract import Array
from model_spec.activations import LEAKY_RELU_SLOPE


class Affine:
    """y = x W + b."""

    def __init__(self) -> None:
        self.W, self.b = np.zeros((5, 3)), np.zeros(3)

    def forward(self, x: Array) -> Array:
        """Affine map of the rows."""
        self.x = x
        return np.asarray(x @ self.W + self.b)

    def backward(self, dy: Array) -> Array:
        """Gradients of W, b and x."""
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        return np.asarray(dy @ self.W.T)


class WithoutBias(Affine):
    """The bias is not added."""

    def forward(self, x: Array) -> Array:
        return super().forward(x) - self.b


class MeanOfBias(Affine):
    """The bias' gradient is a mean over the examples."""

    def backward(self, dy: Array) -> Array:
        dx = super().backward(dy)
        self.db = dy.mean(axis=0)
        return dx


class SignOfInput(Affine):
    """The gradient of x has the other sign."""

    def backward(self, dy: Array) -> Array:
        return -super().backward(dy)


class Softmax:
    """Shares of the exponentials in each row."""

    def forward(self, x: Array) -> Array:
        """Softmax of the rows."""
        exponentials = self.exponentials(x)
        self.y = exponentials / exponentials.sum(axis=1, keepdims=True)
        return np.asarray(self.y)

    def exponentials(self, x: Array) -> Array:
        """At most 1, so that none overflows."""
        return np.asarray(np.exp(x - x.max(axis=1, keepdims=True)))

    def backward(self, dy: Array) -> Array:
        """y (dy - sum(dy y))."""
        return np.asarray(self.y * (dy - (dy * self.y).sum(axis=1, keepdims=True)))


class OverflowingSoftmax(Softmax):
    """No maximum is subtracted before exp."""

    def exponentials(self, x: Array) -> Array:
        return np.asarray(np.exp(x))


class LeakyRelu:
    """x where it is positive, slope x elsewhere."""

    def forward(self, x: Array) -> Array:
        """Leaky relu of each value."""
        self.x = x
        return np.where(x > 0, x, x * x.dtype.type(LEAKY_RELU_SLOPE))

    def backward(self, dy: Array) -> Array:
        """dy times the slope on its side."""
        return np.where(self.x > 0, dy, dy * dy.dtype.type(LEAKY_RELU_SLOPE))


class BothSlopesAtZero(LeakyRelu):
    """At zero both slopes of a leaky relu are added."""

    def backward(self, dy: Array) -> Array:
        return np.asarray(dy * (self.x >= 0) + dy * dy.dtype.type(LEAKY_RELU_SLOPE) * (self.x <= 0))


class OverlappingMaxPooling:
    """Windows of 3x3, two cells apart."""

    def forward(self, x: Array) -> Array:
        """The largest value of each window."""
        self.x = x
        self.y = np.stack([x[:, i : i + 5 : 2, j : j + 5 : 2] for i in range(3) for j in range(3)]).max(axis=0)
        return np.asarray(self.y)

    def backward(self, dy: Array) -> Array:
        """The gradient of a window goes to its first largest cell."""
        dx, taken = np.zeros_like(self.x), np.zeros(dy.shape, bool)
        for i in range(3):
            for j in range(3):
                largest = (self.x[:, i : i + 5 : 2, j : j + 5 : 2] == self.y) & ~self.is_taken(taken)
                dx[:, i : i + 5 : 2, j : j + 5 : 2] += largest * dy
                taken |= largest
        return dx

    def is_taken(self, taken: Array) -> Array:
        """Windows whose gradient another cell has."""
        return taken


class ToAllMaxima(OverlappingMaxPooling):
    """Each of several largest cells gets the whole gradient."""

    def is_taken(self, taken: Array) -> Array:
        return np.zeros_like(taken)


class BatchNorm:
    """Each feature with mean 0 and variance 1, then gamma and beta."""

    momentum = 0.9

    def __init__(self) -> None:
        self.gamma, self.beta = np.ones(3), np.zeros(3)
        self.running_mean, self.running_var = np.zeros(3), np.ones(3)

    def forward(self, x: Array) -> Array:
        """Normalize by the batch, and move the running statistics."""
        mean, variance = x.mean(axis=0), x.var(axis=0)
        self.deviation = np.sqrt(variance + 1e-3)
        self.normalized = (x - mean) / self.deviation
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * variance
        return np.asarray(self.gamma * self.normalized + self.beta)

    def backward(self, dy: Array) -> Array:
        """Gradients of gamma, beta and x, as Ioffe and Szegedy (2015) have them."""
        self.dgamma, self.dbeta = (dy * self.normalized).sum(axis=0), dy.sum(axis=0)
        count = len(dy)
        inner = count * dy - self.dbeta - self.normalized * self.dgamma
        return np.asarray(self.gamma / self.deviation * inner / count)


class MomentumOfTheNew(BatchNorm):
    """The momentum of the running statistics weighs the new ones."""

    momentum = 0.1


class DropoutByRate:
    """Units dropped by chance, the others scaled up."""

    kept = 0.75

    def __init__(self) -> None:
        self.random = np.random.default_rng(3)

    def forward(self, x: Array) -> Array:
        """Drop by a new mask."""
        self.mask = (self.random.random(x.shape) < self.kept) / x.dtype.type(0.75)
        return np.asarray(x * self.mask)

    def backward(self, dy: Array) -> Array:
        """By the same mask."""
        return np.asarray(dy * self.mask)


class RateKept(DropoutByRate):
    """As many units are kept as should be dropped."""

    kept = 0.25


class LogSoftmaxLoss:
    """Cross-entropy of logits and one-hot rows."""

    def forward(self, z: Array, t: Array) -> Any:
        """Mean over the examples of -sum(t log softmax(z))."""
        self.t = t
        self.logarithm = self.log_softmax(z)
        return -(t * self.logarithm).sum() / len(z)

    def log_softmax(self, z: Array) -> Array:
        """Without an exponential above 1."""
        z = z - z.max(axis=1, keepdims=True)
        return np.asarray(z - np.log(np.exp(z).sum(axis=1, keepdims=True)))

    def backward(self) -> Array:
        """(softmax(z) - t) / n."""
        return np.asarray((np.exp(self.logarithm) - self.t) / len(self.t))


class SummedLoss(LogSoftmaxLoss):
    """The loss is a sum over the examples."""

    def forward(self, z: Array, t: Array) -> Any:
        return super().forward(z, t) * len(z)


class SummedGradient(LogSoftmaxLoss):
    """The loss' gradient is that of the sum."""

    def backward(self) -> Array:
        return super().backward() * len(self.t)


class OverflowingLoss(LogSoftmaxLoss):
    """The logarithm of softmax overflows."""

    def log_softmax(self, z: Array) -> Array:
        return np.asarray(np.log(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)))


class AdamByName:
    """Adam with its moments in dicts (Kingma and Ba, 2015, in the order of the end of their section 2)."""

    corrects = True

    def __init__(self) -> None:
        self.t = 0
        self.m: dict[str, Any] = {}
        self.v: dict[str, Any] = {}

    def update(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        """One step."""
        self.t += 1
        for name, g in grads.items():
            self.m[name] = 0.9 * self.m.get(name, 0) + 0.1 * g
            self.v[name] = 0.999 * self.v.get(name, 0) + 0.001 * g * g
            t = self.t if self.corrects else np.inf
            rate = 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            params[name] -= rate * self.m[name] / (np.sqrt(self.v[name]) + 1e-7)


class WithoutCorrection(AdamByName):
    """Adam's moments are not corrected for their start from zero."""

    corrects = False


class MomentumByName:
    """Gradient descent with momentum."""

    def __init__(self) -> None:
        self.v: dict[str, Any] = {}

    def update(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        """One step."""
        for name, g in grads.items():
            self.v[name] = 0.9 * self.v.get(name, 0) - 0.1 * g
            params[name] += self.v[name]


class ForgettingMomentum(MomentumByName):
    """The velocity starts from zero at each step."""

    def update(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        super().update(params, grads)
        self.v = {}
