"""Planted faults are caught in a network of usual size, and the right layer is blamed; all of them: test_selftest."""

import numpy as np
import pytest

import bridge
from bridge.selftest.faults import find
from core_numpy import NumpyModel
from model_spec import SGD, TrainingSpec, zoo


def test_fault_is_caught_and_placed(usual_fault, digits):
    name, spec = usual_fault
    blamed = find(name).plant(NumpyModel(spec))
    # Each layer alone: test_local
    report = bridge.compare(spec, *digits, prepare=bridge.plant(name), locate=False)
    assert not report.passed
    assert report.first_divergence.layer == blamed
    if "training only" in find(name).shows:
        assert {row.mode for row in report.failures} == {"training"}
    if "only in a bias" in find(name).shows and "backward" in find(name).shows:
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
    with pytest.raises(ValueError, match="'momentum-sign' .* needs a model in training; give it to compare_training"):
        find("momentum-sign").plant(NumpyModel(zoo.mlp()))
    with pytest.raises(ValueError, match="'statistics-not-updated' .* needs a model in training"):
        find("statistics-not-updated").plant(NumpyModel(zoo.bn_cnn()))
    with pytest.raises(ValueError, match="'bias-not-copied' .* is in no model; crosscheck selftest plants it"):
        find("bias-not-copied").plant(NumpyModel(zoo.mlp()))
    with pytest.raises(ValueError, match="'halved-penalty-gradient' .* needs a regularizer: 'mlp' has none"):
        find("halved-penalty-gradient").plant(NumpyModel(zoo.mlp()))
    with pytest.raises(ValueError, match="'reported-without-dropout' .* needs a layer 'dropout': 'cnn' has none"):
        find("reported-without-dropout").plant(NumpyModel(zoo.cnn()))


def test_a_planted_activation_is_still_seen_as_one():
    """Otherwise the loss would not be fused with a faulty softmax, and more than the fault would change."""
    model = NumpyModel(zoo.mlp((4,)))
    find("softmax-backward-without-sum").plant(model)
    forward = model.network.forward(model.params, model.state, np.zeros((1, 4), np.float32))
    assert model.network.last_activation(forward.values)[0] == "softmax"


def test_fault_in_the_optimizer_is_caught_by_lock_step_training(digits):
    spec = zoo.mlp((8, 8, 1))
    training = TrainingSpec(optimizer=SGD(0.1, momentum=0.9), batch_size=4)
    report = bridge.compare_training(
        spec, *digits, training, steps=2, controls=1, prepare=bridge.plant("momentum-sign")
    )
    assert report.first_outside == 2
    assert bridge.compare_training(spec, *digits, training, steps=2, controls=1).passed
