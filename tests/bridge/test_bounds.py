"""The rounding model predicts the float32 error it is meant to predict: not too tight, not too loose."""

import numpy as np
import pytest

import bridge
from bridge.judge.bounds import SAFETY, RoundingModel
from bridge.judge.rounding import PRODUCT_BLOCK, Rounding
from bridge.judge.truth import as_float64
from core_numpy import NumpyModel
from core_numpy.network import Network
from model_spec import BatchNormalization, Conv2D, Dense, Flatten, ModelSpec, zoo

DEEP = ModelSpec(
    "deep",
    (8, 8, 1),
    (
        Conv2D(6, 3, activation="tanh"),
        BatchNormalization(),
        Conv2D(6, 3, activation="elu"),
        Flatten(),
        *[Dense(32, activation="softplus") for _ in range(4)],
        Dense(10, activation="softmax"),
    ),
)


@pytest.mark.parametrize("spec", [zoo.mlp((8, 8, 1)), zoo.lenet((8, 8, 1)), DEEP], ids=lambda spec: spec.name)
def test_forward_error_lies_within_the_bound_and_near_it(spec, digits):
    x = digits[0]
    model = NumpyModel(spec)
    model.set_weights(bridge.random_weights(spec, 2))
    found = model.activations(x, preactivations=True)
    predicted = RoundingModel(Network.of(spec), *as_float64(spec, model.weights), "float32", x.astype(np.float64))
    for name, tensor in predicted.forward().items():
        error = np.abs(found[name] - tensor.value)
        deviation = np.sqrt(tensor.variance)
        assert np.all(error <= SAFETY * deviation + 1e-37), name
        if error.any():
            rms = np.sqrt(np.mean(np.square(error))) / np.sqrt(np.mean(tensor.variance))
            assert 0.02 < rms < 8, (name, rms)


def test_variance_of_a_sum_grows_with_its_length_up_to_a_block():
    rounding = Rounding(2.0**-24)
    ones = np.ones(1)
    assert rounding.sum_of(ones, ones, PRODUCT_BLOCK) > rounding.sum_of(ones, ones, 4)
    assert rounding.sum_of(ones, ones, 4096) == rounding.sum_of(ones, ones, PRODUCT_BLOCK)


def test_float64_variance_is_that_of_float32_times_the_ratio_of_units(digits):
    spec, x = zoo.cnn((8, 8, 1)), digits[0].astype(np.float64)
    weights = as_float64(spec, bridge.random_weights(spec, 0))
    single, double = (
        RoundingModel(Network.of(spec), *weights, dtype, x).forward()["dense"].variance
        for dtype in ("float32", "float64")
    )
    assert np.allclose(single / double, 2.0 ** (2 * 29), rtol=1e-9)
