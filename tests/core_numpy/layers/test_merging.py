"""Merges and forks: gradients by differences, against plain sums, and what is kept how long."""

import itertools
from typing import NamedTuple

import numpy as np
import pytest

import model_spec as ms
from core_numpy import NumpyModel
from core_numpy.contract import Context
from core_numpy.layers import build_layer
from core_numpy.network import Network
from model_spec.layers import LAYERS


class Case(NamedTuple):
    layer: ms.LayerSpec
    shapes: tuple


ROW, IMAGE = (5,), (3, 4, 2)
CASES = [
    *(
        Case(kind(), (shape,) * count)
        for kind, shape, count in itertools.product(
            (ms.Add, ms.Multiply, ms.Average, ms.Maximum, ms.Minimum), (ROW, IMAGE), (2, 3, 5)
        )
    ),
    *(
        Case(kind(), shapes)
        for kind in (ms.Multiply, ms.Maximum, ms.Minimum, ms.Subtract)
        for shapes in ((IMAGE, (1, 1, 2)), ((3, 4, 1), IMAGE), ((3, 1, 2), (1, 4, 2)))
    ),
    *(Case(ms.Subtract(), (shape,) * 2) for shape in (ROW, IMAGE)),
    Case(ms.Concatenate(), ((5,), (2,), (1,))),
    *(
        Case(ms.Concatenate(axis), (IMAGE, (*IMAGE[:at], 5, *IMAGE[at + 1 :])))
        for axis, at in ((1, 0), (2, 1), (3, 2), (-1, 2), (-3, 0))
    ),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.layer.describe()}-{case.shapes}")


def built(case, dtype="float64", seed=0):
    random = np.random.default_rng(seed)
    layer = build_layer(case.layer)
    # Evenly spaced in random order: no two values tie
    sizes = [3 * int(np.prod(shape)) for shape in case.shapes]
    values = np.split(random.permutation(np.linspace(-2, 2.1, sum(sizes))), np.cumsum(sizes)[:-1])
    x = tuple(part.reshape(3, *shape).astype(dtype) for part, shape in zip(values, case.shapes, strict=True))
    dy = random.normal(size=(3, *case.layer.output_shape(case.shapes))).astype(dtype)
    return layer, x, dy


def run(layer, x, dy):
    y, cache = layer.forward({}, {}, x, Context())
    dx, grads = layer.backward({}, cache, dy)
    assert grads == {}
    return y, dx


@every_case
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shapes_and_dtypes(case, dtype):
    layer, x, dy = built(case, dtype)
    for part in (*x, dy):
        part.flags.writeable = False
    y, dx = run(layer, x, dy)
    assert (y.shape, y.dtype) == (dy.shape, dy.dtype)
    assert [(part.shape, part.dtype) for part in dx] == [(part.shape, part.dtype) for part in x]
    assert layer.backward({}, layer.forward({}, {}, x, Context())[1], dy, need_dx=False) == (None, {})


@every_case
def test_gradients_are_the_derivatives(case):
    layer, x, dy = built(case)
    _, dx = run(layer, x, dy)
    for at, gradient in enumerate(dx):
        direction = np.random.default_rng(at).normal(size=gradient.shape)

        def projected(t, at=at, direction=direction):
            moved = (*x[:at], x[at] + t * direction, *x[at + 1 :])
            return (dy * layer.forward({}, {}, moved, Context())[0]).sum()

        measured = (projected(1e-6) - projected(-1e-6)) / 2e-6
        assert abs(measured - (gradient * direction).sum()) <= 1e-7 * (np.abs(gradient * direction).sum() + 1e-2)


def test_every_merge_is_in_the_table():
    assert {type(case.layer) for case in CASES} == {kind for kind in LAYERS.values() if kind.merges}


GRAPH = ms.ModelSpec(
    "graph",
    (4, 4, 2),
    (
        ms.Conv2D(3, 3, padding="same", activation="tanh", name="stem"),
        ms.Conv2D(3, 1, name="side", inputs="input"),
        ms.Add(inputs=("stem", "side", "stem"), name="sum"),
        ms.BatchNormalization(name="norm"),
        ms.Multiply(inputs=("sum", "norm"), name="gate"),
        ms.Concatenate(inputs=("gate", "input", "side"), name="all"),
        ms.Flatten(),
        ms.Dense(3, activation="softmax"),
    ),
)


@pytest.mark.parametrize("training", [False, True])
def test_gradients_of_forks_are_added(training):
    """Values that are read twice and three times, and one that is read twice by one layer."""
    random = np.random.default_rng(2)
    network = Network.of(GRAPH)
    params, state = network.build(3, np.dtype("float64"))
    x, dy = random.normal(size=(3, 4, 4, 2)), random.normal(size=(3, 3))
    found = network.backward(params, network.forward(params, state, x, training), dy)
    direction = random.normal(size=x.shape)

    def projected(t):
        return (dy * network.forward(params, state, x + t * direction, training).output).sum()

    measured = (projected(1e-6) - projected(-1e-6)) / 2e-6
    np.testing.assert_allclose(measured, (found.values[0] * direction).sum(), rtol=1e-6)
    for layer, variable in (("stem", "kernel"), ("side", "bias"), ("norm", "gamma")):
        gradient = found.parameters[layer][variable]
        direction = random.normal(size=gradient.shape)

        def moved(t, layer=layer, variable=variable, direction=direction):
            own = {**params[layer], variable: params[layer][variable] + t * direction}
            return (dy * network.forward({**params, layer: own}, state, x, training).output).sum()

        measured = (moved(1e-6) - moved(-1e-6)) / 2e-6
        np.testing.assert_allclose(measured, (gradient * direction).sum(), rtol=1e-6, atol=1e-9)


def test_inference_keeps_no_value_longer_than_its_last_reader():
    model = NumpyModel(GRAPH, dtype="float64", engine="reference")
    x = np.random.default_rng(0).normal(size=(5, 4, 4, 2))
    np.testing.assert_array_equal(model.predict(x), model.activations(x)["dense"])
    # x, stem's convolution and tanh, side, sum, norm, gate, all, flatten, dense and its softmax
    assert model.network.readers == [[0, 2, 6], [1], [3], [3, 6], [4, 5], [5], [6], [7], [8], [9], []]


def test_frozen_layers_in_a_branch_are_left_out():
    frozen = GRAPH.freeze("side", "norm")
    network = Network.of(frozen)
    params, state = network.build(3, np.dtype("float64"))
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 2))
    dy = np.ones((2, 3)) * [1, 2, 3]
    whole = network.backward(params, network.forward(params, state, x), dy)
    alone = network.backward(params, network.forward(params, state, x), dy, need_dx=False)
    assert set(whole.parameters) == set(alone.parameters) == {"stem", "dense"}
    np.testing.assert_array_equal(whole.parameters["stem"]["kernel"], alone.parameters["stem"]["kernel"])
    assert alone.values[0] is None
