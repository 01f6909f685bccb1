"""Every planted fault is caught, and the right layer is blamed."""

import pytest

import bridge
from bridge.faults import FAULTS, find
from core_numpy import NumpyModel
from model_spec import zoo

NETWORKS = {"sigmoid-backward-forgets-factor": "mlp"}


@pytest.mark.parametrize("name", list(FAULTS))
def test_fault_is_caught_and_placed(name, digits):
    spec = zoo.build(NETWORKS.get(name, "lenet"), (8, 8, 1))
    blamed = find(name).plant(NumpyModel(spec))
    report = bridge.compare(spec, *digits, fault=name)
    assert not report.passed
    assert report.first_divergence.layer == blamed
    if "training only" in FAULTS[name].shows:
        assert {row.mode for row in report.failures} == {"training"}
    if "only in a bias" in FAULTS[name].shows and "backward" in FAULTS[name].shows:
        assert {row.tensor for row in report.failures} == {f"gradient of {blamed}/bias"}


def test_missing_bias_hides_where_biases_are_zero(digits):
    """Why the comparison draws random values for every variable."""
    spec = zoo.cnn((8, 8, 1))
    faulty, right = NumpyModel(spec, 1, "float64"), NumpyModel(spec, 1, "float64")
    find("missing-bias").plant(faulty)
    assert bridge.compare_models(right, faulty, *digits).passed
    for model in (faulty, right):
        model.set_weights(bridge.random_weights(spec, 0))
    assert not bridge.compare_models(right, faulty, *digits).passed


def test_each_layer_can_carry_the_fault(digits):
    spec = zoo.lenet((8, 8, 1))
    fault = find("dropped-bias-gradient")
    blamed = []
    for at in fault.sites(NumpyModel(spec)):
        right, faulty = NumpyModel(spec, 3, "float64"), NumpyModel(spec, 3, "float64")
        planted = fault.plant(faulty, at)
        report = bridge.compare_models(right, faulty, *digits, locate=False)
        assert report.first_divergence.layer == planted
        blamed.append(planted)
    assert blamed == ["conv2d", "conv2d_1", "conv2d_2", "dense", "dense_1"]


def test_unknown_and_unfitting_faults_are_refused():
    with pytest.raises(ValueError, match="unknown fault 'typo'; known are flipped-kernel"):
        find("typo")
    with pytest.raises(ValueError, match="'uninverted-dropout' .* fits no layer of 'mlp'"):
        find("uninverted-dropout").plant(NumpyModel(zoo.mlp()))
