"""NaN and infinity among the inputs are refused by the engine, wherever they stand, and nothing else is."""

import numpy as np
import pytest

from core_numpy import NumpyModel
from core_numpy.engine.chunks import ROWS_AT_ONCE
from core_numpy.engine.steps import first_product
from core_numpy.network import Network
from model_spec import Conv2D, Dense, Flatten, ModelSpec, Rescaling

NETWORKS = {
    "vectors": ModelSpec("vectors", (7,), (Dense(1, activation="relu"), Dense(3, activation="softmax"))),
    "images": ModelSpec("images", (4, 5, 2), (Flatten(), Dense(6, activation="sigmoid"), Dense(3))),
    "wide": ModelSpec("wide", (784,), (Dense(100, activation="relu"), Dense(10, activation="softmax"))),
}
OTHERS = {
    "convolution": ModelSpec("convolution", (4, 4, 1), (Conv2D(2, 2), Flatten(), Dense(3))),
    "rows of vectors": ModelSpec("rows_of_vectors", (4, 3), (Dense(2), Flatten(), Dense(3))),
    "rescaled": ModelSpec("rescaled", (6,), (Rescaling(2.0), Dense(3))),
    "cast": ModelSpec("cast", (6,), (Dense(3),), input_dtype="float16"),
}
PLACES = ((1, 0), (5, 4), (9, 0), (ROWS_AT_ONCE + 1, ROWS_AT_ONCE), (2 * ROWS_AT_ONCE, 700))
"""(examples, the one with the bad number)"""


def _inputs(spec: ModelSpec, examples: int, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(examples).normal(size=(examples, *spec.input_shape)).astype(dtype)


@pytest.mark.parametrize("spec", [*NETWORKS.values(), *OTHERS.values()], ids=lambda spec: spec.name)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("examples", "row"), PLACES)
def test_refused_with_its_place(spec: ModelSpec, bad: float, examples: int, row: int) -> None:
    model = NumpyModel(spec, seed=1)
    # Kernels of zeros are the hardest: only the number itself makes their sums anything but zero
    model.set_weights({name: np.zeros_like(value) for name, value in model.weights.items()})
    x = _inputs(spec, examples)
    x.reshape(examples, -1)[row, -1] = bad
    with pytest.raises(ValueError, match=rf"x contains {'NaN' if bad != bad else 'Inf'}: 1 of .* first at \[{row}, "):
        model.predict(x)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_refused_step_changes_nothing(name: str, dtype: str) -> None:
    spec = NETWORKS[name]
    model = NumpyModel(spec, seed=1, dtype=dtype)
    model.start_training(None)
    x, y = _inputs(spec, 50, dtype), np.arange(50) % 3
    model.train_on_batch(x, y)
    before, steps = model.weights, model.training_state()
    bad = x.copy()
    bad[31] = np.inf
    with pytest.raises(ValueError, match=r"x contains Inf: .* first at \[31, "):
        model.train_on_batch(bad, y)
    for now, then in ((model.weights, before), (model.training_state(), steps)):
        for variable, value in then.items():
            np.testing.assert_array_equal(now[variable], value)


def test_what_only_the_weights_make_infinite_is_computed_with_the_warnings_asked_for() -> None:
    spec = NETWORKS["wide"]
    model, reference = (NumpyModel(spec, seed=1, engine=engine) for engine in ("fast", "reference"))
    kernel = np.full((784, 100), np.inf, np.float32)
    for one in (model, reference):
        # As a training that diverges leaves it
        one.replace_variables({"dense/kernel": kernel})
    x = np.zeros((20, 784), np.float32)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(np.isnan(model.predict(x)), np.isnan(reference.predict(x)))
    said: tuple[list[str], list[str]] = [], []
    for words, compute in zip(said, (lambda: x.dot(kernel), lambda: model.predict(x)), strict=True):
        with np.errstate(invalid="call", call=lambda what, flag, words=words: words.append(what)):
            compute()
    assert said[0] == said[1][: len(said[0])]


@pytest.mark.parametrize("name", [*NETWORKS, *OTHERS])
def test_the_engine_is_trusted_where_its_first_product_reads_all_rows(name: str) -> None:
    spec = (NETWORKS | OTHERS)[name]
    at = first_product(Network.of(spec).steps, spec.input_shapes)
    assert at == {"vectors": 0, "images": 1, "wide": 0, "cast": 0}.get(name)
