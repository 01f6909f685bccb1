"""Behind a last softmax or sigmoid the losses use the logits, also where layers hand the very same array on."""

import numpy as np
import pytest

from core_numpy import NumpyModel
from keras_models import KerasModel
from model_spec import Activation, Dense, Dropout, Flatten, ModelSpec, Rescaling, TrainingSpec
from model_spec.losses import BinaryCrossentropy, CategoricalCrossentropy

MISS = 60.0
CLIPPED = -np.log(1e-7)
X, Y = np.array([[1.0], [0.5]]), np.array([1, 2])
KERNEL = [[MISS, 0.0, 0.0]]

PASSING = [(Activation("linear"),), (Dropout(0.5),), (Dropout(0.0),), (Dropout(0.3), Activation("linear"))]
ENDING = [(Flatten(),), (Rescaling(1.0),)]


def models(tail, last="softmax"):
    spec = ModelSpec("tail", (1,), (Dense(3, activation=last, use_bias=False), *tail))
    built = [NumpyModel(spec, dtype="float64"), KerasModel(spec, dtype="float64")]
    for model in built:
        model.set_weights({"dense/kernel": KERNEL})
    return built


@pytest.mark.parametrize(
    ("tail", "from_logits"),
    # Dropout may hide the softmax, so from_logits=True reaches Keras, which warns where it does not
    [(tail, False) for tail in PASSING] + [((Activation("linear"),), True), ((Dropout(0.0),), True)],
    ids=str,
)
def test_logits_stay_in_sight_behind_a_layer_that_hands_them_on(tail, from_logits):
    loss = CategoricalCrossentropy(from_logits=from_logits)
    found = [model.loss_and_gradients(X, Y, loss) for model in models(tail)]
    assert [gradients.loss for gradients in found] == pytest.approx([0.75 * MISS] * 2, rel=1e-12)
    assert set(found[0].activations) == set(found[1].activations) == {"dense/preactivation"}
    np.testing.assert_allclose(*(gradients.parameters["dense/kernel"] for gradients in found), rtol=1e-12)


@pytest.mark.parametrize("tail", ENDING, ids=str)
def test_other_layers_end_the_sight_and_the_clip_is_all_a_miss_can_cost(tail):
    losses = [model.loss_and_gradients(X, Y).loss for model in models(tail)]
    assert losses[0] == pytest.approx(CLIPPED, abs=1e-6)
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


def test_dropout_in_training_hides_the_logits_that_inference_shows():
    for model in models((Dropout(0.5),)):
        assert model.loss_and_gradients(X, Y).loss > 2 * CLIPPED
        assert model.loss_and_gradients(X, Y, training=True).loss < 2 * CLIPPED


def test_evaluate_and_training_steps_take_the_same_logits():
    ours, theirs = models((Activation("linear"),))
    assert ours.evaluate(X, Y)["loss"] == pytest.approx(theirs.evaluate(X, Y)["loss"], rel=1e-12)
    for model in (ours, theirs):
        model.start_training(TrainingSpec(optimizer="sgd"))
    assert ours.train_on_batch(X, Y) == pytest.approx(theirs.train_on_batch(X, Y), rel=1e-12)
    np.testing.assert_allclose(ours.weights["dense/kernel"], theirs.weights["dense/kernel"], rtol=1e-12)
    assert np.abs(ours.weights["dense/kernel"] - KERNEL).max() > 1e-3


def test_a_confident_right_sigmoid_keeps_its_small_gradient():
    """sigmoid(60) - 1 would round to zero; Keras gives -exp(-60)."""
    for model in models((), "sigmoid"):
        gradient = model.loss_and_gradients([[1.0]], [[1.0, 0.0, 0.0]], BinaryCrossentropy()).activations
        assert gradient["dense/preactivation"][0, 0] == pytest.approx(-np.exp(-MISS) / 3, rel=1e-12)
