"""Teacher-forced judgement: the faulty layer is found on the right side, and no other layer is blamed."""

import pytest

import bridge
from bridge.selftest.faults import find
from core_numpy import NumpyModel
from model_spec import zoo

pytestmark = pytest.mark.usefixtures("short_search")


def test_only_the_faulty_layer_of_the_faulty_side_is_blamed(usual_fault, digits):
    name, spec = usual_fault
    right, faulty = (NumpyModel(spec, seed=4, dtype="float64") for _ in range(2))
    for model in (right, faulty):
        model.set_weights(bridge.random_weights(spec, 4))
    blamed = find(name).plant(faulty)
    report = bridge.compare_models(right, faulty, *digits, names=("right", "faulty"))
    assert not report.passed
    assert {(local.side, local.row.layer) for local in report.culprits} == {("faulty", blamed)}
    assert f"culprit: {blamed!r} of faulty, judged alone on its own input" in str(report)


def test_two_faults_are_both_found(digits):
    """The second fault lies behind the first, where the free-running comparison has long parted."""
    spec = zoo.lenet((8, 8, 1))
    right, faulty = (NumpyModel(spec, seed=4, dtype="float64") for _ in range(2))
    for model in (right, faulty):
        model.set_weights(bridge.random_weights(spec, 4))
    fault = find("flipped-kernel")
    first, second = (fault.plant(faulty, at) for at in fault.sites(faulty)[1:3])
    report = bridge.compare_models(right, faulty, *digits, names=("right", "faulty"))
    assert {local.row.layer for local in report.culprits} == {first, second} == {"conv2d_1", "conv2d_2"}
    assert report.first_divergence.layer == "conv2d_1"


def test_nothing_is_judged_alone_where_all_agrees(digits):
    assert bridge.compare(zoo.mlp((8, 8, 1)), *digits).local == []
