"""Each known convention, planted on one side, is named by the explainer, and only where it was planted."""

from dataclasses import replace

import numpy as np
import pytest

import bridge
from bridge.conventions.layers import LAYER_CONVENTIONS
from bridge.conventions.losses import LOSS_CONVENTIONS
from bridge.conventions.optimizers import OPTIMIZER_CONVENTIONS, RecordedStep, explain_steps
from bridge.conventions.relations import Surroundings, relation
from bridge.selftest.faults import find
from bridge.selftest.faults.probes import PROBES
from core_numpy import NumpyModel
from core_numpy import optimizers as ours
from core_numpy.losses import categorical_cross_entropy
from core_numpy.ops.softmax import softmax, softmax_backward
from model_spec import (
    SGD,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling2D,
    ModelSpec,
    regularizers,
)

SPEC = ModelSpec(
    "conventions",
    (10, 9, 2),
    (
        Conv2D(3, (3, 2), strides=2, padding="same", activation="tanh", kernel_regularizer=regularizers.L2(0.05)),
        BatchNormalization(),
        MaxPooling2D(2, 1, padding="same"),
        AveragePooling2D(2, 1, padding="same"),
        Dropout(0.3),
        Flatten(),
        Dense(4, activation="softmax"),
    ),
)
X = np.random.default_rng(3).standard_normal((6, 10, 9, 2))
Y = np.arange(6) % 4


def pair():
    models = [NumpyModel(SPEC, seed=1, dtype="float64") for _ in range(2)]
    for model in models:
        model.set_weights(bridge.random_weights(SPEC, 2))
    return models


def explained(right, other):
    report = bridge.compare_models(right, other, X, Y, names=("Keras-like", "other"))
    assert not report.passed
    return report, {(one.side, one.layer, one.convention) for one in report.explanations}


@pytest.mark.parametrize("convention", LAYER_CONVENTIONS, ids=lambda one: one.name)
def test_layer_convention_is_named(convention):
    right, other = pair()
    traces = [at for at, step in enumerate(other.network.steps) if convention.make(step.layer) is not None]
    assert traces, f"no layer of the test network shows {convention.name}"
    for at in traces:
        right, other = pair()
        step = other.network.steps[at]
        other.network = other.network.replace_layer(at, convention.make(step.layer))
        report, found = explained(right, other)
        assert ("other", step.name, convention.name) in found, str(report)
        assert {row.verdict for row in report.failures} == {"CONVENTION"}, str(report)
        assert {(side, layer) for side, layer, _ in found} == {("other", step.name)}
        if "dropout" not in convention.name:
            assert len(found) == 1, found
        assert f"explained: {step.name!r} of other follows another convention: " in str(report)


def scaled(factor):
    def wrap(function):
        def wrapped(output, targets):
            losses, gradients = function(output, targets)
            return losses * factor, gradients * factor

        return wrapped

    return wrap


def clipped(function):
    def wrapped(logits, targets):
        probabilities = softmax(logits)
        losses, gradients = categorical_cross_entropy(probabilities, targets)
        return losses, softmax_backward(probabilities, gradients)

    return wrapped


def wrap_loss(model, wrap):
    inner = model.loss_functions
    model.loss_functions = lambda rule, from_logits: wrap(inner(rule, from_logits))


@pytest.mark.parametrize("convention", LOSS_CONVENTIONS, ids=lambda one: one.name)
def test_loss_convention_is_named(convention):
    right, other = pair()
    if convention.clipped:
        for model in (right, other):
            weights = model.weights
            weights["dense/kernel"] *= 40  # certain of wrong answers: where the clip shows
            model.set_weights(weights)
        wrap_loss(other, clipped)
    elif convention.penalty == 1.0:
        wrap_loss(other, scaled(convention.scale(len(X))))
    else:
        terms = other._penalty_terms
        value = convention.penalty if convention.penalty_value is None else convention.penalty_value
        other._penalty_terms = lambda: {
            name: (cost * value, gradient * convention.penalty) for name, (cost, gradient) in terms().items()
        }
    report, found = explained(right, other)
    expected = {"loss"} if convention.penalty == 1.0 else {"conv2d"} | ({"loss"} if value != 1.0 else set())
    assert {layer for _, layer, name in found if name == convention.name} == expected, str(report)
    assert {side for side, _, _ in found} == {"other"}


def test_a_plain_fault_is_not_called_a_convention():
    right, other = pair()
    find("slightly-wrong-input-gradient").plant(other)
    report, found = explained(right, other)
    assert not found
    assert [one.convention for one in report.slips] == ["gradient of x is 1.0001 times the true value"]
    assert report.culprits
    assert {row.verdict for row in report.failures} == {"BUG"}


def test_a_convention_beside_a_plain_fault_excuses_nothing():
    """What follows the two layers differs for both reasons, so no tensor may be put down to the convention."""
    right, other = pair()
    flipped = next(one for one in LAYER_CONVENTIONS if one.name == "flipped kernel")
    other.network = other.network.replace_layer(0, flipped.make(other.network.steps[0].layer))
    fault = find("slightly-wrong-input-gradient")
    blamed = fault.plant(other, fault.sites(other)[-1])
    report, found = explained(right, other)
    assert found == {("other", "conv2d", "flipped kernel")}
    assert [one.convention for one in report.slips] == ["gradient of x is 1.0001 times the true value"]
    assert {local.row.layer for local in report.culprits} == {"conv2d", blamed}
    assert {row.verdict for row in report.failures} == {"BUG"}
    assert f"{len(report.failures)} failing tensors, BUG {len(report.failures)}:" in str(report)


def test_a_convention_in_one_mode_excuses_no_fault_of_that_layer_in_the_other():
    right, other = pair()
    outside = next(one for one in LAYER_CONVENTIONS if one.name == "epsilon outside the root")
    at = next(at for at, step in enumerate(other.network.steps) if step.name == "batch_normalization")
    other.network = other.network.replace_layer(at, outside.make(other.network.steps[at].layer))
    find("normalization-without-mean-term").plant(other, at)
    report, found = explained(right, other)
    assert found == {("other", "batch_normalization", "epsilon outside the root")}
    assert "backward lacks the share of the mean" in {one.convention for one in report.slips}
    assert {(row.mode, row.verdict) for row in report.failures} == {("inference", "CONVENTION"), ("training", "BUG")}


def test_a_convention_differs_and_is_named_in_every_precision():
    """float32 is not searched again: what float64 has shown of a tensor holds for it too, and for no other tensor."""
    fault = find("average-counts-padding")
    probe = PROBES[fault.probe]
    report = bridge.compare(probe.spec, probe.x, probe.y, loss=probe.loss, prepare=bridge.plant(fault))
    assert (report.passed, report.verdict) == (False, "DIFFER")
    assert {row.verdict for row in report.failures} == {"CONVENTION"}
    assert {(row.dtype, row.mode) for row in report.failures} == {
        (dtype, mode) for dtype in ("float64", "float32") for mode in ("inference", "training")
    }
    assert {local.row.dtype for local in report.culprits} == {"float64"}
    assert f"{len(report.failures)} failing tensors, CONVENTION {len(report.failures)}:" in str(report)

    agreeing = next(row for row in report.rows if row.agrees and row.dtype == "float32")
    double = [row for row in report.rows if row.dtype == "float64"]
    other = replace(report, rows=[*double, replace(agreeing, verdict="BUG")])
    other.name_conventions_everywhere()
    assert other.rows[-1].verdict == "BUG"


# One that ignores its slots leaves them at zero: recorded with those, its steps are those of Keras
KEEPING_SLOTS = [one for one in OPTIMIZER_CONVENTIONS if one.name != "momentum ignored"]


@pytest.mark.parametrize("convention", KEEPING_SLOTS, ids=lambda one: one.name)
def test_optimizer_convention_is_named(convention):
    random = np.random.default_rng(0)
    rule = convention.rule()
    if convention.rule is SGD:
        rule = SGD(0.1, momentum=0.9, nesterov="Nesterov" in convention.name)
    w = random.standard_normal(6)
    state = ours.OptimizerState.start(rule, {"w": w})
    steps = []
    for number in range(1, 5):
        # Small gradients on purpose: where epsilon stands matters only beside them
        gradient = random.standard_normal(6) * 10.0 ** random.integers(-6, 0, 6)
        slots = {name: value.copy() for name, value in state.slots["w"].items()}
        rate = state.current_learning_rate()
        if number == 2 and "rate outside" in convention.name:
            rate = 0.05  # the two differ only where the rate changes
        before = w.copy()
        convention.update(rule, w, gradient, state.slots["w"], rate, number)
        steps.append(RecordedStep(before, w.copy(), gradient, slots, rate, number))
    assert explain_steps(rule, steps) == convention.name


def test_keras_own_steps_need_no_explanation():
    rule, w = SGD(0.1, momentum=0.9), np.ones(3)
    state = ours.OptimizerState.start(rule, {"w": w})
    slots, before = {"momentum": np.zeros(3)}, w.copy()
    state.step({"w": w}, {"w": np.arange(3.0)})
    record = RecordedStep(before, w.copy(), np.arange(3.0), slots, 0.1, 1)
    assert explain_steps(rule, [record]) is None
    assert explain_steps(rule, [replace(record, after=w * 2)]) is None


def test_a_factor_says_all_that_it_may_be():
    truth = np.arange(1.0, 9.0)
    around = Surroundings(4, {"the 4 cells of a window": 4})
    words = relation("dx", 4 * truth, truth, 1e-9, around)
    assert words is not None and "the batch of 4, or " in words and "the 4 cells of a window" in words
    assert relation("dx", truth * (1 + 2.4e-9), truth, 1e-12, around) is None
