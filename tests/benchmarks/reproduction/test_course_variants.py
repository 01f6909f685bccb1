"""The textbooks' update rules: steps by hand, on both backends, and injected into both models."""

import numpy as np
import pytest

from benchmarks import course_variants as course
from core_numpy import NumpyModel
from keras_models import KerasModel
from model_spec import SGD, ModelSpec, TrainingSpec
from model_spec.layers import Dense, Dropout, Rescaling

W, G = 1.0, 0.5


def by_hand(rule, steps):
    """The rule in plain numbers, with the same gradient in every step."""
    w, slot = W, 0.0
    for _ in range(steps):
        rate = rule.learning_rate
        if isinstance(rule, course.TextbookNesterov):
            slot = rule.momentum * slot - rate * G
            w = w + rule.momentum**2 * slot - (1 + rule.momentum) * rate * G
        elif isinstance(rule, course.TextbookAdagrad):
            slot = slot + G**2
            w = w - rate * G / (slot**0.5 + 1e-7)
        else:
            slot = rule.decay_rate * slot + (1 - rule.decay_rate) * G**2
            w = w - rate * G / (slot**0.5 + 1e-7)
    return w


RULES = (course.TextbookNesterov(0.1), course.TextbookAdagrad(0.1), course.TextbookRMSprop(0.1))


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        # v = -0.05; 1 + 0.81 * -0.05 - 1.9 * 0.05
        (RULES[0], 0.8645),
        # h = 0.25; 1 - 0.05 / 0.5
        (RULES[1], 0.9),
        # h = 0.0025; 1 - 0.05 / 0.05
        (RULES[2], 0.0),
    ],
)
def test_one_step_by_hand(rule, first):
    assert by_hand(rule, 1) == pytest.approx(first, abs=1e-5)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_steps_on_both_backends_are_those_by_hand(rule):
    parameters = {"w": np.array([W])}
    ours = course.NumpyCourseOptimizer(rule)
    import keras

    from keras_models.runtime import floatx

    with floatx("float64"):
        variable = keras.Variable(np.array([W]), dtype="float64")
        theirs = course.keras_course_optimizer(rule)
        theirs.build([variable])
        for step in range(1, 4):
            ours.step(parameters, {"w": np.array([G])})
            theirs.apply([keras.ops.convert_to_tensor(np.array([G]))])
            # Keras keeps the learning rate's place in the rule as a Python number: all digits
            assert parameters["w"][0] == pytest.approx(by_hand(rule, step), rel=1e-14)
            assert variable.numpy()[0] == pytest.approx(by_hand(rule, step), rel=1e-14)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_both_models_train_alike_by_a_rule_of_the_courses(rule):
    spec = ModelSpec("net", (3,), (Dense(4, activation="tanh"), Dense(2, activation="softmax")))
    random = np.random.default_rng(0)
    x, y = random.normal(size=(8, 3)), np.array([0, 1] * 4)
    ours, theirs = NumpyModel(spec, 1, "float64"), KerasModel(spec, 1, "float64")
    theirs.set_weights(ours.weights)
    plain = NumpyModel(spec, 1, "float64")
    plain.start_training(TrainingSpec(optimizer=SGD(rule.learning_rate)))
    for model in (ours, theirs):
        model.start_training(TrainingSpec())
        course.use(rule, model)
    for _ in range(5):
        assert ours.train_on_batch(x, y) == pytest.approx(theirs.train_on_batch(x, y), rel=1e-12)
        plain.train_on_batch(x, y)
    for name, value in ours.weights.items():
        np.testing.assert_allclose(value, theirs.weights[name], rtol=1e-11, atol=1e-13)
    # The rule was used, and not the optimizer it stands in for
    assert np.abs(ours.weights["dense/kernel"] - plain.weights["dense/kernel"]).max() > 1e-3


def test_an_unknown_rule_has_no_keras_form():
    with pytest.raises(ValueError, match="no Keras form of CourseRule"):
        course.keras_course_optimizer(course.CourseRule())


def test_uninverted_dropout_is_dropout_and_rescaling():
    spec = ModelSpec("drop", (1000,), (Dropout(0.15), Rescaling(0.85)))
    x = np.ones((1, 1000))
    for model in (NumpyModel(spec, 3, "float64"), KerasModel(spec, 3, "float64")):
        trained = model.activations(x, training=True)["rescaling"]
        kept = trained > 0
        np.testing.assert_allclose(trained[kept], 1.0, rtol=1e-15)
        assert 0.8 < kept.mean() < 0.9
        np.testing.assert_allclose(model.predict(x), 0.85, rtol=1e-15)
