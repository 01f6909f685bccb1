"""Two slips in one layer, each of a list with each of another: (layer, (claim, input shape), options, words)."""

import itertools

import numpy as np

from tests.bridge.slips.layers import BN, CONV, DENSE, ELU, LEAKY, SIGMOID, TANH, TRAINING, sigmoid
from tests.bridge.slips.parts import Affine, Convolution, Function, Normalization

AFFINE = {
    "y": {
        "no bias": (lambda x, W, b: x @ W, "bias"),
        "bias twice": (lambda x, W, b: x @ W + 2 * b, "bias"),
    },
    "dW": {
        "mean": (lambda x, dy, W, b: x.T @ dy / len(x), "gradient of kernel is 1/4 of the true value: a mean"),
        "penalty": (lambda x, dy, W, b: x.T @ dy + 0.01 * W, "L2 penalty"),
        "row": (lambda x, dy, W, b: x.T @ dy * (np.arange(6) != 2)[:, None], "is zero at index 2 of axis 0"),
    },
    "db": {
        "mean": (lambda x, dy, W, b: dy.mean(axis=0), "gradient of bias is 1/4 of the true value: a mean"),
        "one row": (lambda x, dy, W, b: dy[0], "of one row: the sum is missing"),
        "scalar": (lambda x, dy, W, b: np.full(5, dy.sum()), "one number, summed over all axes"),
        "not summed": (lambda x, dy, W, b: dy, "the sum over the batch is missing"),
    },
    "dx": {
        "sign": (lambda x, dy, W, b: -dy @ W.T, "gradient of x is -1 times"),
        "mean": (lambda x, dy, W, b: dy @ W.T / len(x), "gradient of x is 1/4"),
        "after the update": (lambda x, dy, W, b: dy @ (W - 0.1 * x.T @ dy).T, "after their update (a step of 0.1)"),
    },
}


def of_affine():
    for first, second in itertools.combinations(AFFINE, 2):
        for one, other in itertools.product(AFFINE[first], AFFINE[second]):
            parts = {first: AFFINE[first][one], second: AFFINE[second][other]}
            layer = Affine(**{part: change for part, (change, _) in parts.items()})
            words = "; ".join(words for _, words in parts.values())
            yield f"{first} {one}, {second} {other}", (layer, DENSE, {}, words)


def slope(k):
    return lambda x: np.where(x > 0, x, k * x)


def elu(alpha):
    return lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


FUNCTIONS = [
    ("sigmoid 1.7 x", lambda x: sigmoid(1.7 * x), SIGMOID, "sigmoid(1.7 x)"),
    ("tanh for sigmoid", np.tanh, SIGMOID, "tanh in place of sigmoid"),
    ("sigmoid for tanh", sigmoid, TANH, "sigmoid in place of tanh"),
    ("slope 0.3", slope(0.3), LEAKY, "0.3 in place of 0.2"),
    ("elu 0.5", elu(0.5), ELU, "alpha is 0.5"),
]
BACKWARDS = [
    ("no derivative", lambda x, y, dy: dy, "the derivative is missing"),
    ("dy times y", lambda x, y, dy: dy * y, ""),
]


def of_functions():
    for (name, value, claim, words), (behind, back, said) in itertools.product(FUNCTIONS, BACKWARDS):
        yield f"{name}, {behind}", (Function(value, back), claim, {"edges": False}, f"{words}; {said}")


NORMALIZATION = {
    "epsilon": ({"epsilon": 1e-5}, "epsilon"),
    "own epsilon": ({"epsilon": 2e-4}, "its epsilon is 0.0002"),
    "momentum": ({"momentum": 0.9}, "0.9 of the past"),
    "reversed": ({"momentum": 0.01}, "the other way round"),
    "ddof": ({"moved": lambda var, x: x.var(0, ddof=1)}, "unbiased variance"),
    "constants": ({"shares": (0, 0)}, "as constants"),
    "no mean": ({"shares": (0, 1)}, "lacks the share of the mean"),
    "no variance": ({"shares": (1, 0)}, "lacks the share of the variance"),
    "no gamma": ({"no gamma": True}, "gamma"),
    "no beta": ({"y": lambda xn, gamma, beta: gamma * xn}, "beta"),
}


def of_normalization():
    for one, other in itertools.combinations(NORMALIZATION, 2):
        (first, words), (second, said) = NORMALIZATION[one], NORMALIZATION[other]
        if not set(first) & set(second):
            yield f"{one}, {other}", (Normalization(**first, **second), BN, TRAINING, f"{words}; {said}")


CONVOLUTION = {
    "no bias": ({"y": lambda y, b: y}, "bias"),
    "assigned": ({"assigned": True}, "overwrite each other's gradient"),
    "dW mean": (
        {"dW": lambda view, dy: np.einsum("nhwcij,nhwf->ijcf", view, dy) / len(dy)},
        "gradient of kernel is 1/4",
    ),
    "db scalar": ({"db": lambda dy: np.full(4, dy.sum())}, "one number, summed over all axes"),
    "db mean": ({"db": lambda dy: dy.sum(axis=(0, 1, 2)) / len(dy)}, "gradient of bias is 1/4"),
    "flipped behind": ({"kernel behind": lambda W: W[::-1, ::-1]}, "backward has the kernel flipped"),
}


def of_convolution():
    for one, other in itertools.combinations(CONVOLUTION, 2):
        (first, words), (second, said) = CONVOLUTION[one], CONVOLUTION[other]
        if not set(first) & set(second):
            yield f"conv {one}, {other}", (Convolution(**first, **second), CONV, {}, f"{words}; {said}")


PAIRS = {
    f"pair: {name}": slip
    for name, slip in itertools.chain(of_affine(), of_functions(), of_normalization(), of_convolution())
}
