"""Everyday and edge inputs: what is wrong there alone is refused with its cause, what cannot be blamed is a note."""

import threading

import numpy as np
import pytest

from bridge import check_layer
from model_spec import (
    ELU,
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    GlobalMaxPooling2D,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    UnitNormalization,
)
from tests.bridge.slips.parts import Affine, Function, Pooling


def relu(x):
    return np.maximum(x, 0)


def softmax(x):
    shares = np.exp(x - x.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


class SamePool:
    """SAME padding with zeros."""

    def __init__(self, take):
        self.take = take

    def forward(self, x):
        n, h, w, c = x.shape
        padded = np.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)))
        return self.take(padded.reshape(n, (h + 1) // 2, 2, (w + 1) // 2, 2, c), (2, 4))


class GlobalMax:
    def forward(self, x):
        self.x = x
        return x.max(axis=(1, 2))

    def backward(self, dy):
        return (self.x == self.x.max(axis=(1, 2), keepdims=True)) * dy[:, None, None]


class SquareOnly:
    def __init__(self):
        self.W, self.b = np.zeros((3, 3, 2, 4)), np.zeros(4)

    def forward(self, x):
        size = x.shape[1] - 2
        y = np.zeros((len(x), size, size, 4))
        for i in range(size):
            for j in range(size):
                y[:, i, j] = np.tensordot(x[:, i : i + 3, j : j + 3], self.W, 3) + self.b
        return y


class OtherMeans:
    """Divides by n - 1 where a feature is constant, and so by the epsilon of another place."""

    def __init__(self):
        self.gamma, self.beta = np.ones(6), np.zeros(6)
        self.running_mean, self.running_var = np.zeros(6), np.ones(6)

    def forward(self, x, training=True):
        mean, var = x.mean(0), x.var(0)
        self.running_mean = 0.99 * self.running_mean + 0.01 * mean
        self.running_var = 0.99 * self.running_var + 0.01 * var
        return self.gamma * (x - mean) / np.sqrt(np.where(var == 0, np.nan, var) + 1e-3) + self.beta


class Bounded:
    """A Dense layer that clips what it gives, or its gradients."""

    def __init__(self, output=np.inf, gradient=np.inf):
        self.W, self.b = np.zeros((4, 3)), np.zeros(3)
        self.limit, self.limit_backward = output, gradient

    def forward(self, x):
        self.x = x
        return np.clip(x @ self.W + self.b, -self.limit, self.limit)

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(0)
        return np.clip(dy @ self.W.T, -self.limit_backward, self.limit_backward)


class Unit:
    """Divides by the norm alone."""

    def forward(self, x):
        return x / np.sqrt((x**2).sum(-1, keepdims=True))


class UnitAtLeast:
    """Divides by a norm of 1e-6 at least, as Keras does."""

    def forward(self, x):
        return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-6)


class Started:
    """A maximum that starts at a number: of windows of 2, or of the whole image."""

    def __init__(self, start, whole=False):
        self.start, self.whole = start, whole

    def forward(self, x):
        n, h, w, c = self.shape = x.shape
        size = (h, w) if self.whole else (2, 2)
        blocks = x[:, : h // size[0] * size[0], : w // size[1] * size[1]]
        self.part = blocks.shape
        blocks = blocks.reshape(n, h // size[0], size[0], w // size[1], size[1], c)
        y = np.maximum(blocks.max((2, 4), keepdims=True), self.start)
        self.won = (blocks == y) / np.maximum((blocks == y).sum((2, 4), keepdims=True), 1)
        y = y[:, :, 0, :, 0]
        return y[:, 0, 0] if self.whole else y

    def backward(self, dy):
        dy = dy[:, None, None] if self.whole else dy
        dx = np.zeros(self.shape, dy.dtype)
        dx[:, : self.part[1], : self.part[2]] = (self.won * dy[:, :, None, :, None]).reshape(self.part)
        return dx


def bounded(low, high, slope=0.0):
    """max(x, slope x) within two bounds."""
    inner = lambda x: np.where(x > 0, x, slope * x)  # noqa: E731
    return Function(
        lambda x: np.clip(inner(x), low, high),
        lambda x, y, dy: dy * np.where(x > 0, 1.0, slope) * ((inner(x) > low) & (inner(x) < high)),
    )


class DropsByNormal:
    """Compares ``draw(shape)`` with the rate, 0.3."""

    def __init__(self, draw):
        self.draw = draw

    def forward(self, x, training=False):
        if not training:
            return x
        self.mask = (self.draw(x.shape) > 0.3) / 0.7
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


WRONG = {
    "no largest value": (bounded(-np.inf, np.inf), ReLU(6), (5,), "y on values up to 30"),
    "no largest value beyond 30": (bounded(-np.inf, np.inf), ReLU(5000), (5,), "y on values up to 10000"),
    "a leaky slope with a floor": (bounded(-10, np.inf, 0.1), LeakyReLU(0.1), (5,), "y on values up to 1000"),
    "a leaky slope with a cap": (bounded(-np.inf, 20, 0.1), LeakyReLU(0.1), (5,), "y on values up to 30"),
    "a maximum from -5": (Started(-5), MaxPooling2D(2), (4, 4, 2), "it starts its maximum at -5, not at -infinity"),
    "a global maximum from -20": (
        Started(-20, True),
        GlobalMaxPooling2D(),
        (4, 4, 2),
        "it starts its maximum at -20, not at -infinity",
    ),
    "a maximum from 0": (Started(0), MaxPooling2D(2), (4, 4, 2), "it starts its maximum at 0, not at -infinity"),
    "a global maximum from -1": (
        Started(-1, True),
        GlobalMaxPooling2D(),
        (4, 4, 2),
        "it starts its maximum at -1, not at -infinity",
    ),
    "values clipped at 50": (Bounded(output=50), Dense(3), (4,), "y on values and gradients up to 1000"),
    "gradients clipped at 50": (Bounded(gradient=50), Dense(3), (4,), "gradient of x on values and gradients"),
    "no epsilon": (
        Unit(),
        UnitNormalization(),
        (4,),
        "the truth is finite: an overflow, a division by zero",
    ),
    "a kink taken three times": (
        Function(relu, lambda x, y, dy: dy * (x > 0) + 3 * dy * (x == 0)),
        Activation("relu"),
        (8,),
        "kink or tie",
    ),
    "a tie's shares beyond one": (
        Pooling(share=lambda seen: 2 * Pooling.first(seen) - Pooling.first(seen[:, ::-1, ::-1])[:, ::-1, ::-1]),
        MaxPooling2D(2),
        (4, 4, 2),
        "kink or tie",
    ),
    "zeros of the border win": (SamePool(np.max), MaxPooling2D(2, padding="same"), (4, 4, 2), "zeros of its border"),
    "zeros of the border count": (
        SamePool(np.mean),
        AveragePooling2D(2, padding="same"),
        (4, 4, 2),
        "average pooling counts padding",
    ),
    "global maximum pays ties": (GlobalMax(), GlobalMaxPooling2D(), (4, 5, 2), "each cell of a tie"),
    "square images alone": (SquareOnly(), Conv2D(4, 3), (6, 6, 2), "height and width taken for equal"),
    "a dead feature": (OtherMeans(), BatchNormalization(), (6,), "holds NaN"),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_what_is_wrong_on_edges_is_refused_and_named(name):
    layer, claim, shape, words = WRONG[name]
    training = isinstance(claim, BatchNormalization)
    with np.errstate(all="ignore"):
        report = check_layer(layer, claim, shape, training=training)
        assert not report.passed
        assert " on " in report.first_divergence.tensor
        assert words in str(report)
        # The random points alone would certify it
        assert check_layer(layer, claim, shape, training=training, edges=False).passed


class EightRows(Affine):
    def forward(self, x):
        if len(x) != 4:
            raise ValueError("made for batches of 4")
        return super().forward(x)


def test_what_is_refused_aloud_is_a_note():
    report = check_layer(EightRows(), Dense(5), (6,))
    assert report.passed
    assert "not certified for one example: it raised ValueError in forward" in str(report)


def test_a_layer_made_for_one_size_is_certified_for_it_alone():
    class OneSize(Pooling):
        def forward(self, x):
            if x.shape[1:3] != (4, 4):
                raise ValueError("made for images of 4 x 4")
            return super().forward(x)

    report = check_layer(OneSize(), MaxPooling2D(2), (4, 4, 2))
    assert report.passed and "certified for (4, 4, 2) alone" in str(report)


def test_inputs_of_the_users_own():
    wrong = Function(lambda x: np.where(x == 7, 0, relu(x)), lambda x, y, dy: dy * (x > 0))
    assert check_layer(wrong, Activation("relu"), (8,)).passed
    report = check_layer(wrong, Activation("relu"), (8,), x=np.full((2, 8), 7.0))
    assert not report.passed and report.first_divergence.tensor == "y on your x"


def test_hints_say_where_what_and_how():
    wrong = Affine(dW=lambda x, dy, W, b: x.T @ dy / len(x))
    texts = [str(check_layer(wrong, Dense(5), (6,), hints=level)) for level in (1, 2, 3)]
    assert all("first failing tensor: gradient of kernel" in text for text in texts)
    assert ["explained: " in text for text in texts] == [False, True, True]
    assert "how: dW = x.T @ dy" in texts[2] and "def backward(" in texts[2]
    with pytest.raises(ValueError, match="hints must be 1"):
        check_layer(wrong, Dense(5), (6,), hints=4)


def test_what_was_tried_is_said():
    report = check_layer(Pooling(), MaxPooling2D(2), (4, 4, 2))
    assert {"all-zero images", "images wider than high", "a second call"} <= set(report.tried)
    assert "tried: random points (seed 0, 4 examples), all-zero images" in str(report)


def test_a_unit_norm_with_its_least_length_is_right():
    assert check_layer(UnitAtLeast(), UnitNormalization(), input_shape=(4,)).passed


def test_masks_of_normal_numbers_are_named():
    random = np.random.default_rng(0)
    right = DropsByNormal(lambda shape: random.random(shape))
    assert check_layer(right, Dropout(0.3), input_shape=(50,), training=True).passed
    report = check_layer(DropsByNormal(random.standard_normal), Dropout(0.3), input_shape=(50,), training=True)
    assert "the mask compares normal numbers (randn) with the rate" in str(report)
    assert "taken for the share" not in str(report)


def test_a_dropout_needs_no_backward_in_inference():
    """Its mask is drawn in training; wrong values without a word would still be refused."""
    report = check_layer(DropsByNormal(np.random.default_rng(0).random), Dropout(0.3), input_shape=(5,))
    assert report.passed
    assert "only forward was judged in inference, where its backward raised AttributeError" in str(report)
    stale = DropsByNormal(np.random.default_rng(0).random)
    stale.mask = 2.0
    assert not check_layer(stale, Dropout(0.3), input_shape=(5,)).passed


def test_a_backward_of_nested_lists_is_right():
    lists = Function(lambda x: relu(x).tolist(), lambda x, y, dy: (dy * (x > 0)).tolist())
    assert check_layer(lists, Activation("relu"), (5,)).passed


def test_an_elu_that_overflows_is_a_note():
    elu = Function(
        lambda x: (x > 0) * x + (x <= 0) * np.expm1(np.minimum(x, 0)) + 0 * np.exp(x),
        lambda x, y, dy: dy * np.where(x > 0, 1, np.exp(np.minimum(x, 0))),
    )
    with np.errstate(all="ignore"):
        report = check_layer(elu, ELU(), (5,))
    assert report.passed and "float64: right up to about 700" in str(report)


class StaleX(Affine):
    """Keeps the first x of each size."""

    kept = None

    def forward(self, x):
        y = super().forward(x)
        if self.kept is None or len(self.kept) != len(x):
            self.kept = x
        self.x = self.kept
        return y


def whole_pairs(x, dy, W, b):
    even = len(dy) // 2 * 2
    return x[:even].T @ dy[:even]


SAID = {
    "a change that changes nothing": (
        StaleX(),
        Dense(5),
        (6,),
        ["backward works with the x of the first call: stale values"],
    ),
    "zeros of one example": (Affine(dW=whole_pairs), Dense(5), (6,), []),
    "a term of one example": (
        Function(softmax, lambda x, y, dy: y * (dy - (len(x) > 1) * (y * dy).sum(-1, keepdims=True))),
        Activation("softmax"),
        (5,),
        [],
    ),
}


@pytest.mark.parametrize("name", list(SAID))
def test_what_explains_nothing_is_not_said(name):
    layer, claim, shape, said = SAID[name]
    report = check_layer(layer, claim, shape)
    assert not report.passed and report.explanations == said


class Drops:
    """Draws one number for each place of ``mask``, a shape with 1 for what is dropped together."""

    def __init__(self, mask=lambda shape: shape, first=False, held=None):
        self.mask, self.first, self.held = mask, first, held
        self.random, self.kept = np.random.default_rng(0), None

    def forward(self, x, training=True):
        drawn = self.random.random(self.mask(x.shape))
        if drawn.ndim == x.ndim and drawn.shape[-1] == x.shape[-1] // 2:
            drawn = drawn.repeat(2, -1)
        if not self.first or self.kept is None or len(self.kept) != len(x):
            self.kept = np.broadcast_to(drawn >= 0.3, x.shape) / 0.7
        self.now = np.broadcast_to(drawn >= 0.3, x.shape) / 0.7
        return x * self.now

    def backward(self, dy):
        return dy * self.kept


TOGETHER = {
    "channels": (lambda shape: (*shape[:-1], 1), "all units along axis 3 (channels) are dropped together"),
    "rows": (lambda shape: (*shape[:2], 1, 1), "along axis 2 (columns) and axis 3 (channels) are dropped together"),
    "maps": (lambda shape: (shape[0], 1, 1, shape[3]), "of shape (examples, 1, 1, 6)"),
    "examples": (lambda shape: (shape[0], 1, 1, 1), "are dropped together (whole examples)"),
    "pairs": (lambda shape: (*shape[:-1], 3), "neighbours along axis 3 (channels) are dropped together"),
}


@pytest.mark.parametrize("name", list(TOGETHER))
def test_units_that_are_dropped_together_are_named(name):
    mask, words = TOGETHER[name]
    report = check_layer(Drops(mask), Dropout(0.3), (4, 5, 6), training=True)
    assert not report.passed and words in str(report)
    assert "values were dropped" not in str(report)


def test_units_that_the_claim_drops_together_may_be():
    report = check_layer(Drops(TOGETHER["rows"][0]), Dropout(0.3, (None, None, 1, 1)), (4, 5, 6), training=True)
    assert report.passed, str(report)


def test_few_units_that_are_dropped_together_may_be_the_same_twice():
    for seed in range(20):
        layer = Drops(TOGETHER["examples"][0])
        layer.random = np.random.default_rng(seed)
        report = check_layer(layer, Dropout(0.3, (None, 1, 1, 1)), (3, 4, 6), training=True)
        assert report.passed, str(report)


def test_a_mask_that_stays_behind_is_named():
    class FirstPulled(Drops):
        def backward(self, dy):
            if self.held is None or self.held.shape != dy.shape:
                self.held = self.now
            return dy * self.held

    for layer in (Drops(first=True), FirstPulled()):
        report = check_layer(layer, Dropout(0.3), (20,), training=True)
        assert "backward drops the units of an earlier forward: its mask stays" in str(report)


def test_a_right_dropout_that_cannot_be_copied_is_right():
    report = check_layer(Drops(held=threading.Lock()), Dropout(0.3), (20,), training=True)
    assert report.passed, str(report)
