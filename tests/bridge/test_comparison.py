"""The comparison passes on equal networks, and cannot be passed by accident."""

import json

import numpy as np
import pytest

import bridge
from bridge.judge.bounds import SAFETY
from core_numpy import NumpyModel
from keras_models import KerasModel
from model_spec import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    ModelSpec,
    UpSampling2D,
    regularizers,
    zoo,
)


@pytest.mark.parametrize("name", list(zoo.ZOO))
def test_zoo_agrees_in_both_precisions_and_modes(name, digits):
    report = bridge.compare(zoo.build(name, (8, 8, 1)), *digits)
    assert report.passed, str(report)
    assert {(row.dtype, row.mode) for row in report.rows} == {
        (dtype, mode) for dtype in ("float64", "float32") for mode in ("inference", "training")
    }
    double = report.select(dtype="float64")
    assert max(row.error_over_scale for row in double if row.stage == "forward") < 1e-12
    assert max(row.error_over_scale for row in double if row.stage != "forward") < 1e-11
    single = report.select(dtype="float32")
    assert max(row.error_over_bound for row in single) < 1
    # A bound that nothing comes near proves nothing
    assert np.median([row.error_over_bound for row in single]) > 0.01


@pytest.mark.parametrize("name", ["cnn", "lenet"])
def test_graph_and_xla_agree_too(name, digits):
    report = bridge.compare(zoo.build(name, (8, 8, 1)), *digits, paths=("graph", "xla"))
    assert report.passed, str(report)
    modes = {(row.path, row.mode) for row in report.rows}
    # XLA draws other dropout masks
    expected = {("graph", "inference"), ("graph", "training"), ("xla", "inference")}
    assert modes == expected | ({("xla", "training")} if name == "cnn" else set())
    assert any(row.tensor.endswith("by predict") for row in report.rows)


def test_every_tensor_is_compared(digits):
    spec = zoo.lenet((8, 8, 1))
    report = bridge.compare(spec, *digits, dtype="float32")
    for stage in ("loss gradient", "pullback"):
        tensors = {row.tensor for row in report.select(stage=stage, mode="training")}
        assert {f"gradient of {name}" for name in spec.parameter_shapes} <= tensors
        assert {f"gradient of {layer.name}" for layer in spec.layers[:-1]} <= tensors
        assert "gradient of x" in tensors
    forward = {row.tensor for row in report.select(stage="forward", mode="training")}
    assert {layer.name for layer in spec.layers} <= forward
    assert "dense_1/preactivation" in forward
    assert [row.tensor for row in report.select(tensor="loss")] == ["loss", "loss"]


def test_batch_normalization_regularizers_and_average_pooling_agree(digits):
    spec = ModelSpec(
        "mixed",
        (8, 8, 1),
        (
            Conv2D(4, 3, padding="same", kernel_regularizer=regularizers.L2(0.02)),
            BatchNormalization(),
            AveragePooling2D(3, 2, padding="same"),
            Flatten(),
            Dropout(0.3),
            Dense(10, activation="softmax", bias_regularizer=regularizers.L1(0.1)),
        ),
    )
    report = bridge.compare(spec, *digits)
    assert report.passed, str(report)


def test_a_change_of_one_weight_in_its_last_bits_is_seen(digits):
    spec = zoo.mlp((8, 8, 1))
    ours, theirs = NumpyModel(spec, 1, "float64"), KerasModel(spec, 1, "float64")
    bridge.copy_weights(ours, theirs)
    weights = theirs.weights
    weights["dense/kernel"][3, 2] *= 1 + 1e-12
    theirs.set_weights(weights)
    with pytest.raises(ValueError, match="hold different weights \\(dense/kernel\\)"):
        bridge.compare_models(ours, theirs, *digits)


def test_different_dropout_seeds_are_refused(digits):
    spec = zoo.lenet((8, 8, 1))
    ours, theirs = NumpyModel(spec, seed=1), KerasModel(spec, seed=2)
    bridge.copy_weights(ours, theirs)
    with pytest.raises(ValueError, match="drop by different seeds \\[1, 2\\]; build both with one dropout_seed"):
        bridge.compare_models(ours, theirs, *digits)


def test_foreign_model_with_predict_alone_is_compared_on_outputs(digits):
    spec = zoo.cnn((8, 8, 1))
    reference = NumpyModel(spec, seed=5)

    class Foreign:
        factor = 1.0

        def predict(self, x):
            return reference.predict(x) * self.factor

    foreign = Foreign()
    assert bridge.compare_models(reference, foreign, *digits).passed
    foreign.factor = 1.0001
    report = bridge.compare_models(reference, foreign, *digits)
    assert not report.passed
    assert report.first_divergence.layer == "dense"


class Answers:
    """A model of somebody else: a function on the inputs."""

    def __init__(self, predict):
        self.predict = predict


def test_what_xla_gets_wrong_is_left_out_and_said():
    """Bilinear resizing by 3 under XLA gives other values than without it: TensorFlow's fault, not a backend's here."""
    spec = ModelSpec("up", (4, 4, 1), (UpSampling2D(3, interpolation="bilinear"),))
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 1))
    report = bridge.compare(spec, x, dtype="float32", paths=("eager", "xla"))
    assert report.passed
    assert {row.path for row in report.rows} == {"eager"}
    assert "left out: float32 on the path xla: XLA resizes bilinearly in float32 alone" in str(report)
    theirs = {path: KerasModel(spec, path=path).activations(x)["up_sampling2d"] for path in ("eager", "xla")}
    assert np.abs(theirs["eager"] - theirs["xla"]).max() > 0.1, "XLA is right now: compare it again"


@pytest.mark.parametrize(
    ("give", "words"),
    [
        (lambda y: y + 1000j, "a side gives dtype complex"),
        (lambda y: np.ma.masked_array(y, mask=True), "a side gives masked values"),
        (lambda y: y.astype(str), "a side gives dtype <U"),
        (lambda y: y.astype(object), "a side gives dtype object"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_what_is_no_array_of_real_numbers_is_refused(give, words, turned):
    model = NumpyModel(zoo.mlp((4, 4, 1)), dtype="float64")
    sides = [model, Answers(lambda x: give(model.predict(x)))]
    with pytest.raises(ValueError, match=words):
        bridge.compare_models(*(reversed(sides) if turned else sides), np.ones((3, 4, 4, 1)))


@pytest.mark.parametrize("turned", [False, True])
def test_a_side_that_writes_into_its_input_changes_nothing_else(turned):
    model = NumpyModel(zoo.mlp((4, 4, 1)), dtype="float64")
    x = np.random.default_rng(0).standard_normal((3, 4, 4, 1))
    before, buffer = x.copy(), np.empty((3, 10))

    def first_zeros(x):
        x[:] = 0
        return model.predict(x)

    def then_zeros(x):
        y = model.predict(x)
        x[:] = 0
        return y

    for wrong, passes in ((first_zeros, False), (then_zeros, True)):
        sides = [model, Answers(wrong)]
        assert bridge.compare_models(*(reversed(sides) if turned else sides), x).passed == passes
        assert np.array_equal(x, before)

    def into_one_buffer(factor):
        return Answers(lambda x: np.multiply(model.predict(x), factor, out=buffer))

    class WithTruth(Answers):
        spec, weights, dtype, dropout_seed = model.spec, model.weights, "float64", 0

    sides = [WithTruth(into_one_buffer(1).predict), into_one_buffer(2)]
    assert not bridge.compare_models(*(reversed(sides) if turned else sides), x).passed


def test_values_beyond_float32_on_both_sides_are_nobodys_fault():
    spec = ModelSpec("n", (5,), (Dense(6, activation="relu"), Dense(3, activation="softmax")))
    x = np.random.default_rng(0).standard_normal((40, 5))
    report = bridge.compare(spec, x * 1e38, np.arange(40) % 3)
    assert report.verdict == "BOTH DIVERGED"
    assert not report.culprits
    assert "both sides leave the finite numbers in the same places; scale the inputs" in str(report)
    report = bridge.compare(spec, x * 1e10, np.arange(40) % 3)
    assert report.verdict == "NOTHING COMPARED"
    assert report.first_divergence is None
    assert "tensors are all zero on both sides, which proves nothing" in str(report)


def test_float64_comparison_would_see_float32_arithmetic(digits):
    spec = zoo.cnn((8, 8, 1))
    ours = NumpyModel(spec, 1, "float64")
    ours.set_weights(bridge.random_weights(spec, 1))
    single = NumpyModel(spec, 1, "float32")
    bridge.copy_weights(ours, single)

    class Rounded:
        spec, dtype, dropout_seed = ours.spec, "float64", 1

        def predict(self, x):
            return single.predict(x)

    report = bridge.compare_models(ours, Rounded(), digits[0])
    assert not report.passed
    assert report.rows[0].error_over_bound > 1000


def test_report_as_text_and_json(digits):
    report = bridge.compare(zoo.mlp((8, 8, 1)), *digits, prepare=bridge.plant("dropped-bias-gradient"))
    text = str(report)
    assert text.startswith("DIFFER: mlp (8, 8, 1)")
    assert "first divergence: layer 'dense', loss gradient, gradient of dense/bias (float64, inference)" in text
    assert len(text.splitlines()) < 60
    entry = json.loads(report.to_json())
    assert entry["verdict"] == "DIFFER"
    assert entry["safety"] == SAFETY
    assert entry["first_divergence"]["layer"] == "dense"
    failing = [row for row in entry["rows"] if row["verdict"] == "BUG"]
    assert {row["tensor"] for row in failing} == {"gradient of dense/bias"}
    assert all(len(row["values"]) == 3 for row in failing)
    assert report._repr_html_().startswith("<pre>DIFFER")


def test_a_network_that_plans_cannot_run_is_left_out_of_the_fast_path():
    spec = ModelSpec("trailing", (3,), (Dense(2), Activation("linear")))
    report = bridge.compare(spec, np.ones((2, 3)), np.array([0, 1]), dtype="float64", paths=("eager", "fast"))
    assert report.passed
    assert {row.path for row in report.rows} == {"eager"}
