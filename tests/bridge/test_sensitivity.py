"""The smallest fault that is reported as caught is caught, and a little less is not."""

import json

import numpy as np
import pytest

import bridge
from bridge.judge.sensitivity import _smallest_caught
from bridge.judge.tensor import Place, judge
from bridge.judge.truth import true_loss_gradients, truth_of
from core_numpy import NumpyModel
from keras_models import KerasModel
from model_spec import losses, zoo

SPEC = zoo.mlp((4, 4, 1))
X = np.random.default_rng(0).standard_normal((6, 4, 4, 1)).astype(np.float32)
Y = np.arange(6) % 10


@pytest.fixture(scope="module", params=["float32", "float64"])
def found(request):
    return request.param, bridge.sensitivities(SPEC, X, Y, 5, request.param)


def test_smallest_faults_are_of_the_size_of_rounding(found):
    dtype, sensitivities = found
    least, most = {"float32": (1e-8, 1e-3), "float64": (0, 1e-11)}[dtype]
    assert {one.tensor: one.entries for one in sensitivities} == {
        name: int(np.prod(shape)) for name, shape in SPEC.parameter_shapes.items()
    }
    for one in sensitivities:
        assert one.dtype == dtype
        assert least < one.largest_entry < most
        assert least < one.median_entry < most
    assert json.loads(json.dumps([one.to_dict() for one in sensitivities]))[0]["tensor"] == "dense/kernel"


def test_planted_in_the_largest_entry_it_is_caught_and_less_is_not(found):
    dtype, sensitivities = found
    ours, theirs = (kind(SPEC, 5, dtype, dropout_seed=5) for kind in (NumpyModel, KerasModel))
    ours.set_weights(bridge.random_weights(SPEC, 5))
    bridge.copy_weights(ours, theirs)
    x = X.astype(dtype)
    right, reference = (side.loss_and_gradients(x, Y, training=True).parameters for side in (ours, theirs))
    expected = true_loss_gradients(truth_of(ours, x, training=True), Y, losses.get(None)).parameters
    place = Place(dtype, "training", "eager", "loss gradient")
    # A fault of a few units in the last place of a float64 is itself rounded when it is planted
    share = 0.1 if dtype == "float32" else 0.5
    for one in sensitivities:
        at = np.unravel_index(np.argmax(np.abs(right[one.tensor])), right[one.tensor].shape)
        verdicts = []
        for factor in (1 - share, 1 + share):
            changed = right[one.tensor].astype(np.float64)
            changed[at] *= 1 + factor * one.largest_entry
            tensors = (changed, reference[one.tensor], expected[one.tensor])
            verdicts.append(judge(*tensors, place, one.tensor, one.tensor).agrees)
        assert verdicts == [True, False], one


def test_what_no_fault_makes_fail_is_infinite():
    """A tolerance without end would catch nothing, whatever is planted."""
    one = np.ones(2)
    blind = bridge.judge.bounds.Expected(one, np.full(2, np.inf), np.zeros(2))
    assert _smallest_caught(one, one, blind, 0, "float64", "t") == float("inf")


def test_a_gradient_that_is_zero_everywhere_is_refused():
    with pytest.raises(ValueError, match="the gradient of dense/kernel is zero everywhere, so no relative fault"):
        bridge.sensitivities(SPEC, np.zeros_like(X), Y)
