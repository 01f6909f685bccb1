"""Right ways to compute layers and losses, by other formulas and algorithms than the reference's; a table.

``python -m tests.bridge.right_forms 100`` puts every form through the judge with that many seeds.
"""

import sys

import numpy as np

from bridge import check_layer, check_loss
from model_spec import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    PReLU,
    Rescaling,
)
from tests.bridge import right_forms_more as more
from tests.bridge.slips.parts import Affine, Convolution, Function, Normalization, Pooling

SLOPE = 0.20000000298023224


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def stable_sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def logsumexp(z):
    largest = z.max(axis=1, keepdims=True)
    return largest + np.log(np.exp(z - largest).sum(axis=1, keepdims=True))


def log_softmax(z):
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def by_jacobian(x, y, dy):
    jacobian = np.einsum("ni,ij->nij", y, np.eye(y.shape[1], dtype=y.dtype)) - y[:, :, None] * y[:, None]
    return np.einsum("nij,nj->ni", jacobian, dy)


def right_softmax(x, y, dy):
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


ACTIVATIONS = {
    "softplus log(1 + e^x)": ("softplus", lambda x: np.log(1 + np.exp(x)), lambda x, y, dy: dy * sigmoid(x)),
    "softplus log1p(e^x)": ("softplus", lambda x: np.log1p(np.exp(x)), lambda x, y, dy: dy * (1 - np.exp(-y))),
    "softplus x + log(1 + e^-x)": ("softplus", lambda x: x + np.log(1 + np.exp(-x)), lambda x, y, dy: dy * sigmoid(x)),
    "softplus logaddexp": (
        "softplus",
        lambda x: np.logaddexp(0, x),
        lambda x, y, dy: dy * np.exp(x) / (1 + np.exp(x)),
    ),
    "softplus -log(sigmoid(-x))": ("softplus", lambda x: -np.log(sigmoid(-x)), lambda x, y, dy: dy * sigmoid(x)),
    "softplus stable": (
        "softplus",
        lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
        lambda x, y, dy: dy * (np.tanh(x / 2) + 1) / 2,
    ),
    "sigmoid by tanh": ("sigmoid", lambda x: (np.tanh(x / 2) + 1) / 2, lambda x, y, dy: dy * y * (1 - y)),
    "sigmoid e^x / (1 + e^x)": ("sigmoid", lambda x: np.exp(x) / (1 + np.exp(x)), lambda x, y, dy: dy * (y - y**2)),
    "sigmoid 1 - 1/(1 + e^x)": ("sigmoid", lambda x: 1 - 1 / (1 + np.exp(x)), lambda x, y, dy: dy * y * (1 - y)),
    "sigmoid 1/(1 + e^-x)": ("sigmoid", sigmoid, lambda x, y, dy: dy * np.exp(-x) / (1 + np.exp(-x)) ** 2),
    "sigmoid e^-softplus(-x)": (
        "sigmoid",
        lambda x: np.exp(-np.log1p(np.exp(-x))),
        lambda x, y, dy: dy * sigmoid(x) * sigmoid(-x),
    ),
    "sigmoid stable": ("sigmoid", stable_sigmoid, lambda x, y, dy: dy * y * (1 - y)),
    "sigmoid by two branches": (
        "sigmoid",
        lambda x: np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), 1 - 1 / (1 + np.exp(-np.abs(x)))),
        lambda x, y, dy: dy / (2 + np.exp(x) + np.exp(-x)),
    ),
    "tanh by four exponentials": (
        "tanh",
        lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
        lambda x, y, dy: dy * 4 / (np.exp(x) + np.exp(-x)) ** 2,
    ),
    "tanh 2/(1 + e^-2x) - 1": (
        "tanh",
        lambda x: 2 / (1 + np.exp(-2 * x)) - 1,
        lambda x, y, dy: dy * (1 - y) * (1 + y),
    ),
    "tanh 1 - 2/(e^2x + 1)": ("tanh", lambda x: 1 - 2 / (np.exp(2 * x) + 1), lambda x, y, dy: dy / np.cosh(x) ** 2),
    "tanh 2 sigmoid(2x) - 1": ("tanh", lambda x: 2 * sigmoid(2 * x) - 1, lambda x, y, dy: dy * (1 - y**2)),
    "tanh (e^2x - 1)/(e^2x + 1)": (
        "tanh",
        lambda x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1),
        lambda x, y, dy: dy * (1 - np.square(y)),
    ),
    "tanh expm1": (
        "tanh",
        lambda x: np.expm1(2 * x) / (np.expm1(2 * x) + 2),
        lambda x, y, dy: dy - dy * y * y,
    ),
    "tanh sinh / cosh": ("tanh", lambda x: np.sinh(x) / np.cosh(x), lambda x, y, dy: dy * (1 - np.tanh(x) ** 2)),
    "elu e^x - 1": (
        "elu",
        lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1),
        lambda x, y, dy: np.where(x > 0, dy, dy * (y + 1)),
    ),
    "elu expm1": (
        "elu",
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        lambda x, y, dy: np.where(x > 0, dy, dy * np.exp(np.minimum(x, 0))),
    ),
    "elu by max and min": (
        "elu",
        lambda x: np.maximum(x, 0) + np.minimum(np.exp(np.minimum(x, 0)) - 1, 0),
        lambda x, y, dy: dy * np.where(y > 0, 1, y + 1),
    ),
    "relu (x + |x|) / 2": ("relu", lambda x: (x + np.abs(x)) / 2, lambda x, y, dy: dy * (np.sign(x) + 1) / 2),
    "relu x (x > 0)": ("relu", lambda x: x * (x > 0), lambda x, y, dy: np.where(x > 0, dy, 0)),
    "relu x >= 0": ("relu", lambda x: np.where(x >= 0, x, 0), lambda x, y, dy: dy * (x >= 0)),
    "relu clip": ("relu", lambda x: np.clip(x, 0, None), lambda x, y, dy: dy * np.heaviside(x, 0.5).astype(x.dtype)),
    "leaky by two slopes": (
        "leaky_relu",
        lambda x: x.dtype.type((1 + SLOPE) / 2) * x + x.dtype.type((1 - SLOPE) / 2) * np.abs(x),
        lambda x, y, dy: np.where(x > 0, dy, x.dtype.type(SLOPE) * dy),
    ),
    "leaky by max": (
        "leaky_relu",
        lambda x: np.maximum(x, x.dtype.type(SLOPE) * x),
        lambda x, y, dy: dy * np.where(x > 0, x.dtype.type(1), x.dtype.type(SLOPE)),
    ),
    "leaky by relus": (
        "leaky_relu",
        lambda x: np.maximum(x, 0) - x.dtype.type(SLOPE) * np.maximum(-x, 0),
        lambda x, y, dy: np.where(x >= 0, dy, x.dtype.type(SLOPE) * dy),
    ),
    "softmax by Jacobian": ("softmax", softmax, by_jacobian),
    "softmax e^(z - logsumexp)": (
        "softmax",
        lambda z: np.exp(z - logsumexp(z)),
        right_softmax,
    ),
    "softmax e^log_softmax": (
        "softmax",
        lambda z: np.exp(log_softmax(z)),
        lambda x, y, dy: y * dy - y * (y * dy).sum(axis=1)[:, None],
    ),
    "softmax largest of the batch": (
        "softmax",
        lambda z: np.exp(np.clip(z - z.max(axis=1, keepdims=True), -700, 0))
        / np.exp(np.clip(z - z.max(axis=1, keepdims=True), -700, 0)).sum(axis=1)[:, None],
        right_softmax,
    ),
    "softmax in a loop": (
        "softmax",
        lambda z: np.stack([np.exp(row - max(row)) / sum(np.exp(row - max(row))) for row in z]),
        lambda x, y, dy: np.stack([a * (b - np.dot(a, b)) for a, b in zip(y, dy, strict=True)]),
    ),
}  # fmt: skip


class Fft(Convolution):
    """Cross-correlation by Fourier transforms."""

    def forward(self, x):
        self.x = x
        h, w = x.shape[1:3]
        kh, kw = self.W.shape[:2]
        spectrum = np.fft.rfft2(x, axes=(1, 2))
        kernel = np.conj(np.fft.rfft2(self.W, (h, w), axes=(0, 1)))
        y = np.fft.irfft2(np.einsum("nhwc,hwcf->nhwf", spectrum, kernel), (h, w), axes=(1, 2))
        return y[:, : h - kh + 1, : w - kw + 1].astype(x.dtype) + self.b


class Winograd(Convolution):
    """F(2x2, 3x3) of Lavin and Gray (2016), on even outputs."""

    def forward(self, x):
        self.x, kind = x, x.dtype
        B = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], kind)
        G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], kind)
        A = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], kind)
        rows, columns = x.shape[1] - 2, x.shape[2] - 2
        x = np.pad(x, ((0, 0), (0, rows % 2), (0, columns % 2), (0, 0)))
        U = np.einsum("ai,ijcf,bj->abcf", G, self.W.astype(kind), G)
        y = np.zeros((len(x), rows + rows % 2, columns + columns % 2, self.W.shape[-1]), kind)
        for i in range(0, y.shape[1], 2):
            for j in range(0, y.shape[2], 2):
                V = np.einsum("ai,nijc,bj->nabc", B, x[:, i : i + 4, j : j + 4], B)
                M = np.einsum("nabc,abcf->nabf", V, U)
                y[:, i : i + 2, j : j + 2] = np.einsum("ia,nabf,jb->nijf", A, M, A)
        return y[:, :rows, :columns] + self.b.astype(kind)


class KernelToRows(Convolution):
    """One matrix product for each cell of the kernel, added up where it is seen."""

    def forward(self, x):
        self.x = x
        kh, kw = self.W.shape[:2]
        h, w = x.shape[1] - kh + 1, x.shape[2] - kw + 1
        return sum(x[:, i : i + h, j : j + w] @ self.W[i, j] for i in range(kh) for j in range(kw)) + self.b


class Rows(Convolution):
    """im2col: windows in rows, one product."""

    def forward(self, x):
        self.x = x
        view = self.seen(x)[1]
        n, h, w = view.shape[:3]
        rows = np.ascontiguousarray(view.transpose(0, 1, 2, 4, 5, 3)).reshape(n * h * w, -1)
        return (rows @ self.W.reshape(-1, self.W.shape[-1])).reshape(n, h, w, -1) + self.b


class Positions(Convolution):
    """Loops over positions."""

    def forward(self, x):
        self.x = x
        kh, kw = self.W.shape[:2]
        y = np.zeros((len(x), x.shape[1] - kh + 1, x.shape[2] - kw + 1, self.W.shape[-1]), x.dtype)
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                y[:, i, j] = np.tensordot(x[:, i : i + kh, j : j + kw], self.W, 3) + self.b
        return y


class Means(Normalization):
    """variance = mean(x^2) - mean(x)^2, and the backward of the books in many small steps."""

    def forward(self, x, training=False):
        if not training:
            return super().forward(x, training)
        mean = x.mean(0)
        var = (x**2).mean(0) - mean**2
        self.running_mean = 0.99 * self.running_mean + 0.01 * mean
        self.running_var = 0.99 * self.running_var + 0.01 * var
        self.inverse = (var + self.epsilon) ** -0.5
        self.centred = x - mean
        self.xn = self.centred * self.inverse
        return self.gamma * self.xn + self.beta

    def backward(self, dy):
        n, dxn = len(dy), dy * self.gamma
        self.dbeta, self.dgamma = dy.sum(0), (dy * self.xn).sum(0)
        dvar = (dxn * self.centred).sum(0) * -0.5 * self.inverse**3
        dmean = (-dxn * self.inverse).sum(0) + dvar * (-2 * self.centred).mean(0)
        return dxn * self.inverse + dvar * 2 * self.centred / n + dmean / n


class Ordered(Normalization):
    """x scale + shift, and n dy - sum - xn sum over n."""

    def forward(self, x, training=False):
        y = super().forward(x, training)
        if training:
            mean, scale = x.mean(0), self.gamma * self.inverse
            y = x * scale + (self.beta - mean * scale)
        return y

    def backward(self, dy):
        self.dgamma, self.dbeta, n = (dy * self.xn).sum(0), dy.sum(0), len(dy)
        return self.gamma * self.inverse / n * (n * dy - self.dbeta - self.xn * self.dgamma)


class Blocks(Pooling):
    """By a reshape, for windows that stand apart."""

    def forward(self, x):
        self.x = x
        n, h, w, c = x.shape
        return x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))


class Slopes:
    def __init__(self):
        self.alpha = np.zeros(7)

    def forward(self, x):
        self.x = x
        return np.maximum(x, 0) + self.alpha * np.minimum(x, 0)

    def backward(self, dy):
        self.dalpha = (dy * np.minimum(self.x, 0)).sum(axis=0)
        return np.where(self.x > 0, dy, dy * self.alpha)


class ByParts:
    def __init__(self, value, back):
        self.value, self.back = value, back

    def forward(self, x):
        self.x = x
        return self.value(x)

    def backward(self, dy):
        return self.back(self.x, dy)


CONV, TRAINING = (Conv2D(4, 3), (5, 6, 2)), {"training": True}
LAYERS = {
    "dense by einsum": (lambda: Affine(y=lambda x, W, b: np.einsum("ni,io->no", x, W) + b), Dense(5), (6,), {}),
    "dense by a loop": (
        lambda: Affine(
            y=lambda x, W, b: np.stack([(row[:, None] * W).sum(axis=0) + b for row in x]),
            dW=lambda x, dy, W, b: sum(np.outer(a, g) for a, g in zip(x, dy, strict=True)),
        ),
        Dense(5),
        (6,),
        {},
    ),
    "dense with a column of ones": (
        lambda: Affine(y=lambda x, W, b: np.c_[x, np.ones(len(x), x.dtype)] @ np.r_[W, b[None]].astype(x.dtype)),
        Dense(5),
        (6,),
        {},
    ),
    "conv by windows": (Convolution, *CONV, {}),
    "conv by FFT": (Fft, *CONV, {"dtypes": "float64"}),
    "conv by Winograd": (Winograd, *CONV, {}),
    "conv by cells of the kernel": (KernelToRows, *CONV, {}),
    "conv by im2col": (Rows, *CONV, {}),
    "conv by positions": (Positions, *CONV, {}),
    "bn textbook": (Normalization, BatchNormalization(), (6,), TRAINING),
    "bn mean of squares": (Means, BatchNormalization(), (6,), TRAINING),
    "bn scale and shift": (Ordered, BatchNormalization(), (6,), TRAINING),
    "max pooling by loops": (Pooling, MaxPooling2D(2), (4, 6, 3), {}),
    "max pooling by blocks": (Blocks, MaxPooling2D(2), (4, 6, 3), {}),
    "max pooling, the last of a tie": (
        lambda: Pooling(share=lambda seen: Pooling.first(seen[:, ::-1, ::-1])[:, ::-1, ::-1]),
        MaxPooling2D(2),
        (4, 6, 3),
        {},
    ),
    "max pooling, a tie shared": (
        lambda: Pooling(
            share=lambda seen: (
                (top := seen == seen.max(axis=(1, 2), keepdims=True)) / top.sum(axis=(1, 2), keepdims=True)
            )
        ),
        MaxPooling2D(2),
        (4, 6, 3),
        {},
    ),
    "max pooling, overlapping": (lambda: Pooling(3, 1), MaxPooling2D(3, 1), (5, 5, 2), {}),
    "average pooling": (
        lambda: Pooling(take=lambda seen: seen.mean(axis=(1, 2)), share=lambda seen: np.full_like(seen, 0.25)),
        AveragePooling2D(2),
        (4, 6, 3),
        {},
    ),
    "average pooling, sum first": (
        lambda: Pooling(
            take=lambda seen: seen.sum(axis=2).sum(axis=1) / 4, share=lambda seen: np.full_like(seen, 0.25)
        ),
        AveragePooling2D(2),
        (4, 6, 3),
        {},
    ),
    "global average by axes": (
        lambda: ByParts(
            lambda x: x.mean(axis=1).mean(axis=1),
            lambda x, dy: np.broadcast_to(dy[:, None, None] / (x.shape[1] * x.shape[2]), x.shape),
        ),
        GlobalAveragePooling2D(),
        (4, 5, 3),
        {},
    ),
    "prelu": (Slopes, PReLU(), (7,), {}),
    "rescaling by a division": (
        lambda: ByParts(lambda x: x / 255, lambda x, dy: dy / 255),
        Rescaling(1 / 255),
        (4, 4, 1),
        {},
    ),
    "flatten": (
        lambda: ByParts(lambda x: x.reshape(len(x), -1), lambda x, dy: dy.reshape(x.shape)),
        Flatten(),
        (3, 4, 2),
        {},
    ),
}


class Loss:
    def __init__(self, value, gradient):
        self.value_of, self.gradient_of = value, gradient

    def forward(self, outputs, targets):
        self.given = outputs, targets
        return self.value_of(outputs, targets)

    def backward(self):
        return self.gradient_of(*self.given)


CE, BCE, MSE = "categorical_crossentropy", "binary_crossentropy", "mean_squared_error"
LOSSES = {
    "-sum t log p": (lambda p, t: -(t * np.log(p)).sum() / len(p), lambda p, t: -t / p / len(p), CE),
    "mean of row sums": (lambda p, t: (-(t * np.log(p)).sum(axis=1)).mean(), lambda p, t: -(t / p) / len(p), CE),
    "picked classes": (
        lambda p, t: -np.log(p[np.arange(len(p)), t.argmax(1)]).mean(),
        lambda p, t: np.where(t == 1, -1 / p, 0) / len(p),
        CE,
    ),
    "log softmax": (lambda z, t: -(t * log_softmax(z)).sum(axis=1).mean(), lambda z, t: (softmax(z) - t) / len(z), CE),
    "logsumexp - z_t": (
        lambda z, t: (np.log(np.exp(z - z.max()).sum(axis=1)) + z.max() - (z * t).sum(axis=1)).mean(),
        lambda z, t: (np.exp(log_softmax(z)) - t) / len(z),
        CE,
    ),
    "binary": (
        lambda p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(),
        lambda p, t: (p - t) / (p * (1 - p)) / p.size,
        BCE,
    ),
    "binary log1p": (
        lambda p, t: -np.where(t == 1, np.log(p), np.log1p(-p)).mean(),
        lambda p, t: np.where(t == 1, -1 / p, 1 / (1 - p)) / p.size,
        BCE,
    ),
    "binary of logits": (
        lambda z, t: (np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z)))).mean(),
        lambda z, t: (stable_sigmoid(z) - t) / z.size,
        BCE,
    ),
    "binary softplus": (
        lambda z, t: (np.logaddexp(0, z) - z * t).mean(),
        lambda z, t: (0.5 * (np.tanh(z / 2) + 1) - t) / z.size,
        BCE,
    ),
    "squares": (lambda y, t: np.square(y - t).mean(), lambda y, t: 2 * (y - t) / y.size, MSE),
    "squares of norms": (
        lambda y, t: (np.linalg.norm(y - t, axis=1) ** 2).mean() / y.shape[1],
        lambda y, t: 2 / y.size * (y - t),
        MSE,
    ),
    "squares expanded": (
        lambda y, t: (y * y - 2 * y * t + t * t).sum() / y.size,
        lambda y, t: (2 * y - 2 * t) / y.size,
        MSE,
    ),
}


ACTIVATIONS |= more.ACTIVATIONS
LAYERS |= more.LAYERS
LOSSES |= more.LOSSES


def forms():
    """{name: function of seed and step beyond (0 for the right form) that gives a report}."""

    def activation(name):
        claim, value, back = ACTIVATIONS[name]

        def run(seed, beyond=0.0, behind=0.0):
            def moved(x, y, dy):
                return (dx := back(x, y, dy)) + _step(dx, behind) * max(1, np.abs(dx).max())

            layer = Function(lambda x: value(x) + _step(x, beyond), moved if behind else back)
            return check_layer(layer, Activation(claim), (12,), seed=seed, hints=1)

        return run

    def layer(name):
        make, claim, shape, options = LAYERS[name]

        def run(seed, beyond=0.0, behind=0.0):
            made = make()
            plain, pull = made.forward, made.backward
            if behind:

                def back(each, dy):
                    return (dx := pull(dy)) + _step(dx, behind) * np.abs(dx).max()

                return check_layer(
                    made, claim, shape, seed=seed, hints=1, call={"backward": back}, **options | {"edges": False}
                )
            if beyond:

                def moved(x, *rest, **named):
                    y = plain(x, *rest, **named)
                    return y + _step(y, beyond) * np.abs(y).max()

                call = {"forward": lambda each, x, training: moved(x, *([training] if "training" in options else []))}
                return check_layer(made, claim, shape, seed=seed, hints=1, call=call, **options | {"edges": False})
            return check_layer(made, claim, shape, seed=seed, hints=1, **options)

        return run

    def loss(name):
        value, gradient, claim = LOSSES[name]

        def run(seed, beyond=0.0, behind=0.0):
            moved = Loss(
                lambda y, t: value(y, t) * (1 + beyond * np.finfo(y.dtype).eps),
                lambda y, t: gradient(y, t) * (1 + behind * np.finfo(y.dtype).eps),
            )
            return check_loss(moved, claim, seed=seed)

        return run

    table = {name: activation(name) for name in ACTIVATIONS}
    return table | {name: layer(name) for name in LAYERS} | {name: loss(name) for name in LOSSES}


BEHIND = 1000.0
"""Roundoffs of its largest value by which the gradient of a wrong twin is off."""


def _step(y, beyond):
    return y.dtype.type(beyond * np.finfo(y.dtype).eps)


def main(seeds):
    """Print how many seeds refuse each right form, and how many accept its wrong twin."""
    wrong = 0
    for name, run in forms().items():
        refused = sum(not run(seed).passed for seed in range(seeds))
        few = range(min(seeds, 5))
        accepted = sum(run(seed, 300.0).passed + run(seed, behind=BEHIND).passed for seed in few)
        wrong += refused + accepted
        print(f"{name:36} right form refused {refused:3} of {seeds}; wrong twins accepted {accepted} of {2 * len(few)}")
    print(f"{len(forms())} forms, {seeds} seeds each: {wrong} refused right forms and accepted wrong twins")
    return wrong


if __name__ == "__main__":
    sys.exit(min(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100), 1))
