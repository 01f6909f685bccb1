"""A tensor that is the truth times one constant is named so; one that is not, is not."""

import numpy as np
import pytest

from bridge import check_layer
from model_spec import Dense, Dropout


class Affine:
    def __init__(self, factor=1.0, kernel=1.0, bias=1.0, output=1.0, wrong=0.0):
        self.W, self.b = np.zeros((6, 5)), np.zeros(5)
        self.factors = factor, kernel, bias, output, wrong

    def forward(self, x):
        self.x = x
        return (x @ self.W + self.b) * self.factors[3]

    def backward(self, dy):
        factor, kernel, bias, _, wrong = self.factors
        self.dW, self.db = self.x.T @ dy * kernel, dy.sum(axis=0) * bias
        dx = dy @ self.W.T * factor
        dx[0, 0] += wrong
        return dx


@pytest.mark.parametrize("batch", [4, 7])
@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (
            {"kernel": "1/n"},
            "gradient of kernel is 1/{n} of the true value: a mean in place of a sum over the batch of {n}",
        ),
        (
            {"bias": "n"},
            "gradient of bias is {n} times the true value: a sum in place of a mean over the batch of {n}",
        ),
        ({"factor": -1}, "gradient of x is -1 times the true value: the sign is the other way round"),
        ({"output": 0.5}, "y is 1/2 of the true value: half"),
        ({"factor": 0.7}, "gradient of x is 7/10 of the true value"),
        ({"kernel": 0.123456}, "gradient of kernel is 0.123456 times the true value"),
    ],
)
def test_the_constant_is_named(layer, words, batch):
    given = {name: {"1/n": 1 / batch, "n": batch}.get(value, value) for name, value in layer.items()}
    report = check_layer(Affine(**given), Dense(5), (6,), batch=batch)
    assert not report.passed
    assert report.explanations == [words.format(n=batch)]
    assert f"explained: {words.format(n=batch)}" in str(report)


def test_what_is_off_by_more_than_a_constant_is_not_called_one():
    assert check_layer(Affine(wrong=1e-3), Dense(5), (6,)).explanations == []
    assert check_layer(Affine(factor=0.5, wrong=1e-3), Dense(5), (6,)).explanations == []
    assert check_layer(Affine(), Dense(5), (6,)).explanations == []


def test_an_uninverted_dropout_is_off_by_what_it_keeps():
    class Book:
        def forward(self, x, train_flg=True):
            self.mask = np.random.default_rng(0).random(x.shape) >= 0.25
            return x * self.mask

        def backward(self, dy):
            return dy * self.mask

    report = check_layer(Book(), Dropout(0.25), (400,), training=True)
    assert report.explanations == [
        "it follows another convention: un-inverted dropout (the original paper, in training), "
        "or un-inverted dropout with scaled inference (the original paper)"
    ]
