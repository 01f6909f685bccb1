"""Layers, losses and optimizers as other people write them: each once right and once with one slip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bridge.lockstep.training import TrainingParityReport, compare_training
from bridge.outside.external_training import external_training
from bridge.outside.layer_check import check_layer
from bridge.outside.layer_report import LayerReport
from bridge.outside.loss_check import check_loss
from bridge.outside.optimizer_check import OptimizerReport, check_optimizer
from core_numpy import NumpyModel
from core_numpy.contract import Array
from model_spec import SGD, Activation, Adam, BatchNormalization, Dense, Dropout, MaxPooling2D, ModelSpec, TrainingSpec
from model_spec.activations import LEAKY_RELU_SLOPE

Report = LayerReport | OptimizerReport | TrainingParityReport


@dataclass(frozen=True)
class PartElsewhere:
    """A part of a network, right and with a slip.

    Attributes:
        name: of the slip.
        description: of the slip, in a sentence.
        check: the check that must catch it.
        blames: the tensor that must be named first; inputs of which it fails alone come behind " on ".
        wrong: makes the part with the slip.
        right: makes it without.
    """

    name: str
    description: str
    check: Callable[[Any], Report]
    blames: str
    wrong: Callable[[], Any]
    right: Callable[[], Any]


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


class _WithoutBias(Affine):
    def forward(self, x: Array) -> Array:
        return super().forward(x) - self.b


class _MeanOfBias(Affine):
    def backward(self, dy: Array) -> Array:
        dx = super().backward(dy)
        self.db = dy.mean(axis=0)
        return dx


class _SignOfInput(Affine):
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


class _OverflowingSoftmax(Softmax):
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


class _BothSlopesAtZero(LeakyRelu):
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


class _ToAllMaxima(OverlappingMaxPooling):
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


class _MomentumOfTheNew(BatchNorm):
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


class _RateKept(DropoutByRate):
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


class _SummedLoss(LogSoftmaxLoss):
    def forward(self, z: Array, t: Array) -> Any:
        return super().forward(z, t) * len(z)


class _SummedGradient(LogSoftmaxLoss):
    def backward(self) -> Array:
        return super().backward() * len(self.t)


class _OverflowingLoss(LogSoftmaxLoss):
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


class _WithoutCorrection(AdamByName):
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


class _ForgettingMomentum(MomentumByName):
    def update(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        super().update(params, grads)
        self.v = {}


def _as_dense(part: Any) -> Report:
    return check_layer(part, Dense(3), (5,))


def _as_softmax(part: Any) -> Report:
    return check_layer(part, Activation("softmax"), (6,))


def _as_leaky_relu(part: Any) -> Report:
    return check_layer(part, Activation("leaky_relu"), (6,))


def _as_pooling(part: Any) -> Report:
    return check_layer(part, MaxPooling2D(3, 2), (7, 7, 2))


def _as_batch_normalization(part: Any) -> Report:
    return check_layer(part, BatchNormalization(0.9), (3,), batch=8, training=True)


def _as_dropout(part: Any) -> Report:
    return check_layer(part, Dropout(0.25), (40,), batch=8, training=True)


def _as_cross_entropy(part: Any) -> Report:
    return check_loss(part, "categorical_crossentropy", from_logits=True)


def _as_adam(part: Any) -> Report:
    return check_optimizer(part, Adam(0.01))


def _as_training(part: Any) -> Report:
    spec = ModelSpec("line", (4,), (Dense(2, activation="linear"),))
    random = np.random.default_rng(0)
    x, y = random.normal(size=(12, 4)), random.normal(size=(12, 2))
    training = TrainingSpec(optimizer=SGD(0.1, momentum=0.9), loss="mse", batch_size=6)
    model = external_training(NumpyModel(spec, dtype="float64"), part)
    return compare_training(spec, x, y, training, 4, dtype="float64", controls=1, model=model)


PARTS = {
    part.name: part
    for part in (
        PartElsewhere("outside-missing-bias", "the bias is not added", _as_dense, "y", _WithoutBias, Affine),
        PartElsewhere(
            "outside-bias-gradient-mean",
            "the bias' gradient is a mean over the examples",
            _as_dense,
            "gradient of bias",
            _MeanOfBias,
            Affine,
        ),
        PartElsewhere(
            "outside-input-gradient-sign",
            "the gradient of x has the other sign",
            _as_dense,
            "gradient of x",
            _SignOfInput,
            Affine,
        ),
        PartElsewhere(
            "outside-softmax-overflows",
            "no maximum is subtracted before exp",
            _as_softmax,
            "y on values up to 1000",
            _OverflowingSoftmax,
            Softmax,
        ),
        PartElsewhere(
            "outside-both-slopes-at-zero",
            "at zero both slopes of a leaky relu are added",
            _as_leaky_relu,
            "gradient of x at a kink or tie on zeros among the inputs",
            _BothSlopesAtZero,
            LeakyRelu,
        ),
        PartElsewhere(
            "outside-pooling-to-all-maxima",
            "each of several largest cells gets the whole gradient",
            _as_pooling,
            "channel sums of gradient of x on all-zero images",
            _ToAllMaxima,
            OverlappingMaxPooling,
        ),
        PartElsewhere(
            "outside-momentum-of-the-new",
            "the momentum of the running statistics weighs the new ones",
            _as_batch_normalization,
            "moving_mean",
            _MomentumOfTheNew,
            BatchNorm,
        ),
        PartElsewhere(
            "outside-dropout-keeps-too-few",
            "as many units are kept as should be dropped",
            _as_dropout,
            "dropout mask",
            _RateKept,
            DropoutByRate,
        ),
        PartElsewhere(
            "outside-loss-summed",
            "the loss is a sum over the examples",
            _as_cross_entropy,
            "loss",
            _SummedLoss,
            LogSoftmaxLoss,
        ),
        PartElsewhere(
            "outside-loss-gradient-summed",
            "the loss' gradient is that of the sum",
            _as_cross_entropy,
            "gradient",
            _SummedGradient,
            LogSoftmaxLoss,
        ),
        PartElsewhere(
            "outside-loss-overflows",
            "the logarithm of softmax overflows",
            _as_cross_entropy,
            "loss on logits of +-1000",
            _OverflowingLoss,
            LogSoftmaxLoss,
        ),
        PartElsewhere(
            "outside-adam-uncorrected",
            "Adam's moments are not corrected for their start from zero",
            _as_adam,
            "w",
            _WithoutCorrection,
            AdamByName,
        ),
        PartElsewhere(
            "outside-momentum-forgotten",
            "the velocity starts from zero at each step",
            _as_training,
            "dense/bias",
            _ForgettingMomentum,
            MomentumByName,
        ),
    )
}
"""All slips by name."""
