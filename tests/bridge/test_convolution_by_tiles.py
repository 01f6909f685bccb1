"""The bound of gradients by Winograd's tiles: it holds what tiles leave, is needed for it, and stays narrow."""

import numpy as np
import pytest

import bridge
import model_spec as ms
from bridge.judge.bounds import RoundingModel
from bridge.judge.layers.convolution_by_tiles import goes_by_tiles
from bridge.judge.rounding import SAFETY
from bridge.judge.truth import as_float64, truth_of
from core_numpy import NumpyModel
from core_numpy.engine import winograd
from core_numpy.engine.layout import Layout
from core_numpy.engine.plan import Plan
from core_numpy.network import Network

CONVOLUTIONS = {
    "F(4, 3)": ms.ModelSpec("net", (12, 14, 16), (ms.Conv2D(32, 3, name="conv"),)),
    "F(2, 3)": ms.ModelSpec("net", (9, 10, 24), (ms.Conv2D(32, 3, padding="same", name="conv"),)),
}


def errors(spec, x, cotangent, by_tiles, dtype="float32"):
    """Largest error over bound of dx and of the kernel's gradient, of the fast tier against the float64 truth."""
    model = NumpyModel(spec, 1, dtype, engine="fast")
    model.set_weights(bridge.random_weights(spec, 2))
    x, cotangent = x.astype(dtype), cotangent.astype(dtype)
    found = model.pullback(x, cotangent)
    truth = RoundingModel(
        Network.of(spec), *as_float64(spec, model.weights), dtype, x.astype(np.float64), by_tiles=by_tiles
    )
    expected = truth.pullback(cotangent.astype(np.float64))
    pairs = {
        "x": (found.inputs, expected.inputs),
        "kernel": (found.parameters["conv/kernel"], expected.parameters["conv/kernel"]),
        "bias": (found.parameters["conv/bias"], expected.parameters["conv/bias"]),
    }
    return {
        name: float((np.abs(value - of.value) / (SAFETY * np.sqrt(of.variance))).max())
        for name, (value, of) in pairs.items()
    }


def inputs(spec, seed, sparse):
    random = np.random.default_rng(seed)
    x, cotangent = random.random((40, *spec.input_shape)), random.normal(size=(40, *spec.output_shape))
    if sparse:
        # Tiles that are zero but for one column: the direct dx beside it is exactly zero
        x[:, :, 1::3] = 0
        cotangent[:, :, 1:] = 0
    return x, cotangent


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("spec", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_what_tiles_leave_is_within_the_bound(spec, dtype, sparse):
    worst = [errors(spec, *inputs(spec, seed, sparse), True, dtype) for seed in range(3)]
    assert max(max(of.values()) for of in worst) <= 1
    # Narrow: a bound a hundred times too wide would not be one
    assert min(of["x"] for of in worst) > 0.02


def test_the_bound_of_direct_gradients_does_not_hold_it():
    spec = CONVOLUTIONS["F(4, 3)"]
    assert errors(spec, *inputs(spec, 0, sparse=True), by_tiles=False)["x"] > 1


def prediction_error(spec, x, by_tiles, dtype="float32"):
    """Largest error over bound of what the fast tier predicts."""
    model = NumpyModel(spec, 1, dtype, engine="fast")
    model.set_weights(bridge.random_weights(spec, 2))
    x = x.astype(dtype)
    expected = truth_of(model, x, training=False, by_tiles=by_tiles).forward()["conv"]
    return float((np.abs(model.predict(x) - expected.value) / (SAFETY * np.sqrt(expected.variance))).max())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("spec", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_predictions_are_within_the_bound(spec, dtype):
    sparse = np.zeros((40, *spec.input_shape))
    sparse[:, :, ::5] = np.random.default_rng(0).normal(size=sparse[:, :, ::5].shape)
    found = [prediction_error(spec, inputs(spec, seed, False)[0], True, dtype) for seed in range(3)]
    assert 0.02 < max(found) <= 1
    assert prediction_error(spec, sparse, True, dtype) <= 1


def test_the_bound_of_direct_predictions_does_not_hold_them():
    spec = CONVOLUTIONS["F(4, 3)"]
    sparse = np.zeros((40, *spec.input_shape))
    sparse[:, :, ::7] = np.random.default_rng(0).normal(size=sparse[:, :, ::7].shape)
    assert prediction_error(spec, sparse, by_tiles=False) > 1
    assert prediction_error(spec, sparse, by_tiles=True) <= 1


def test_which_networks_go_by_tiles():
    assert goes_by_tiles(Network.of(CONVOLUTIONS["F(4, 3)"]))
    assert not goes_by_tiles(Network.of(ms.zoo.cnn()))


def test_a_comparison_on_the_fast_path_knows_the_tiles():
    spec = ms.ModelSpec(
        "net",
        (10, 10, 1),
        (ms.Conv2D(16, 3, activation="relu"), ms.Conv2D(32, 3, activation="relu"), ms.MaxPooling2D(2), ms.Flatten())
        + (ms.Dense(3, activation="softmax"),),
    )
    x, y = np.random.default_rng(0).random((12, 10, 10, 1)), np.arange(12) % 3
    x[:, :4] = 0
    report = bridge.compare(spec, x, y, paths="fast")
    assert report.passed, str(report)


def test_a_wrong_tile_is_caught(monkeypatch):
    wrong = winograd.TILE_OF_4.output.copy()
    wrong[3, 2] = 4 * (1 + 1e-5)
    spec = CONVOLUTIONS["F(4, 3)"]
    monkeypatch.setattr(winograd, "TILE_OF_4", winograd.TILE_OF_4._replace(output=wrong))
    found = errors(spec, *inputs(spec, 0, sparse=False), by_tiles=False)
    assert found["x"] > 1
    assert found["kernel"] > 1


@pytest.mark.parametrize("columns", range(12, 18))
@pytest.mark.parametrize("pooling", [None, 2, 3, (2, 4)], ids=str)
def test_the_judge_knows_which_convolutions_the_engine_computes_by_tiles(columns, pooling):
    behind = () if pooling is None else (ms.MaxPooling2D(pooling),)
    layers = (ms.Conv2D(32, 3, activation="relu"), *behind, ms.Flatten(), ms.Dense(3))
    network = Network.of(ms.ModelSpec("net", (11, columns + 2, 16), layers))
    blocks = Plan(network, Layout(batch_last=True), 4, np.dtype("float32"), training=True).blocks
    by_tiles = any(isinstance(block, winograd.WinogradConvolution) for block in blocks)
    assert by_tiles == goes_by_tiles(network) == (columns % 2 == 0)
