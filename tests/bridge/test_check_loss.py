"""Losses written elsewhere: right ones pass in many styles; wrong ones are refused with the cause in words."""

import numpy as np
import pytest

from bridge import check_loss
from model_spec.losses import Huber
from tests.bridge.right_losses import RIGHT, hinge, hinge_of_bits, log_softmax
from tests.bridge.slips.losses import BCE, CE, MSE, WRONG, Loss, binary, sigmoid, softmax


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", list(RIGHT))
def test_right_losses_pass(name, seed):
    make, claim, options = RIGHT[name]
    report = check_loss(make(), claim, seed=seed, **options)
    assert report.passed, str(report)
    assert {row.tensor for row in report.rows} == {"loss", "gradient"}
    assert "random points" in str(report)


def test_a_float32_answer_is_judged_as_such_and_said():
    report = check_loss(RIGHT["answers in float32"][0](), MSE)
    assert "note: fed float64, the loss answers in float32" in str(report)
    report = check_loss(lambda y, t: np.float32(((y - t) ** 2).mean() * (1 + 2e-5)), MSE)
    assert not report.passed
    report = check_loss(lambda y, t: np.float32(((y - t) ** 2).mean() / 2), MSE)
    assert report.explanations == ["the loss is 1/2 of the true value: half"]


def flattened(y_pred, y_true):
    """(n,) - (n, 1) is (n, n)."""
    return np.square(y_pred.ravel() - y_true).mean()


def with_gradient_of_all_pairs(y_pred, y_true):
    return flattened(y_pred, y_true), 2 * (y_pred.ravel() - y_true) / y_pred.size


def half_squares(y, t):
    return np.square(y - t).mean() / 2, (y - t) / y.size


def sums_one_example(y, t):
    return (np.square(y - t).sum() if len(y) == 1 else np.square(y - t).mean()), 2 * (y - t) / y.size


def divergence(p, t):
    return (t * np.log(t / p)).sum() / len(t), -t / p / len(t)


def with_flat_gradient(p, t):
    return binary(p, t), ((p - t) / (p * (1 - p)) / p.size).ravel()


BROADCAST = "(8,) against (8, 1) is broadcast to (8, 8), every output against every target"
ONE = {"outputs": 1}
# What is in the report, and what is not: (loss, claim, options, said, unsaid)
SAID = {
    "None": (lambda y_pred, y_true: None, CE, {}, "loss: it returned None", "explained"),
    "NaN of probabilities": (lambda y_pred, y_true: 0 * np.inf, CE, {}, "only the value was judged", "explained"),
    "NaN of bits": (lambda y_pred, y_true: np.nan, BCE, {}, "only the value was judged", "explained"),
    "outputs lose an axis": (flattened, MSE, ONE, BROADCAST, "columns"),
    "targets lose an axis": (lambda y, t: flattened(t, y), MSE, ONE, BROADCAST, "columns"),
    "and are summed": (lambda y_pred, y_true: flattened(y_pred, y_true) * 8, MSE, ONE, BROADCAST, "columns"),
    "and so is the gradient": (with_gradient_of_all_pairs, MSE, ONE, BROADCAST, "no gradient was given"),
    "bits": (lambda y_pred, y_true: binary(y_pred.ravel(), y_true), BCE, ONE, BROADCAST, "columns"),
    "a flat gradient": (with_flat_gradient, BCE, ONE, "gradient has shape (8,)", "no gradient was given"),
    "one example": (sums_one_example, MSE, {}, "loss on one example", "layout"),
    "NaN of targets": (divergence, "kl_divergence", {}, "a target of 0 gives nan, where 0 log 0 is 0", "explained"),
    "signs alone": (hinge, "hinge", {}, "Keras takes them for -1 and 1, by 2 t - 1", "explained"),
    "bits are signs": (hinge_of_bits, "hinge", {}, "AGREE", "Keras takes them"),
    "columns": (flattened, MSE, ONE | {"layout": "columns"}, "right for columns alone: where an", "explained"),
}


@pytest.mark.parametrize("name", list(SAID))
def test_what_is_said_and_what_not(name):
    loss, claim, options, said, unsaid = SAID[name]
    text = str(check_loss(loss, claim, **options))
    assert said in text and unsaid not in text.replace(said, "")


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", list(WRONG))
def test_wrong_losses_are_refused_with_the_cause(name, seed):
    loss, claim, words = WRONG[name]
    report = check_loss(loss, claim, seed=seed)
    assert not report.passed
    said = "; ".join(report.explanations)
    assert all(each in said for each in words), said
    assert "epsilon" not in said or any("log(p" in each for each in words)
    assert "once more" not in said


@pytest.mark.parametrize("delta", [0.01, 1.0, 5.0])
def test_half_squares_are_no_huber_whatever_its_delta(delta):
    for seed in range(20):
        report = check_loss(half_squares, Huber(delta), seed=seed)
        assert not report.passed
    assert "the square everywhere: there is no line beyond delta" in report.explanations[0]


def test_logits_that_overflow_are_refused():
    naive = Loss(
        lambda z, t: -(t * np.log(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))).sum(axis=1).mean(),
        lambda z, t: (softmax(z) - t) / len(z),
    )
    report = check_loss(naive, CE)
    assert not report.passed
    assert "exp overflows" in report.explanations[0]
    assert "logits of +-1000" in report.tried


def naive_softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def shares_of(z):
    return np.exp(log_softmax(z))


# What gives no number at large logits, and the cause of it
NO_NUMBER = {
    "exp of softmax": (
        Loss(lambda z, t: -(t * np.log(naive_softmax(z))).sum() / len(z), lambda z, t: (shares_of(z) - t) / len(z)),
        CE,
        "exp overflows",
        "softmax",
    ),
    "exp of softmax, in the gradient alone": (
        Loss(lambda z, t: -(t * log_softmax(z)).sum() / len(z), lambda z, t: (naive_softmax(z) - t) / len(z)),
        CE,
        "exp overflows",
        "softmax",
    ),
    "logarithm of a softmax that does not overflow": (
        Loss(lambda z, t: -(t * np.log(shares_of(z))).sum() / len(z), lambda z, t: (shares_of(z) - t) / len(z)),
        CE,
        "rounds to 0",
        "softmax",
    ),
    "logarithm of a sigmoid": (
        Loss(lambda z, t: binary(sigmoid(z), t), lambda z, t: (sigmoid(z) - t) / z.size),
        BCE,
        "rounds to 0 or 1",
        "sigmoid",
    ),
    "exp of softplus": (
        Loss(
            lambda z, t: (np.log(1 + np.exp(z)) - z * t + 0 * np.exp(z)).mean(), lambda z, t: (sigmoid(z) - t) / z.size
        ),
        BCE,
        "exp overflows",
        "sigmoid",
    ),
}


@pytest.mark.parametrize("name", list(NO_NUMBER))
def test_what_gives_no_number_at_large_logits_is_said(name):
    loss, claim, cause, function = NO_NUMBER[name]
    report = check_loss(loss, claim, from_logits=True)
    assert not report.passed
    (said,) = report.explanations
    assert said.startswith(cause) or cause in said.partition(":")[0], said
    assert ("softmax" in said) == (function == "softmax"), said


def test_what_it_raises_is_reported_with_its_line():
    def broken(outputs, targets):
        raise KeyError("lost")

    report = check_loss(broken, MSE)
    assert not report.passed and "raised KeyError in broken, line " in str(report)
    assert str(report).count("raised KeyError") == 1 and "(8 cases)" in str(report)


@pytest.mark.parametrize("claim", [CE, "sparse_categorical_crossentropy", "kl_divergence"])
def test_shares_of_one_output_are_refused(claim):
    with pytest.raises(ValueError, match="outputs must be at least 2 for .*, got 1: a single share is always 1"):
        check_loss(divergence, claim, outputs=1)


def test_what_fits_nothing_gets_glue():
    with pytest.raises(ValueError, match="class Adapter"):
        check_loss(object(), MSE)
