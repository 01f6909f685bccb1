"""Slips in a layer of a network with branches, each with its words: (step, change of its layer, words)."""

import numpy as np

import bridge
from bridge.conventions.backward_slips import _Behind
from core_numpy import NumpyModel
from model_spec import Add, BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D, MaxPooling2D, ModelSpec

BRANCHES = ModelSpec(
    "branches",
    (6, 6, 2),
    (
        Conv2D(4, 3, padding="same", activation="sigmoid", name="left", inputs="input"),
        Conv2D(4, 1, name="right", inputs="input"),
        BatchNormalization(name="norm", inputs="right"),
        Add(inputs=("left", "norm"), name="sum"),
        MaxPooling2D(2, name="pool"),
        GlobalAveragePooling2D(name="mean"),
        Dense(3, activation="softmax", name="out"),
    ),
)


def backward(change):
    """Another backward: change((x, y, dy), dx, grads) -> (dx, grads)."""

    def back(inner, params, cache, dy):
        x, own = cache
        return change((x, dy), *inner.backward(params, own, dy))

    return lambda layer: _Behind(layer, back)


def grads(**changes):
    return backward(
        lambda given, dx, found: (
            dx,
            {**found, **{name: change(*given, found[name]) for name, change in changes.items()}},
        )
    )


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


SLIPS = {
    "mean in a branch": (
        0,
        grads(bias=lambda x, dy, db: db / len(dy)),
        "a mean in place of a sum over the batch of 16",
    ),
    "sign of a branch's dx": (0, backward(lambda given, dx, found: (-dx, found)), "the sign is the other way round"),
    "derivative in a branch": (1, backward(lambda given, dx, found: (given[1], found)), "the derivative is missing"),
    "half of a derivative": (
        1,
        backward(lambda given, dx, found: (given[1] * sigmoid(given[0]), found)),
        "the factor (1 - y) is missing",
    ),
    "twice in the shortcut": (2, grads(kernel=lambda x, dy, dk: 2 * dk), "gradient of kernel is 2 times"),
    "db scalar in the shortcut": (
        2,
        grads(bias=lambda x, dy, db: np.full_like(db, db.sum())),
        "one number, summed over all axes",
    ),
    "gradient to all of a window": (
        5,
        backward(lambda given, dx, found: (given[1].repeat(2, axis=1).repeat(2, axis=2), found)),
        "gives the gradient to every cell of a window",
    ),
    "softmax without its sum": (
        8,
        backward(
            lambda given, dx, found: (
                given[1] * np.exp(given[0]) / np.exp(given[0]).sum(axis=1, keepdims=True),
                found,
            )
        ),
        "the sum is missing",
    ),
}


def compared(at, change):
    """The report of a network with one layer changed against the same network."""
    random = np.random.default_rng(3)
    x, y = random.normal(size=(16, *BRANCHES.input_shape)), random.integers(0, 3, 16)
    right, wrong = (NumpyModel(BRANCHES, seed=1, dtype="float64") for _ in range(2))
    wrong.network = wrong.network.replace_layer(at, change(wrong.network.steps[at].layer))
    return bridge.compare_models(right, wrong, x, y, names=("right", "wrong"))
