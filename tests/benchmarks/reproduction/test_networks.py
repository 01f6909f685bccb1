"""The courses' networks in short: every layer with its numbers."""

import math

import numpy as np
import pytest

from benchmarks.reproduction import cells
from benchmarks.reproduction.networks import network
from benchmarks.reproduction.slices import DataSlice, Draw
from model_spec import layers
from model_spec.initializers import GlorotUniform, RandomNormal
from model_spec.regularizers import L2


def test_a_stack_with_everything():
    spec = network(
        "all",
        {
            "dense": [5, 4],
            "weights": 0.01,
            "batch_normalization": {"center": False, "scale": False},
            "dropout": 0.15,
            "dropouts": 1,
            "uninverted": True,
            "penalty": 0.1,
            "penalties": 2,
        },
    )
    kinds = [type(layer).__name__ for layer in spec.layers]
    assert kinds == [
        *("Flatten", "Dense", "BatchNormalization", "Activation", "Dropout", "Rescaling"),
        *("Dense", "BatchNormalization", "Activation", "Dense"),
    ]
    first, second, last = (layer for layer in spec.layers if isinstance(layer, layers.Dense))
    # The courses' 0.5 * 0.1 * sum(W**2) is Keras' L2(0.05)
    assert (first.kernel_regularizer, second.kernel_regularizer, last.kernel_regularizer) == (L2(0.05), L2(0.05), None)
    assert {layer.kernel_initializer for layer in (first, second, last)} == {RandomNormal(0.0, 0.01)}
    assert (first.activation, last.activation, last.units) == ("linear", "softmax", 10)
    assert spec.layers[5].scale == 0.85


def test_first_weights_of_the_textbooks():
    spec = network("he", {"dense": [50], "weights": "he"})
    deviations = [layer.kernel_initializer.stddev for layer in spec.layers[1:]]
    assert deviations == [math.sqrt(2 / 784), math.sqrt(2 / 50)]
    spec = network("xavier", {"dense": [50], "weights": "xavier", "activation": "tanh"})
    assert [layer.kernel_initializer.stddev for layer in spec.layers[1:]] == [math.sqrt(1 / 784), math.sqrt(1 / 50)]
    assert network("plain", {"dense": [50]}).layers[1].kernel_initializer == GlorotUniform()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_backends_start_from_the_same_bits(dtype):
    spec = network("he", {"dense": [50], "weights": "he"})
    ours, theirs = (cells.Builder(backend, 3, 1, dtype)(spec) for backend in cells.BACKENDS)
    for name, value in ours.weights.items():
        np.testing.assert_array_equal(value, theirs.weights[name])


def test_the_printed_penalty_is_of_the_first_kernels():
    model = cells.Builder("numpy", 0, 1, "float64")(network("small", {"dense": [2], "input_shape": [3], "classes": 2}))
    model.set_weights([np.full((3, 2), 2.0), np.ones(2), np.full((2, 2), 3.0), np.ones(2)])
    # Six times 4, and four times 9
    assert cells._penalty(model, strength=0.1, layers=1) == pytest.approx(0.05 * 24)
    assert cells._penalty(model, strength=0.1, layers=2) == pytest.approx(0.05 * 60)


def test_drawn_rows_for_validation_come_from_behind_the_pool():
    whole = DataSlice("digits").parts(0)["train"][0]
    drawn = DataSlice("digits", draw=Draw(1000, 200, 200)).parts(0)
    before = {image.tobytes() for image in whole[:1000]}
    behind = {image.tobytes() for image in whole[1000:]}
    assert {image.tobytes() for image in drawn["train"][0]} <= before
    found = {image.tobytes() for image in drawn["validation"][0]}
    assert found <= behind
    assert 100 < len(found) < 200
