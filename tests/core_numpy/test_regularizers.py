"""Penalties: values by hand, gradients by central differences, and which parameters have one."""

from dataclasses import dataclass

import numpy as np
import pytest

import model_spec as ms
from core_numpy import NumpyModel
from core_numpy.regularizers import penalty, regularized_parameters
from model_spec.regularizers import L1, L1L2, L2

W = np.array([[1.0, -2.0], [0.5, 3.0]])


@pytest.mark.parametrize(
    ("rule", "cost", "gradient"),
    [
        (L1(0.1), 0.65, [[0.1, -0.1], [0.1, 0.1]]),
        (L2(0.1), 1.425, [[0.2, -0.4], [0.1, 0.6]]),
        (L1L2(0.1, 0.2), 0.65 + 2.85, [[0.5, -0.9], [0.3, 1.3]]),
    ],
    ids=str,
)
def test_by_hand(rule, cost, gradient):
    found, derivative = penalty(rule, W)
    assert found == pytest.approx(cost, rel=1e-14)
    np.testing.assert_allclose(derivative, gradient, rtol=1e-14)
    h = 1e-6
    direction = np.random.default_rng(0).normal(size=W.shape)
    ends = [penalty(rule, W + sign * h * direction)[0] for sign in (1, -1)]
    assert (derivative * direction).sum() == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-8)
    assert penalty(rule, W.astype(np.float32))[1].dtype == np.float32


def test_which_parameters_have_one():
    layers = (
        ms.Dense(2, kernel_regularizer="l1", bias_regularizer=L2(0.3)),
        ms.Dense(2, use_bias=False, bias_regularizer="l2"),
        ms.Dense(2, kernel_regularizer="l2", trainable=False),
        ms.Flatten(),
    )
    spec = ms.ModelSpec("penalised", (2,), layers)
    # Neither a bias that is not there nor a frozen layer adds a penalty.
    assert regularized_parameters(spec) == {"dense/kernel": L1(0.01), "dense/bias": L2(0.3)}


def test_parameters_of_any_name_have_one():
    """A penalty on a parameter that is neither a kernel nor a bias was once left out without a word."""

    @dataclass(frozen=True)
    class Scaled(ms.LayerSpec):
        factor_regularizer: object = None

        def parameter_shapes(self, input_shape):
            return {"factor": input_shape}

    layers = (ms.PReLU(alpha_regularizer="l1"), Scaled(L2(0.5)), Scaled())
    assert regularized_parameters(ms.ModelSpec("penalised", (2,), layers)) == {
        "p_re_lu/alpha": L1(0.01),
        "scaled/factor": L2(0.5),
    }


def test_penalties_are_part_of_loss_and_evaluation():
    layers = (ms.Dense(2, activation="softmax", kernel_regularizer=L2(0.1)),)
    model = NumpyModel(ms.ModelSpec("penalised", (2,), layers), dtype="float64")
    plain = NumpyModel(ms.ModelSpec("plain", (2,), (ms.Dense(2, activation="softmax"),)), dtype="float64")
    for each in (model, plain):
        each.set_weights([W, np.zeros(2)])
    x, y = np.array([[0.5, 1.0], [2.0, -1.0]]), np.array([0, 1])
    for figure in (lambda m: m.loss_and_gradients(x, y).loss, lambda m: m.evaluate(x, y)["loss"]):
        assert figure(model) == pytest.approx(figure(plain) + 1.425, rel=1e-13)
    difference = (
        model.loss_and_gradients(x, y).parameters["dense/kernel"]
        - plain.loss_and_gradients(x, y).parameters["dense/kernel"]
    )
    np.testing.assert_allclose(difference, 0.2 * W, rtol=1e-12)
