"""Activations and gradients: values, widths, and what must be left as it was."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_models import KerasModel
from keras_models.preactivations import captured_preactivations
from keras_models.states import dropout_call, dropout_layers
from model_spec import (
    SGD,
    Activation,
    Dense,
    Dropout,
    ModelSpec,
    Rescaling,
    TrainingSpec,
    inputs,
    losses,
    regularizers,
)
from model_spec.targets import check_classes


def probe(model, loss_of, names, seed=1, step=1e-6):
    """Central difference of a loss along a random direction of some variables, and that direction of each."""
    start = model.weights
    directions = {name: np.random.default_rng(seed).normal(size=start[name].shape) for name in names}
    values = []
    for sign in (1, -1):
        moved = {name: start[name] + sign * step * direction for name, direction in directions.items()}
        model.set_weights({**start, **moved})
        values.append(loss_of(model))
    model.set_weights(start)
    return (values[0] - values[1]) / (2 * step), directions


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", ["classes", "one-hot", "smoothed", "mean_squared_error", "half_sum_squared_error"])
def test_float64_gradients_match_finite_differences(every_layer, images, randomized, training, kind):
    model = randomized(KerasModel(every_layer, dtype="float64", dropout_seed=5))
    x, y = images
    loss = losses.CategoricalCrossentropy(label_smoothing=0.1) if kind == "smoothed" else None
    if kind not in ("classes", "smoothed"):
        y = np.eye(3)[y]
    if kind.endswith("error"):
        loss = kind

    def result(one):
        return one.loss_and_gradients(x, y, loss, training=training, dropout_call=2)

    found = result(model)
    assert isinstance(found.loss, float)
    assert list(found.parameters) == list(every_layer.trainable_parameters)
    for value in (*found.parameters.values(), found.inputs, *found.activations.values()):
        assert value.dtype == "float64"
    # Each parameter by itself for one loss; what another loss changes comes from the output to all of them
    groups = [[name] for name in found.parameters] if kind == "classes" else [list(found.parameters)]
    for names in groups:
        expected, directions = probe(model, lambda one: result(one).loss, names)
        product = sum((found.parameters[name] * direction).sum() for name, direction in directions.items())
        np.testing.assert_allclose(product, expected, rtol=1e-5, atol=2e-9, err_msg=str(names))
    direction = np.random.default_rng(2).normal(size=x.shape)
    ahead = model.loss_and_gradients(x + 1e-6 * direction, y, loss, training=training, dropout_call=2).loss
    behind = model.loss_and_gradients(x - 1e-6 * direction, y, loss, training=training, dropout_call=2).loss
    np.testing.assert_allclose((found.inputs * direction).sum(), (ahead - behind) / 2e-6, rtol=1e-5, atol=2e-9)


def test_float32_stays_float32(every_layer, images):
    found = KerasModel(every_layer).loss_and_gradients(*images, training=True)
    assert {value.dtype.name for value in (*found.parameters.values(), found.inputs)} == {"float32"}


SQUARED = ("conv2d/kernel", "conv2d_transpose/kernel", "p_re_lu/alpha")
ABSOLUTE = ("depthwise_conv2d/kernel", "separable_conv2d/pointwise_kernel", "conv1d/kernel")
"""What every_layer has penalties on, of 0.01 each."""


def test_loss_equals_evaluate_and_includes_penalties(every_layer, images, randomized):
    model = randomized(KerasModel(every_layer, dtype="float64"))
    loss = model.loss_and_gradients(*images).loss
    np.testing.assert_allclose(loss, model.evaluate(*images)["loss"], rtol=1e-12)
    probabilities = model.predict(images[0])
    plain = -np.log(probabilities[np.arange(5), images[1]]).mean()
    weights = model.weights
    penalties = 0.01 * sum((weights[name] ** 2).sum() for name in SQUARED)
    penalties += 0.01 * sum(np.abs(weights[name]).sum() for name in ABSOLUTE)
    np.testing.assert_allclose(loss - plain, penalties, rtol=1e-9)


def test_logits_gradient_under_a_fused_softmax(every_layer, images):
    model = KerasModel(every_layer, dtype="float64")
    x, y = images
    found = model.loss_and_gradients(x, y)
    expected = (model.predict(x) - np.eye(3)[y]) / len(x)
    np.testing.assert_allclose(found.activations["dense_1/preactivation"], expected, atol=1e-14)
    assert "dense_1" not in found.activations
    missing = {layer.name for layer in every_layer.layers} - set(found.activations)
    assert missing == {"dense_1"}


@pytest.mark.parametrize("rule", [regularizers.L1(0.3), regularizers.L2(0.3), regularizers.L1L2(0.3, 0.7)])
def test_constants_of_layers_are_exact_in_float64(rule):
    x = np.array([[1.0, 2.0, 3.0]])
    spec = ModelSpec("m", (3,), (Rescaling(1 / 255, 0.1), Dense(1, kernel_initializer="ones", kernel_regularizer=rule)))
    model = KerasModel(spec, dtype="float64")
    np.testing.assert_allclose(model.activations(x)["rescaling"], x / 255 + 0.1, rtol=1e-15)
    output = model.predict(x)
    penalty = {"L1": 0.9, "L2": 0.9, "L1L2": 3.0}[type(rule).__name__]
    assert model.loss_and_gradients(x, output, "mean_squared_error").loss == pytest.approx(penalty, rel=1e-14)
    model.fit(x, output, TrainingSpec("sgd", "mean_squared_error"), verbose=0)
    assert model.history.history["loss"] == [pytest.approx(penalty, rel=1e-14)]


def test_label_smoothing_and_dropout_scale_are_exact_in_float64():
    spec = ModelSpec("m", (3,), (Dropout(0.3), Dense(3, activation="softmax", kernel_initializer="ones")))
    model = KerasModel(spec, dtype="float64")
    dropped = model.activations(np.ones((9, 3)), training=True)["dropout"]
    assert set(dropped.ravel()) == {0.0, 1 / (1 - 0.3)}
    model.set_weights([np.eye(3), np.zeros(3)])
    x = np.array([[0.5, -1.0, 2.0]])
    logs = -np.log(model.predict(x)[0])
    y = np.array([[0.0, 1.0, 0.0]])
    found = model.loss_and_gradients(x, y, losses.CategoricalCrossentropy(label_smoothing=0.3)).loss
    assert found == pytest.approx(0.7 * logs[1] + 0.1 * logs.sum(), rel=1e-14)
    smoothed = 0.7 * y + 0.15
    found = model.loss_and_gradients(x, y, losses.BinaryCrossentropy(label_smoothing=0.3)).loss
    assert found == pytest.approx((np.logaddexp(0, x) - smoothed * x).mean(), rel=1e-14)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("from_logits", [False, True])
def test_keras_takes_the_logits_of_either_activation_for_either_cross_entropy(activation, from_logits):
    model = KerasModel(ModelSpec("m", (3,), (Dense(3, activation=activation),)), dtype="float64")
    model.set_weights([np.eye(3), np.zeros(3)])
    x, y = np.array([[0.5, -1.0, 2.0]]), np.array([[0.0, 1.0, 0.0]])
    categorical = np.log(np.exp(x).sum()) - x[0, 1]
    binary = (np.logaddexp(0, x) - y * x).mean()
    for kind, expected in ((losses.CategoricalCrossentropy, categorical), (losses.BinaryCrossentropy, binary)):
        loss = kind(from_logits=from_logits)
        assert model.loss_and_gradients(x, y, loss).loss == pytest.approx(expected, rel=1e-14)
        history = model.fit(x, y, TrainingSpec(SGD(1e-15), loss), verbose=0)
        assert history.history["loss"] == [pytest.approx(expected, rel=1e-14)]


def test_fusion_survives_extreme_logits_and_an_activation_layer():
    spec = ModelSpec("m", (2,), (Dense(2), Activation("softmax")))
    model = KerasModel(spec)
    model.set_weights([np.array([[400.0, -400.0], [0, 0]]), np.zeros(2)])
    for loss in (None, losses.CategoricalCrossentropy(from_logits=True)):
        found = model.loss_and_gradients([[1.0, 0.0]], [1], loss)
        assert found.loss == pytest.approx(800)
        np.testing.assert_allclose(found.activations["dense"], [[1, -1]])
        assert "activation" not in found.activations


def test_pullback(every_layer, images, randomized):
    model = randomized(KerasModel(every_layer, dtype="float64"))
    x = images[0]
    cotangent = np.random.default_rng(3).normal(size=(5, 3))
    found = model.pullback(x, cotangent, training=True, dropout_call=1)
    assert found.loss is None
    np.testing.assert_array_equal(found.activations["dense_1"], cotangent)

    def value(one):
        return (one.activations(x, training=True, dropout_call=1)["dense_1"] * cotangent).sum()

    for name in ("conv2d/kernel", "batch_normalization/gamma", "dense/kernel"):
        expected, directions = probe(model, value, [name])
        np.testing.assert_allclose((found.parameters[name] * directions[name]).sum(), expected, rtol=1e-5, atol=2e-9)
    with pytest.raises(ValueError, match="same number of rows, got 5 and 4"):
        model.pullback(x, cotangent[:4])


def test_activations_are_the_layers_outputs(every_layer, images, randomized):
    model = randomized(KerasModel(every_layer))
    found = model.activations(images[0], preactivations=True)
    nonlinear = ["conv2d/preactivation", "dense/preactivation", "dense_1/preactivation"]
    assert [name for name in found if "/" in name] == nonlinear
    assert [name for name in found if "/" not in name] == [layer.name for layer in every_layer.layers]
    np.testing.assert_allclose(np.tanh(found["conv2d/preactivation"]), found["conv2d"], rtol=1e-5)
    np.testing.assert_allclose(found["dense_1"], model.predict(images[0]), rtol=1e-5)
    assert not any("/" in name for name in model.activations(images[0]))


def test_gradient_through_step_is_zero():
    spec = ModelSpec("m", (2,), (Dense(3, activation="step"), Dense(2, activation="softmax")))
    found = KerasModel(spec).loss_and_gradients(np.ones((1, 2)), [0])
    assert not found.parameters["dense/kernel"].any()
    assert not found.inputs.any()
    assert found.parameters["dense_1/bias"].any()


def test_dropout_calls_repeat_and_leave_the_counter(small, rows):
    model = KerasModel(small, seed=4)
    x = rows[0]
    layer = dropout_layers(model.keras_model)[0]
    first = model.activations(x, training=True, dropout_call=3)["dropout"]
    np.testing.assert_array_equal(first, model.activations(x, training=True, dropout_call=3)["dropout"])
    assert (first != model.activations(x, training=True, dropout_call=4)["dropout"]).any()
    assert dropout_call(layer) == 0
    # Stock Keras, counting for itself, drops the same units in its call number 3.
    stock = keras.layers.Dropout(0.5, seed=layer.seed)
    inside = model.activations(x, training=True, dropout_call=3)["batch_normalization"]
    for _ in range(4):
        expected = stock(inside, training=True)
    np.testing.assert_array_equal(first, expected)
    other = KerasModel(small, seed=4, dropout_seed=5).activations(x, training=True, dropout_call=3)["dropout"]
    assert ((first == 0) != (other == 0)).any()


def test_moving_statistics_and_counters_are_left_as_they_were(small, rows):
    model = KerasModel(small)
    x, y = rows
    before, state = model.weights, model.training_state()
    model.loss_and_gradients(x, y, training=True, dropout_call=7)
    model.pullback(x, np.ones((23, 3)), training=True)
    model.activations(x, training=True)
    model.predict(x)
    model.evaluate(x, y)
    for name, value in model.weights.items():
        np.testing.assert_array_equal(value, before[name])
    for name, value in state.items():
        np.testing.assert_array_equal(value, model.training_state()[name])


def test_preactivation_capture_restores_the_activation_after_an_error(small):
    layers = KerasModel(small).keras_model.layers
    before = [getattr(layer, "activation", None) for layer in layers]
    with pytest.raises(RuntimeError), captured_preactivations(layers) as captured:
        layers[0](tf.ones((1, 4)))
        assert list(captured) == ["dense/preactivation"]
        assert layers[0].activation is not before[0]
        raise RuntimeError
    assert [getattr(layer, "activation", None) for layer in layers] == before


def test_both_backends_words_for_bad_input(small, rows):
    model = KerasModel(small)
    x, y = rows
    broken = x.copy()
    broken[2, 1] = np.nan
    calls = [
        (lambda: model.predict(broken), lambda: inputs.check_x(broken, (4,), "float32")),
        (lambda: model.activations(x[:0]), lambda: inputs.check_x(x[:0], (4,), "float32")),
        (lambda: model.evaluate(x, y + 9), lambda: check_classes(y + 9, 23, 3, "float32")),
        (lambda: model.loss_and_gradients(x, y[:4]), lambda: check_classes(y[:4], 23, 3, "float32")),
        (lambda: model.predict(x, 0), lambda: inputs.check_batch_size(0, 1)),
        (lambda: model.activations(x, dropout_call=-1), lambda: inputs.check_dropout_call(-1)),
        (lambda: model.pullback(x, y), lambda: inputs.check_cotangent(y, len(x), (3,), "float32")),
    ]
    for ours, guard in calls:
        with pytest.raises(ValueError) as expected:
            guard()
        with pytest.raises(ValueError) as found:
            ours()
        assert str(found.value) == str(expected.value)


def test_predict_of_no_rows_and_dropout_of_nothing():
    model = KerasModel(ModelSpec("m", (4,), (Dropout(0), Dense(3))))
    assert model.predict(np.zeros((0, 4))).shape == (0, 3)
    x = np.ones((2, 4))
    np.testing.assert_array_equal(model.activations(x, training=True)["dropout"], x)
    assert model.training_state() == {}
