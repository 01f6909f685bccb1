"""Gradients of convolutions by Winograd's tiles: the tiles themselves, and whole networks beside the reference."""

import numpy as np
import pytest

import model_spec as ms
from core_numpy import NumpyModel
from core_numpy.engine import winograd
from core_numpy.engine.layout import Layout
from core_numpy.engine.plan import Plan
from core_numpy.network import Network
from core_numpy.ops.windows import Windows

TILES = [winograd.TILE_OF_2, winograd.TILE_OF_4]


@pytest.mark.parametrize("tile", TILES, ids=lambda tile: f"F({tile.outputs}, 3)")
def test_a_tile_gives_the_outputs_of_the_filter(tile):
    random = np.random.default_rng(0)
    d, g = random.normal(size=tile.points), random.normal(size=winograd.TAPS)
    y = tile.output.T @ ((tile.kernel @ g) * (tile.image @ d))
    np.testing.assert_allclose(y, np.correlate(d, g, "valid"), rtol=1e-13)
    assert (tile.output[1] == 1).all()  # the bias' gradient is read there


@pytest.mark.parametrize(
    "columns, channels, filters, outputs",
    [(24, 16, 32, 4), (10, 32, 64, 2), (10, 16, 16, None), (24, 8, 32, None), (24, 16, 8, None), (13, 32, 32, None)],
)
def test_the_shapes_choose_the_tile(columns, channels, filters, outputs):
    tile = winograd.tile_for(Windows((9, columns + 2), (3, 3)), channels, filters)
    assert (tile and tile.outputs) == outputs


@pytest.mark.parametrize(
    "options", [{"window": (3, 5)}, {"strides": (1, 2)}, {"strides": (2, 1)}, {"dilation": (2, 1)}]
)
def test_other_windows_go_directly(options):
    assert winograd.tile_for(Windows(**{"image": (20, 26), "window": (3, 3), **options}), 32, 32) is None


# (height, width) in front of the convolution, kernel, padding, pooling behind it
LAYERS = [
    ((14, 14), 3, "valid", 2),
    ((14, 16), 3, "same", None),
    ((12, 12), (2, 3), "valid", 2),
    ((12, 12), (1, 3), "valid", None),
    ((17, 20), (5, 3), "valid", 3),  # rows are left that no window of the pooling takes
    ((17, 18), (5, 3), "valid", 3),  # and a column
    ((11, 14), 3, "same", 2),
    ((11, 14), 3, "valid", (2, 4)),
]


def network(size, kernel, padding, pooling, act="relu", **options):
    pool = () if pooling is None else (ms.MaxPooling2D(pooling),)
    tiled = ms.Conv2D(32, kernel, padding=padding, activation=act, **options)
    return ms.ModelSpec(
        "net", (*size, 2), (ms.Conv2D(16, 1, activation="tanh"), tiled, *pool, ms.Flatten(), ms.Dense(3))
    )


def both(spec, x, cotangent, dtype="float64"):
    found = []
    for engine in ("fast", "reference"):
        model = NumpyModel(spec, 1, dtype, engine=engine)
        result = model.pullback(x.astype(dtype), cotangent.astype(dtype))
        found.append({**result.parameters, "x": result.inputs})
    return zip(*(of.items() for of in found), strict=True)


@pytest.mark.parametrize("examples", [1, 70])
@pytest.mark.parametrize("options", [{}, {"use_bias": False}, {"trainable": False}, {"activation": "elu"}], ids=str)
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_the_gradients_are_those_of_the_reference(layer, options, examples):
    options = dict(options)
    spec = network(*layer, options.pop("activation", "relu"), **options)
    assert any(isinstance(block, winograd.WinogradConvolution) for block in plan_of(spec).blocks)
    random = np.random.default_rng(0)
    x = random.normal(size=(examples, *spec.input_shape))
    for (name, ours), (_, theirs) in both(spec, x, random.normal(size=(examples, 3))):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13 * np.abs(theirs).max(), err_msg=name)


def plan_of(spec, training=True):
    return Plan(Network.of(spec), Layout(True), 4, np.dtype("f8"), training)


@pytest.mark.parametrize("image", [0.0, 0.5], ids=["zeros", "constant"])
def test_ties_and_zeros_are_treated_as_by_the_reference(image):
    """Forward is direct: no relu opens and no pooling picks another cell because of a tile's rounding."""
    spec = network((14, 14), 3, "valid", 2)
    x = np.full((70, *spec.input_shape), image)
    x[:5, 3:7, 3:7] = 1
    cotangent = np.random.default_rng(0).normal(size=(70, 3))
    for (name, ours), (_, theirs) in both(spec, x, cotangent):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13 * np.abs(theirs).max(), err_msg=name)


@pytest.mark.parametrize("examples", [5, 70])
@pytest.mark.parametrize("options", [{}, {"use_bias": False}], ids=str)
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_predictions_are_those_of_the_reference(layer, options, examples):
    spec = network(*layer, **options)
    assert any(isinstance(block, winograd.WinogradConvolution) for block in plan_of(spec, training=False).blocks)
    x = np.random.default_rng(0).normal(size=(examples, *spec.input_shape))
    weights = NumpyModel(spec, 1, "float64").weights
    weights = {name: value + 0.1 * (name.endswith("bias")) for name, value in weights.items()}
    ours, theirs = (
        NumpyModel(spec, dtype="float64", engine=engine, weights=weights).predict(x) for engine in ("fast", "reference")
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13 * np.abs(theirs).max())


def test_convolutions_behind_each_other_keep_their_borders():
    same = [ms.Conv2D(16, 3, padding="same", activation="relu") for _ in range(3)]
    spec = ms.ModelSpec("net", (8, 8, 16), (*same, ms.GlobalAveragePooling2D(), ms.Dense(3)))
    x = np.random.default_rng(0).normal(size=(70, *spec.input_shape))
    ours, theirs = (NumpyModel(spec, 1, "float64", engine=engine).predict(x) for engine in ("fast", "reference"))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13 * np.abs(theirs).max())


def test_gradients_are_forgotten_between_batches():
    spec = network((14, 14), 3, "valid", 2)
    random = np.random.default_rng(0)
    model = NumpyModel(spec, 1, engine="fast")
    batches = [(random.random((9, *spec.input_shape), np.float32), random.random((9, 3), np.float32)) for _ in range(2)]
    first, _, again = (model.pullback(*batch) for batch in (*batches, batches[0]))
    for name, value in first.parameters.items():
        np.testing.assert_array_equal(again.parameters[name], value, err_msg=name)
