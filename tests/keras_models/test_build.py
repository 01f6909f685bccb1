"""The Keras model has the names, shapes, seeds and options the specification says."""

from dataclasses import dataclass

import keras
import numpy as np
import pytest

from keras_models import KerasModel
from keras_models import layers as keras_forms
from keras_models.activations import step
from keras_models.initializers import keras_initializer, keras_regularizer
from keras_models.losses import HalfSumSquaredError
from keras_models.weight_files import named_variables
from model_spec import (
    Add,
    Dense,
    Dropout,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    LayerSpec,
    ModelSpec,
    initializers,
    regularizers,
    zoo,
)
from model_spec.activations import ACTIVATIONS
from model_spec.layers import LAYERS
from model_spec.streams import layer_seed


def check_same_structure(spec):
    model = KerasModel(spec, seed=3)
    layers = model.keras_model.layers
    assert [layer.name for layer in layers] == [layer.name for layer in spec.layers]
    assert [type(layer).__name__ for layer in layers] == [type(layer).__name__ for layer in spec.layers]
    assert [tuple(layer.output.shape[1:]) for layer in layers] == list(spec.output_shapes)
    assert [layer.trainable for layer in layers] == [layer.trainable for layer in spec.layers]
    assert {name: value.shape for name, value in model.weights.items()} == spec.variable_shapes
    assert list(model.weights) == list(spec.variable_shapes)
    for value, own in zip(model.get_weights(), named_variables(model.keras_model).values(), strict=True):
        np.testing.assert_array_equal(value, own.numpy())


@pytest.mark.parametrize("name", zoo.ZOO)
def test_zoo(name):
    check_same_structure(zoo.build(name))


def test_every_layer(every_layer):
    check_same_structure(every_layer)
    ends = {GlobalMaxPooling2D: (3, 3, 2), GlobalMaxPooling1D: (3, 2), GlobalAveragePooling1D: (3, 2)}
    for kind, shape in ends.items():
        check_same_structure(ModelSpec("end", shape, (kind(),)))
    used = {type(layer) for layer in every_layer.layers} | set(ends)
    # Merges, which make a functional model, have their tests in test_branches.py
    assert set(LAYERS.values()) == set(keras_forms.LAYERS)
    assert used == {kind for kind in LAYERS.values() if not kind.merges}


def test_every_activation_initializer_and_regularizer_has_a_keras_form():
    x = np.linspace(-2, 2, 9, dtype="float32")[None]
    for name in ACTIVATIONS:
        model = KerasModel(ModelSpec("m", (9,), (Dense(9, activation=name),)))
        model.set_weights([np.eye(9), np.zeros(9)])
        expected = (step if name == "step" else keras.activations.get(name))(keras.ops.array(x))
        np.testing.assert_allclose(model.predict(x), expected, rtol=1e-5, atol=1e-7)
    for rule in initializers.INITIALIZERS.values():
        assert keras_initializer(rule(), 3)((2, 3)).shape == (2, 3)
        assert type(keras_initializer(rule(), 3)).__name__ == rule.__name__
    assert keras_initializer(initializers.RandomUniform(2, 3), 1)((9,)).numpy().min() >= 2
    assert keras_regularizer(regularizers.L1L2(0.5, 0.25), "float32").get_config() == {"l1": 0.5, "l2": 0.25}
    assert keras_regularizer(None, "float32") is None


@pytest.mark.parametrize(
    ("name", "in_keras"), [("net", "net"), ("dense", "dense"), ("my net", "my_net"), ("_net", "model__net"), ("2", "2")]
)
def test_the_model_keeps_its_name(name, in_keras):
    for layers in ((Dense(2, name="dense"),), (Dense(2, name="dense"), Add(inputs=("dense", "dense")))):
        model = KerasModel(ModelSpec(name, (3,), layers))
        assert model.keras_model.name == in_keras
        assert model.predict(np.ones((1, 3))).shape == (1, 2)


def test_step_is_one_above_zero_only():
    np.testing.assert_array_equal(step(keras.ops.array([-1.0, 0.0, 1e-9])), [0, 0, 1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_seed_same_bits(every_layer, dtype):
    first, second = KerasModel(every_layer, 7, dtype), KerasModel(every_layer, 7, dtype)
    other = KerasModel(every_layer, 8, dtype)
    for name, value in first.weights.items():
        assert value.dtype == dtype
        np.testing.assert_array_equal(value, second.weights[name])
    assert (first.weights["conv2d/kernel"] != other.weights["conv2d/kernel"]).all()
    assert keras.config.floatx() == "float32"


def test_seeds_come_from_the_position_in_the_model():
    spec = ModelSpec("m", (4,), (Dropout(0.5), Dense(3, bias_initializer="random_normal"), Dropout(0.5)))
    model = KerasModel(spec, seed=7, dropout_seed=9)
    expected = keras.initializers.GlorotUniform(layer_seed(7, 1, "kernel"))((4, 3))
    np.testing.assert_array_equal(model.weights["dense/kernel"], expected)
    expected = keras.initializers.RandomNormal(stddev=0.05, seed=layer_seed(7, 1, "bias"))((3,))
    np.testing.assert_array_equal(model.weights["dense/bias"], expected)
    seeds = [layer.seed for layer in model.keras_model.layers if isinstance(layer, keras.layers.Dropout)]
    assert seeds == [layer_seed(9, 0, "dropout"), layer_seed(9, 2, "dropout")]


def test_unknown_layer_is_named_with_the_supported_list():
    @dataclass(frozen=True)
    class Attention(LayerSpec):
        pass

    with pytest.raises(ValueError, match="layer 0 'attention' is a Attention.*supported are Dense, Conv2D"):
        KerasModel(ModelSpec("m", (4,), (Attention(),)))


def test_wrong_arguments_are_refused():
    for arguments, words in [((3,), "ModelSpec"), ((zoo.mlp(), -1), "seed"), ((zoo.mlp(), 0, "float16"), "float16")]:
        with pytest.raises(ValueError, match=words):
            KerasModel(*arguments)


def test_half_sum_squared_error_sums_outputs_and_averages_examples():
    target, output = np.zeros((2, 2, 2), "float32"), np.arange(8, dtype="float32").reshape(2, 2, 2)
    assert float(HalfSumSquaredError()(target, output)) == 0.5 * (output**2).sum() / 2
