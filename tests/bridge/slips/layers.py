"""Slips in layers, each with its sentence: (layer, (claim, input shape), options, words)."""

import numpy as np

from model_spec import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    Rescaling,
)
from tests.bridge.slips.parts import Affine, Convolution, Dropping, Function, Normalization, Pooling


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def relu(x):
    return np.maximum(x, 0)


def leaky(x):
    return np.where(x > 0, x, 0.20000000298023224 * x)


def elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def single(value):
    return value.astype(np.float32).astype(np.float64)


def half(value):
    return value.astype(np.float16).astype(np.float64)


def tf32(value):
    mantissa, exponent = np.frexp(np.asarray(value, np.float64))
    return np.ldexp(np.rint(mantissa * 2**11), exponent - 11)


DENSE, SQUARE = (Dense(5), (6,)), (Dense(6), (6,))
TRAINING = {"training": True}
SIGMOID, TANH, RELU = (Activation("sigmoid"), (9,)), (Activation("tanh"), (9,)), (Activation("relu"), (9,))
SOFTMAX, LEAKY, ELU = (Activation("softmax"), (5,)), (Activation("leaky_relu"), (9,)), (Activation("elu"), (9,))
CONV, SAME = (Conv2D(4, 3), (5, 6, 2)), (Conv2D(4, 3, strides=2, padding="same"), (6, 6, 2))
POOL, OVERLAP = (MaxPooling2D(2), (4, 6, 3)), (MaxPooling2D(3, 1), (5, 5, 2))
MEAN = (AveragePooling2D(2), (4, 6, 3))
BN = (BatchNormalization(), (6,))
SYMMETRIC = ((1, 1), (1, 1))


def right_softmax(x, y, dy):
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


class Stale(Affine):
    """Keeps the x of its first forward."""

    first = None

    def forward(self, x):
        y = super().forward(x)
        if self.first is None or self.first.shape != x.shape:
            self.first = x
        self.x = self.first
        return y


class Mean:
    def __init__(self, factor):
        self.factor = factor

    def forward(self, x):
        self.shape = x.shape
        return x.sum(axis=(1, 2)) * self.factor

    def backward(self, dy):
        return np.broadcast_to(dy[:, None, None], self.shape) / (self.shape[1] * self.shape[2])


class Flat:
    def __init__(self, order):
        self.order = order

    def forward(self, x):
        self.turned = x.transpose(0, *self.order)
        return self.turned.reshape(len(x), -1)

    def backward(self, dy):
        return dy.reshape(self.turned.shape).transpose(np.argsort((0, *self.order)))


class Scale:
    def forward(self, x):
        return x / 255 + 0.5

    def backward(self, dy):
        return dy / 255


class Sum:
    """db as one number in place of an array."""

    def __init__(self, sum_of):
        self.W, self.b, self.sum_of = np.zeros((6, 5)), np.zeros(5), sum_of

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, self.sum_of(dy)
        return dy @ self.W.T


class UpdatesFirst:
    """Takes its step before it computes the gradient of x."""

    def __init__(self, own_rate=None):
        self.W, self.b, self.own_rate = np.zeros((6, 5)), np.zeros((1, 5)), own_rate

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy, learning_rate):
        self.W -= learning_rate * self.x.T @ dy
        self.b -= learning_rate * dy.sum(axis=0, keepdims=True)
        return dy @ self.W.T


class UpdatesByItself(Affine):
    """Takes a step of its own rate, and leaves its gradients."""

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        self.W -= 0.01 * self.dW
        return dy @ self.W.T


class KeptMask:
    """A mask that is made at the first call alone; where it is used."""

    mask = None

    def __init__(self, forward=True):
        self.in_forward = forward

    def forward(self, x):
        if self.mask is None or self.mask.shape != x.shape:
            self.mask = x > 0
        return x * self.mask if self.in_forward else np.maximum(x, 0)

    def backward(self, dy):
        return dy * self.mask


class KeptOutput:
    """A sigmoid that pulls back by the output of its first call."""

    y = None

    def forward(self, x):
        y = sigmoid(x)
        if self.y is None or self.y.shape != x.shape:
            self.y = y
        return y

    def backward(self, dy):
        return dy * self.y * (1 - self.y)


class Exchanged(Affine):
    """backward(x, dy) called as backward(dy, x)."""

    def __init__(self):
        super().__init__(units=6)

    def backward(self, dy):
        x, dy = dy, self.x
        self.dW, self.db = x.T @ dy, dy.sum(axis=0)
        return dy @ self.W.T


class BorderLeft(Convolution):
    """Its gradient of x keeps the border."""

    def __init__(self, pad, stride=1, cut=((0, 0), (0, 0))):
        super().__init__(pad=pad, stride=stride)
        self.cut = cut

    def backward(self, dy):
        padded, view = self.seen(self.x)
        super().backward(dy)
        self.x, x = padded, self.x
        self.pad, pad = ((0, 0), (0, 0)), self.pad
        dx = super().backward(dy)
        self.x, self.pad = x, pad
        (top, bottom), (left, right) = self.cut
        return dx[:, top : dx.shape[1] - bottom, left : dx.shape[2] - right]


class Unbiased(Normalization):
    """The unbiased variance, in forward and in the moving one, with the textbook's backward."""

    def __init__(self, moving):
        super().__init__(unbiased=True, **({"moved": lambda var, x: x.var(0, ddof=1)} if moving else {}))


SLIPS = {
    # sums, means, terms
    "dW averaged": (Affine(dW=lambda x, dy, W, b: x.T @ dy / len(x)), DENSE, {}, "a mean in place of a sum"),
    "db averaged": (Affine(db=lambda x, dy, W, b: dy.mean(0)), DENSE, {}, "gradient of bias is 1/4"),
    "db of all units": (
        Affine(db=lambda x, dy, W, b: dy.sum() * np.ones(5)),
        DENSE,
        {},
        "is one number, summed over all axes",
    ),
    "db not summed": (Affine(db=lambda x, dy, W, b: dy), DENSE, {}, "the sum over the batch is missing"),
    "db of one row": (Affine(db=lambda x, dy, W, b: dy[0]), DENSE, {}, "that of one row: the sum is missing"),
    "dW of the last": (
        Affine(dW=lambda x, dy, W, b: np.outer(x[-1], dy[-1]), db=lambda x, dy, W, b: dy[-1]),
        DENSE,
        {},
        "of the last example alone",
    ),
    "dW transposed": (
        Affine(dW=lambda x, dy, W, b: dy.T @ x, inputs=6, units=6),
        SQUARE,
        {"kernel_layout": "IO"},
        "is transposed",
    ),
    "dx by W": (
        Affine(dx=lambda x, dy, W, b: dy @ W, units=6),
        SQUARE,
        {"kernel_layout": "IO"},
        "multiplies with the kernel not transposed",
    ),
    "y by W.T": (
        Affine(y=lambda x, W, b: x @ W.T + b, dx=lambda x, dy, W, b: dy @ W, dW=lambda x, dy, W, b: dy.T @ x, units=6),
        SQUARE,
        {"kernel_layout": "IO"},
        "(units, inputs)",
    ),
    "bias left out": (Affine(y=lambda x, W, b: x @ W), DENSE, {}, "bias is left out of the output"),
    "bias twice": (Affine(y=lambda x, W, b: x @ W + 2 * b), DENSE, {}, "bias is added twice"),
    "bias subtracted": (Affine(y=lambda x, W, b: x @ W - b), DENSE, {}, "bias is subtracted"),
    "sign": (Affine(dx=lambda x, dy, W, b: -dy @ W.T), DENSE, {}, "the sign is the other way round"),
    "twice": (Affine(dW=lambda x, dy, W, b: 2 * x.T @ dy), DENSE, {}, "2 times the true value: twice"),
    "penalty in dW": (
        Affine(dW=lambda x, dy, W, b: x.T @ dy + 0.01 * W),
        DENSE,
        {},
        "has 0.01 times the kernel (an L2 penalty) added",
    ),
    "L1 penalty": (
        Affine(dW=lambda x, dy, W, b: x.T @ dy + 0.01 * np.sign(W)),
        DENSE,
        {},
        "0.01 times the signs of the kernel",
    ),
    "db zero": (Affine(db=lambda x, dy, W, b: np.zeros(5)), DENSE, {}, "is zero everywhere: it is never computed"),
    "one row of dW": (
        Affine(dW=lambda x, dy, W, b: x.T @ dy * (np.arange(6) != 2)[:, None]),
        DENSE,
        {},
        "is zero at index 2 of axis 0, and right elsewhere",
    ),
    "stale x": (Stale(), DENSE, {}, "the x of the first call: stale values"),
    "constant added": (Affine(y=lambda x, W, b: x @ W + b + 0.1), DENSE, {}, "1/10 times a constant added"),
    # precision
    "float32 inside": (
        Affine(y=lambda x, W, b: single(x @ W + b)),
        DENSE,
        {"dtypes": "float64"},
        "computed in float32",
    ),
    "float16 inside": (Affine(y=lambda x, W, b: half(x) @ half(W) + b), DENSE, {}, "float16 (10 bits"),
    "TF32": (Affine(y=lambda x, W, b: tf32(x) @ tf32(W) + b), DENSE, {}, "products are computed in TF32"),
    "integers": (Affine(y=lambda x, W, b: x.astype(int) @ W + b), DENSE, {}, "whole numbers (integer arithmetic)"),
    # activations
    "sigmoid without derivative": (Function(sigmoid, lambda x, y, dy: dy), SIGMOID, {}, "the derivative is missing"),
    "sigmoid y alone": (Function(sigmoid, lambda x, y, dy: dy * y), SIGMOID, {}, "the factor (1 - y) is missing"),
    "sigmoid of x": (Function(sigmoid, lambda x, y, dy: dy * x * (1 - x)), SIGMOID, {}, "x (1 - x) in place of y"),
    "sigmoid twice": (
        Function(sigmoid, lambda x, y, dy: dy * sigmoid(y) * (1 - sigmoid(y))),
        SIGMOID,
        {},
        "taken at the output in place of the input",
    ),
    "sigmoid squared": (
        Function(sigmoid, lambda x, y, dy: dy * (y * (1 - y)) ** 2),
        SIGMOID,
        {},
        "multiplied in twice",
    ),
    "sigmoid no gradient": (Function(sigmoid, lambda x, y, dy: y * (1 - y)), SIGMOID, {}, "the derivative alone"),
    "sigmoid hard": (
        Function(lambda x: np.clip(0.2 * x + 0.5, 0, 1), lambda x, y, dy: 0.2 * dy * (np.abs(x) < 2.5)),
        SIGMOID,
        {},
        "hard sigmoid",
    ),
    "sigmoid steep": (
        Function(lambda x: sigmoid(1.702 * x), lambda x, y, dy: 1.702 * dy * y * (1 - y)),
        SIGMOID,
        {},
        "sigmoid(1.702 x)",
    ),
    "sigmoid clipped": (
        Function(lambda x: sigmoid(np.clip(x, -15, 15)), lambda x, y, dy: dy * y * (1 - y)),
        SIGMOID,
        {},
        "cut off at -15 and 15",
    ),
    "tanh for sigmoid": (Function(np.tanh, lambda x, y, dy: dy * (1 - y * y)), SIGMOID, {}, "computes tanh in place"),
    "tanh 1 - y": (Function(np.tanh, lambda x, y, dy: dy * (1 - y)), TANH, {}, "the square is missing"),
    "tanh of x": (Function(np.tanh, lambda x, y, dy: dy * (1 - x * x)), TANH, {}, "1 - x^2 in place of 1 - y^2"),
    "tanh like sigmoid": (Function(np.tanh, lambda x, y, dy: dy * y * (1 - y)), TANH, {}, "the derivative of sigmoid"),
    "relu 6": (
        Function(lambda x: np.clip(x, 0, 6), lambda x, y, dy: dy * ((x > 0) & (x < 6))),
        RELU,
        {},
        "6",
    ),
    "relu guided": (
        Function(relu, lambda x, y, dy: np.maximum(dy, 0) * (x > 0)),
        RELU,
        {},
        "guided",
    ),
    "relu of dy": (Function(relu, lambda x, y, dy: dy * (dy > 0)), RELU, {}, "gradient"),
    "relu times y": (Function(relu, lambda x, y, dy: dy * y), RELU, {}, "y in place of its mask"),
    "relu reversed": (
        Function(relu, lambda x, y, dy: dy * (x <= 0)),
        RELU,
        {},
        "other way round",
    ),
    "relu leaky": (
        Function(lambda x: np.where(x > 0, x, 0.01 * x), lambda x, y, dy: np.where(x > 0, dy, 0.01 * dy)),
        RELU,
        {},
        "slope left of zero is 0.01 in place of 0",
    ),
    "leaky slope": (
        Function(lambda x: np.where(x > 0, x, 0.3 * x), lambda x, y, dy: np.where(x > 0, dy, 0.3 * dy)),
        LEAKY,
        {},
        "slope left of zero is 0.3 in place of 0.2",
    ),
    "leaky backward": (
        Function(leaky, lambda x, y, dy: dy * (x > 0)),
        LEAKY,
        {"dtypes": "float64"},
        "that of relu",
    ),
    "leaky slope behind": (
        Function(leaky, lambda x, y, dy: np.where(x > 0, dy, 0.01 * dy)),
        LEAKY,
        {"dtypes": "float64"},
        "backward has the slope 0.01",
    ),
    "elu alpha": (
        Function(
            lambda x: np.where(x > 0, x, 0.5 * np.expm1(np.minimum(x, 0))),
            lambda x, y, dy: np.where(x > 0, dy, dy * 0.5 * np.exp(np.minimum(x, 0))),
        ),
        ELU,
        {},
        "its alpha is 0.5 in place of 1",
    ),
    "elu without + 1": (
        Function(elu, lambda x, y, dy: np.where(x > 0, dy, dy * y)),
        ELU,
        {},
        "y without the + 1",
    ),
    "softmax along 0": (
        Function(lambda x: softmax(x.T).T, lambda x, y, dy: y * (dy - (dy * y).sum(axis=0))),
        SOFTMAX,
        {},
        "along axis 0",
    ),
    "softmax diagonal": (
        Function(softmax, lambda x, y, dy: dy * y * (1 - y)),
        SOFTMAX,
        {},
        "the diagonal of the Jacobian",
    ),
    "softmax without sum": (Function(softmax, lambda x, y, dy: dy * y), SOFTMAX, {}, "the sum is missing"),
    "softmax sum of dy": (
        Function(softmax, lambda x, y, dy: y * (dy - dy.sum(axis=1, keepdims=True))),
        SOFTMAX,
        {},
        "without its factor y",
    ),
    "softmax overflow": (
        Function(lambda x: np.exp(x) / np.exp(x).sum(axis=1, keepdims=True), right_softmax),
        SOFTMAX,
        {},
        "the largest logit is not subtracted",
    ),
    # convolutions and poolings
    "conv flipped": (
        Convolution(**{"kernel": lambda W: W[::-1, ::-1]}),
        CONV,
        {"backward": False},
        "flipped kernel",
    ),
    "conv symmetric": (Convolution(pad=SYMMETRIC, stride=2), SAME, {}, "a symmetric border of 1 and 1 cells"),
    "conv kernel flipped behind": (
        Convolution(**{"kernel behind": lambda W: W[::-1, ::-1]}),
        CONV,
        {},
        "backward has the kernel flipped",
    ),
    "conv assigned": (Convolution(assigned=True), CONV, {}, "overwrite each other's gradient"),
    "conv dW averaged": (
        Convolution(dW=lambda view, dy: np.einsum("nhwcij,nhwf->ijcf", view, dy) / len(dy)),
        CONV,
        {},
        "a mean in place of a sum over the batch of 4",
    ),
    "conv db of positions": (
        Convolution(db=lambda dy: dy.mean(axis=(1, 2)).sum(axis=0)),
        CONV,
        {},
        "divided by the 3 x 4 positions of the output",
    ),
    "conv bias": (Convolution(y=lambda y, b: y), CONV, {}, "bias is left out of the output"),
    "conv dW flipped": (
        Convolution(dW=lambda view, dy: np.einsum("nhwcij,nhwf->ijcf", view, dy)[::-1, ::-1]),
        CONV,
        {},
        "flipped along axis 0 and 1",
    ),
    "max is mean": (Pooling(take=lambda seen: seen.mean(axis=(1, 2))), POOL, {}, "mean in place of the maximum"),
    "max pays ties": (
        Pooling(share=lambda seen: seen == seen.max(axis=(1, 2), keepdims=True)),
        POOL,
        {},
        "pays the whole gradient to each cell of a tie",
    ),
    "max assigned": (Pooling(3, 1, assigned=True), OVERLAP, {}, "overwrite each other's gradient"),
    "max to all": (Pooling(share=np.ones_like), POOL, {}, "to every cell of a window"),
    "mean undivided": (
        Pooling(take=lambda seen: seen.mean(axis=(1, 2)), share=np.ones_like),
        MEAN,
        {},
        "whole gradient to each cell of a window",
    ),
    "mean is sum": (
        Pooling(take=lambda seen: seen.sum(axis=(1, 2)), share=lambda seen: np.full_like(seen, 0.25)),
        MEAN,
        {},
        "4 times the true value",
    ),
    "global sum": (Mean(1.0), (GlobalAveragePooling2D(), (4, 5, 3)), {}, "the 4 x 5 positions of an image"),
    # batch normalization
    "bn epsilon": (Normalization(epsilon=1e-5), BN, TRAINING, "epsilon 1e-5"),
    "bn epsilon of its own": (Normalization(epsilon=3e-4), BN, TRAINING, "its epsilon is 0.0003 in place of 0.001"),
    "bn epsilon outside": (
        Normalization(root=lambda var, epsilon: np.sqrt(var) + epsilon),
        BN,
        {"backward": False},
        "epsilon outside the root",
    ),
    "bn no root": (Normalization(root=lambda var, e: var + e), BN, {"backward": False}, "the root is missing"),
    "bn unbiased": (
        Normalization(unbiased=True),
        BN,
        {"training": True, "backward": False},
        "unbiased variance of the batch, n - 1 (ddof=1)",
    ),
    "bn momentum": (Normalization(momentum=0.9), BN, TRAINING, "keep 0.9 of the past, 0.99 was claimed"),
    "bn momentum reversed": (Normalization(momentum=0.01), BN, TRAINING, "the other way round, as PyTorch's"),
    "bn moving unbiased": (
        Normalization(moved=lambda var, x: x.var(0, ddof=1)),
        BN,
        TRAINING,
        "the moving variance takes the unbiased variance",
    ),
    "bn moving deviation": (Normalization(moved=lambda var, x: x.std(0)), BN, TRAINING, "takes the standard deviation"),
    "bn constants": (Normalization(shares=(0, 0)), BN, TRAINING, "treats mean and variance as constants"),
    "bn without mean share": (Normalization(shares=(0, 1)), BN, TRAINING, "lacks the share of the mean"),
    "bn without variance share": (Normalization(shares=(1, 0)), BN, TRAINING, "lacks the share of the variance"),
    "bn variance share twice": (Normalization(shares=(1, 2)), BN, TRAINING, "the share of the variance twice"),
    "bn no gamma behind": (Normalization(**{"no gamma": True}), BN, TRAINING, "backward lacks gamma"),
    "bn gamma of x": (
        Normalization(grads=lambda dgamma, dbeta, s, dy: ((dy * s.centred).sum(0), dbeta)),
        BN,
        TRAINING,
        "takes x - mean in place of the normalized x",
    ),
    "bn swapped grads": (
        Normalization(grads=lambda dgamma, dbeta, s, dy: (dbeta, dgamma)),
        BN,
        TRAINING,
        "two tensors have changed places",
    ),
    "bn no beta": (Normalization(y=lambda xn, gamma, beta: gamma * xn), BN, TRAINING, "beta is left out"),
    "bn gamma and beta": (
        Normalization(y=lambda xn, gamma, beta: beta * xn + gamma),
        BN,
        {"training": True, "backward": False},
        "gamma and beta have changed places",
    ),
    "bn moving in training": (
        Normalization(**{"other statistics": True}),
        BN,
        {"backward": False},
        "uses the batch's statistics in place of the moving ones",
    ),
    # dropout and the rest
    "dropout uninverted": (Dropping(0.3, 1.0), (Dropout(0.3), (40,)), TRAINING, "un-inverted dropout"),
    "dropout rate scale": (
        Dropping(0.3, 1 / 0.3, 1 / 0.7),
        (Dropout(0.3), (40,)),
        TRAINING,
        "y is 7/3 of the true value",
    ),
    "dropout behind": (Dropping(0.3, behind=1.0), (Dropout(0.3), (40,)), TRAINING, "1 - rate = 0.7"),
    "dropout inference": (
        Dropping(0.3, inference=0.7),
        (Dropout(0.3), (40,)),
        {"backward": False},
        "un-inverted dropout with scaled inference",
    ),
    "flatten": (Flat((3, 1, 2)), (Flatten(), (3, 4, 2)), {}, "channels-first order"),
    "flatten turned": (Flat((2, 1, 3)), (Flatten(), (3, 4, 2)), {}, "in the order width, height, channels"),
    "rescaling": (Scale(), (Rescaling(1 / 255), (4, 4, 1)), {}, "0.00392157 x + 0.5 in place of 0.00392157 x + 0"),
    # two at once
    "pair: mean and sign": (
        Affine(dW=lambda x, dy, W, b: x.T @ dy / len(x), dx=lambda x, dy, W, b: -dy @ W.T),
        DENSE,
        {},
        "a mean in place of a sum; the sign is the other way round",
    ),
    "pair: no bias and mean": (
        Affine(y=lambda x, W, b: x @ W, db=lambda x, dy, W, b: dy.mean(0)),
        DENSE,
        {},
        "y lacks the bias; gradient of bias is 1/4",
    ),
    "pair: derivative and slope": (
        Function(lambda x: np.where(x > 0, x, 0.3 * x), lambda x, y, dy: dy),
        LEAKY,
        {},
        "slope left of zero is 0.3; the derivative is missing",
    ),
    "pair: epsilon and momentum": (
        Normalization(epsilon=1e-5, momentum=0.9),
        BN,
        TRAINING,
        "epsilon 1e-5; keep 0.9 of the past",
    ),
    "pair: epsilon and constants": (
        Normalization(epsilon=1e-4, shares=(0, 0)),
        BN,
        TRAINING,
        "its epsilon is 0.0001; as constants",
    ),
    "pair: bias and assigned": (
        Convolution(y=lambda y, b: y, assigned=True),
        CONV,
        {},
        "y lacks the bias; overwrite each other's gradient",
    ),
    "pair: symmetric and mean": (
        Convolution(pad=SYMMETRIC, stride=2, db=lambda dy: dy.sum(axis=(0, 1, 2)) / len(dy)),
        SAME,
        {},
        "a symmetric border; gradient of bias is 1/4",
    ),
}


class OfTf32(Convolution):
    """Every product of its factors rounded to 10 bits, as tensor cores compute."""

    def __init__(self, behind=True):
        super().__init__()
        self.behind = behind

    def forward(self, x):
        self.W, kernel = tf32(self.W), self.W
        y = super().forward(tf32(x))
        self.W, self.x = kernel, x
        return y

    def backward(self, dy):
        if not self.behind:
            return super().backward(dy)
        self.W, self.x, kernel, x = tf32(self.W), tf32(self.x), self.W, self.x
        dx = super().backward(tf32(dy))
        self.W, self.x = kernel, x
        self.db = dy.sum(axis=(0, 1, 2))
        return dx


PRODUCTS = "products are computed in TF32"
MORE_SLIPS = {
    "conv in TF32": (OfTf32(), CONV, {}, PRODUCTS),
    "conv in TF32, forward alone": (OfTf32(False), CONV, {}, f"{PRODUCTS}; in forward alone"),
    "conv in TF32, fed float32": (OfTf32(), CONV, {"dtypes": "float32"}, PRODUCTS),
    "dense in TF32": (
        Affine(
            y=lambda x, W, b: tf32(x) @ tf32(W) + b,
            dW=lambda x, dy, W, b: tf32(x).T @ tf32(dy),
            dx=lambda x, dy, W, b: tf32(dy) @ tf32(W).T,
        ),
        DENSE,
        {},
        PRODUCTS,
    ),
    "dW in TF32": (Affine(dW=lambda x, dy, W, b: tf32(x).T @ tf32(dy)), DENSE, {}, f"{PRODUCTS}; in backward alone"),
    "bn ddof everywhere": (Unbiased(True), BN, TRAINING, "unbiased variance of the batch, n - 1"),
    "bn ddof, moving biased": (Unbiased(False), BN, TRAINING, "n - 1 (ddof=1); the biased one"),
    "dx after the update": (UpdatesFirst(), DENSE, {}, "with the weights after their update (a step of 1)"),
    "dx after its own update": (UpdatesByItself(), DENSE, {}, "with the weights after their update (a step of 0.01)"),
    "db scalar": (Sum(np.sum), DENSE, {}, "one number, summed over all axes"),
    "db scalar, mean": (Sum(np.mean), DENSE, {}, "one number, summed over all axes; 1/20; the 20 numbers"),
    "db of all, by the batch": (
        Affine(db=lambda x, dy, W, b: np.full(5, dy.sum() / len(dy))),
        DENSE,
        {},
        "one number, summed over all axes; a mean in place of a sum over the batch of 4",
    ),
    "db mean alone, in rows of one": (Sum(lambda dy: dy.mean(0, keepdims=True)), DENSE, {}, "gradient of bias is 1/4"),
    "conv db scalar": (Convolution(db=lambda dy: np.full(4, dy.sum())), CONV, {}, "one number, summed over all axes"),
    "conv border left on dx": (
        BorderLeft(SYMMETRIC),
        (Conv2D(4, 3, padding=1), (5, 6, 2)),
        {},
        "the padding is left on",
    ),
    "conv half of the border cut": (
        BorderLeft(((2, 2), (2, 2)), cut=((1, 1), (1, 1))),
        (Conv2D(4, 3, padding=2), (5, 6, 2)),
        {},
        "the padding is left on it, 1 and 1 rows, 1 and 1 columns",
    ),
    "conv border of SAME left": (
        BorderLeft(((0, 1), (0, 1)), 2),
        (Conv2D(4, 3, strides=2, padding="same"), (6, 6, 2)),
        {},
        "the padding is left on it, 0 and 1 rows",
    ),
    "mask of the first call": (KeptMask(), RELU, {}, "its mask is that of the first call"),
    "mask of the first call behind": (KeptMask(False), RELU, {}, "the x of the first call: stale values"),
    "output of the first call behind": (KeptOutput(), SIGMOID, {}, "the x of the first call: stale values"),
    "backward with changed arguments": (
        Exchanged(),
        SQUARE,
        {"kernel_layout": "IO"},
        "two arguments have changed places",
    ),
    "activation with changed arguments": (
        Function(sigmoid, lambda x, y, dy: x * sigmoid(dy) * (1 - sigmoid(dy))),
        SIGMOID,
        {},
        "two arguments have changed places",
    ),
}
SLIPS |= MORE_SLIPS

BROKEN = {
    "mask shared": (Dropping(0.3, shared=True), "all examples of the batch lose the same units"),
    "mask kept": (Dropping(0.3, once=True), "the same units are dropped at every call"),
    "rate reversed": (Dropping(0.7, 1 / 0.7), "the rate is taken for the share that is kept"),
}

RIGHT = [
    (Affine(), *DENSE, {}),
    (Convolution(), *CONV, {}),
    (Convolution(pad=((0, 1), (0, 1)), stride=2), *SAME, {"edges": False}),
    (Convolution(pad=SYMMETRIC, stride=2), Conv2D(4, 3, strides=2, padding=1), (6, 6, 2), {}),
    (Pooling(), *POOL, {}),
    (Pooling(3, 1), *OVERLAP, {}),
    (Normalization(), *BN, TRAINING),
    (Dropping(0.3), Dropout(0.3), (40,), TRAINING),
    (Function(softmax, right_softmax), *SOFTMAX, {}),
    (Function(sigmoid, lambda x, y, dy: dy * y * (1 - y)), *SIGMOID, {}),
    (Mean(1 / 20), GlobalAveragePooling2D(), (4, 5, 3), {"edges": False}),
]
