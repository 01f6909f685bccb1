"""Slips in normalization over other axes, in slopes, blocks and copies: as users have brought them."""

import numpy as np

from model_spec import BatchNormalization, Dense, LayerNormalization, LeakyReLU, MaxPooling2D, UpSampling2D


class NormalizedRows:
    """Layer normalization with its own derivative, or the textbook's where that is asked for."""

    def __init__(self, epsilon=1e-3, outside=False, missing=0, textbook=False):
        self.gamma, self.beta = np.ones(6), np.zeros(6)
        self.epsilon, self.outside, self.missing, self.textbook = epsilon, outside, missing, textbook

    def forward(self, x):
        centred = x - x.mean(-1, keepdims=True)
        variance = x.var(-1, ddof=self.missing, keepdims=True)
        self.root = np.sqrt(variance) if self.outside else np.sqrt(variance + self.epsilon)
        self.inverse = 1 / (self.root + self.epsilon * self.outside)
        self.normalized = centred * self.inverse
        return self.gamma * self.normalized + self.beta

    def backward(self, dy):
        self.dgamma, self.dbeta = (dy * self.normalized).sum(0), dy.sum(0)
        scaled = dy * self.gamma
        along = self.normalized * (scaled * self.normalized).mean(-1, keepdims=True)
        if not self.textbook:
            along = along * 6 / (6 - self.missing) / (self.inverse * self.root)
        return (scaled - scaled.mean(-1, keepdims=True) - along) * self.inverse


class NormalizedPlaces:
    """Batch normalization of images with statistics over axis 0 alone, moving ones too."""

    def __init__(self):
        self.gamma, self.beta = np.ones(5), np.zeros(5)
        self.running_mean, self.running_var = np.zeros(5), np.ones(5)

    def forward(self, x, train_flg=True):
        self.running_mean = 0.99 * self.running_mean + 0.01 * x.mean(0)
        self.running_var = 0.99 * self.running_var + 0.01 * x.var(0)
        return self.gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3) + self.beta


class Leaky:
    def __init__(self, slope_behind):
        self.slope_behind = slope_behind

    def forward(self, x):
        self.open = x > 0
        return np.where(self.open, x, 0.01 * x)

    def backward(self, dy):
        return np.where(self.open, dy, self.slope_behind * dy)


class Repeated:
    def forward(self, x):
        self.shape = x.shape
        return x.repeat(2, 1).repeat(2, 2)

    def backward(self, dy):
        n, h, w, c = self.shape
        return dy.reshape(n, h, 2, w, 2, c).mean((2, 4))


class EveryWinner:
    """Max pooling that pays each of the largest cells."""

    def forward(self, x):
        n, h, w, c = self.shape = x.shape
        blocks = x.reshape(n, h // 2, 2, w // 2, 2, c)
        y = blocks.max((2, 4), keepdims=True)
        self.won = blocks == y
        return y[:, :, 0, :, 0]

    def backward(self, dy):
        return (self.won * dy[:, :, None, :, None]).reshape(self.shape)


class FromZero(EveryWinner):
    """Starts its maximum at 0, and pays one of the cells that reach it."""

    def forward(self, x):
        y = np.maximum(super().forward(x), 0)
        self.won = self.won & (y >= 0)[:, :, None, :, None] & (x.reshape(self.won.shape) >= 0)
        self.won = self.won / np.maximum(self.won.sum((2, 4), keepdims=True), 1)
        return y


class FirstOfItsSize:
    """Keeps x where the number of examples has changed alone."""

    def __init__(self):
        self.W, self.b, self.x = np.zeros((6, 5)), np.zeros(5), None

    def forward(self, x):
        if self.x is None or len(self.x) != len(x):
            self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(0)
        return dy @ self.W.T


class CopiedKernel:
    def __init__(self):
        self.W, self.b = np.zeros((6, 5)), np.zeros(5)
        self.turned = self.W.T.copy()

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(0)
        return dy @ self.turned


ROWS = (LayerNormalization(), (6,))
SLOPE = (LeakyReLU(0.01), (5,))
PLACES = (BatchNormalization(), (4, 3, 5))
FORWARD = {"training": True, "backward": False}
OUTSIDE, UNBIASED = "its epsilon stands outside the root", "it divides by the unbiased variance, n - 1 (ddof=1)"

SLIPS = {
    "layer normalization, PyTorch's epsilon": (
        NormalizedRows(1e-5),
        ROWS,
        {},
        "its epsilon is 1e-05 in place of 0.001",
    ),
    "layer normalization, epsilon outside": (NormalizedRows(outside=True), ROWS, {}, OUTSIDE),
    "layer normalization, epsilon outside in forward": (
        NormalizedRows(outside=True, textbook=True),
        ROWS,
        {},
        OUTSIDE,
    ),
    "layer normalization, n - 1": (NormalizedRows(missing=1), ROWS, {}, UNBIASED),
    "layer normalization, n - 1 in forward": (NormalizedRows(missing=1, textbook=True), ROWS, {}, UNBIASED),
    "layer normalization, n - 1 and PyTorch's epsilon": (
        NormalizedRows(1e-5, missing=1),
        ROWS,
        {},
        f"{UNBIASED}, where Keras takes n; its epsilon is 1e-05 in place of 0.001",
    ),
    "batch normalization of places": (NormalizedPlaces(), PLACES, FORWARD, "over the batch alone (axis=0)"),
    "slope zero behind": (Leaky(0), SLOPE, {}, "backward has the slope 0 left of zero"),
    "another slope behind": (Leaky(0.1), SLOPE, {}, "backward has the slope 0.1 left of zero"),
    "mean of a block behind": (Repeated(), (UpSampling2D(2), (3, 3, 2)), {}, "divided by the 4 cells of a block"),
    "every cell of a tie": (
        EveryWinner(),
        (MaxPooling2D(2), (4, 4, 2)),
        {},
        "backward pays the whole gradient to each",
    ),
    "a maximum from 0": (FromZero(), (MaxPooling2D(2), (4, 4, 2)), {}, "it starts its maximum at 0, not at -infinity"),
    "the first x of its size": (FirstOfItsSize(), (Dense(5), (6,)), {}, "backward works with the x of the first call"),
    "a copy from before": (
        CopiedKernel(),
        (Dense(5), (6,)),
        {},
        "from variables that were zero when they were",
    ),
}
