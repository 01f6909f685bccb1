"""Both backends have every method of the interface, with the same arguments and defaults."""

import inspect

import pytest

from core_numpy import NumpyModel
from keras_models import KerasModel
from model_spec import zoo
from model_spec.protocol import Differentiates, HoldsWeights, Model, Predicts, PullsBack, ShowsValues, Trains, offers

METHODS = sorted(
    {name for kind in Model.__mro__ for name, value in vars(kind).items() if inspect.isfunction(value)}
    - {name for name in dir(object)}
    - {"_no_init_or_replace_init", "__subclasshook__", "_proto_hook"}
)


def arguments(method):
    return [(each.name, each.kind, each.default) for each in inspect.signature(method).parameters.values()]


def test_the_interface_is_not_empty():
    assert {"predict", "activations", "pullback", "fit", "train_on_batch", "save_weights"} <= set(METHODS)


@pytest.mark.parametrize("backend", [NumpyModel, KerasModel])
@pytest.mark.parametrize("name", [name for name in METHODS if not name.startswith("_")])
def test_arguments_and_defaults_are_those_of_the_interface(backend, name):
    assert arguments(getattr(backend, name)) == arguments(getattr(Model, name))


@pytest.mark.parametrize("backend", [NumpyModel, KerasModel])
def test_both_backends_offer_all(backend):
    model = backend(zoo.mlp((4, 4, 1), 3))
    for interface in (Predicts, HoldsWeights, ShowsValues, Differentiates, PullsBack, Trains):
        assert offers(model, interface)


def test_what_is_forwarded_counts():
    class Forwarding:
        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

    assert offers(Forwarding(NumpyModel(zoo.mlp((4, 4, 1), 3))), Differentiates)
    assert not offers(object(), Predicts)
