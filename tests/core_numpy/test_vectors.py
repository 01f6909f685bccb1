"""Arrays are told apart from parts of one vector, and an optimizer's step is the same on both."""

import copy

import numpy as np
import pytest

from core_numpy import NumpyModel
from core_numpy.engine.layout import zeros
from core_numpy.optimizers import OptimizerState
from core_numpy.vectors import LastVector, one_vector, parts_of, vector_of
from model_spec import Adam, Conv2D, Dense, Flatten, MaxPooling2D, ModelSpec, TrainingSpec

SHAPES = {"a": (2, 3), "b": (3,), "c": (1,)}


@pytest.mark.parametrize("vector", [np.zeros(10), zeros((10,), "float32"), np.zeros(12)[1:11]])
def test_parts_lead_back_to_their_vector(vector):
    parts = parts_of(vector, SHAPES)
    found = vector_of(list(parts.values()))
    found[...] = np.arange(10)
    assert vector.tolist() == list(range(10))
    assert [part.tolist() for part in parts.values()] == [[[0, 1, 2], [3, 4, 5]], [6, 7, 8], [9]]


def apart():
    _, parts = one_vector({name: np.ones(shape, np.float32) for name, shape in SHAPES.items()})
    a, b, c = parts.values()
    return {
        "none": [],
        "arrays of their own": [np.ones(2), np.ones(2)],
        "another order": [b, a, c],
        "a gap": [a, c],
        "turned around": [a.T, b, c],
        "another vector": [a, b.copy(), c],
        "another type": [a, b.view(np.int32), c],
        "a part twice": [a, a],
    }


@pytest.mark.parametrize("name", apart())
def test_other_arrays_are_no_vector(name):
    assert vector_of(apart()[name]) is None


def test_the_last_vector_is_looked_up_again_for_other_arrays():
    last = LastVector()
    one, other = ([*one_vector({"a": np.ones(2), "b": np.ones(3)})[1].values()] for _ in range(2))
    assert last.of(one) is last.of(list(one))
    assert np.shares_memory(last.of(other), other[0])
    assert last.of([np.ones(2)]) is None


def test_gradients_of_a_step_are_parts_of_one_vector():
    spec = ModelSpec(
        "frozen and trained",
        (8, 8, 1),
        (
            Conv2D(3, 3, activation="relu"),
            MaxPooling2D(2),
            Flatten(),
            Dense(5, trainable=False),
            Dense(4, use_bias=False),
            Dense(3, activation="softmax"),
        ),
    )
    model = NumpyModel(spec, engine="fast")
    model.start_training(TrainingSpec(optimizer="adam"))
    taken = []
    step = OptimizerState.step

    def remembered(self, parameters, gradients):
        taken.append(vector_of(list(gradients.values())))
        step(self, parameters, gradients)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OptimizerState, "step", remembered)
        model.train_on_batch(np.ones((6, 8, 8, 1)), np.arange(6) % 3)
    assert taken[0].size == sum(np.prod(spec.parameter_shapes[name]) for name in spec.trainable_parameters)


def test_a_step_is_the_same_on_a_vector_on_arrays_and_in_a_copy():
    random = np.random.default_rng(0)
    start = {name: random.standard_normal(shape) for name, shape in SHAPES.items()}
    gradients = [{name: random.standard_normal(shape) for name, shape in SHAPES.items()} for _ in range(3)]
    ends = []
    for joins, copies in ((True, False), (False, False), (True, True)):
        parameters = one_vector(start)[1] if joins else {name: value.copy() for name, value in start.items()}
        optimizer = OptimizerState.start(Adam(), parameters)
        for own in gradients:
            optimizer.step(parameters, one_vector(own)[1] if joins else own)
            if copies:
                optimizer = copy.deepcopy(optimizer)
        ends.append(np.concatenate([value.reshape(-1) for value in parameters.values()]))
    assert ends[0].tobytes() == ends[1].tobytes() == ends[2].tobytes()
