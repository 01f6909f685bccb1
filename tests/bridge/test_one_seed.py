"""One seed gives both backends the same first weights and the same dropout masks, without copying anything."""

import numpy as np
import pytest

from core_numpy import NumpyModel
from core_numpy.initializers import initialize
from core_numpy.masks import KerasMask
from keras_models import KerasModel
from keras_models.initializers import keras_initializer
from keras_models.runtime import floatx
from model_spec import BatchNormalization, Conv2D, Dense, Dropout, Flatten, ModelSpec, TrainingSpec, initializers, zoo
from model_spec.streams import layer_seed

SEEDS = range(20)
SHAPES = [(7,), (1, 1), (13, 6), (3, 3, 2, 5), (5, 1, 3, 7)]
DTYPES = ["float32", "float64"]
UNIFORM = ["random_uniform", "glorot_uniform", "he_uniform", "lecun_uniform"]
NORMAL = ["random_normal", "glorot_normal", "he_normal", "lecun_normal"]


def drawn(rule, shape, seed, dtype):
    """(core_numpy's first values, Keras' first values) as arrays of ``dtype``."""
    with floatx(dtype):
        theirs = np.asarray(keras_initializer(rule, seed)(shape, dtype=dtype))
    ours = initialize(rule, shape, seed, np.dtype(dtype))
    assert ours.dtype == theirs.dtype == dtype
    return ours, theirs


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNIFORM)
def test_uniform_initializers_are_equal_in_every_bit(name, dtype):
    rule = initializers.get(name)
    for seed in SEEDS:
        for shape in SHAPES:
            ours, theirs = drawn(rule, shape, layer_seed(seed, 3, "kernel"), dtype)
            np.testing.assert_array_equal(ours, theirs, err_msg=f"{name} {shape} {seed}")


# Worst case of one value, sin(angle) * sqrt(-2 log(u)) * deviation, in units of the type's epsilon. Angle and u are
# equal in every bit. NumPy's sine and logarithm are within 1 unit, Eigen's within 2; the root halves the logarithm's
# share; root, product and scaling add half a unit each: (1 + 1/2 + 3/2) + (2 + 1 + 3/2) = 7.5.
# Measured over 200 seeds and 1000 values: 3.03 in float32 (22 % of the values differ), 1.92 in float64 (0.17 %).
NORMAL_UNITS = 7.5
LARGEST_SHARE = {"float32": 0.3, "float64": 0.01}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NORMAL)
def test_normal_initializers_agree_within_the_units_of_sine_and_logarithm(name, dtype):
    rule = initializers.get(name)
    epsilon = np.finfo(dtype).eps
    different = total = 0
    for seed in SEEDS:
        for shape in [*SHAPES, (40, 25)]:
            ours, theirs = drawn(rule, shape, layer_seed(seed, 0, "kernel"), dtype)
            units = np.abs(ours.astype(np.float64) - theirs) / (epsilon * np.abs(theirs.astype(np.float64)))
            assert units.max() <= NORMAL_UNITS, (name, shape, seed)
            different += int((ours != theirs).sum())
            total += ours.size
    assert different / total < LARGEST_SHARE[dtype]


NETWORK = ModelSpec(
    "first weights",
    (7, 5, 2),
    (
        Conv2D(3, (3, 2), kernel_initializer="he_uniform", bias_initializer="random_uniform"),
        BatchNormalization(),
        Dropout(0.3),
        Flatten(),
        Dense(6, kernel_initializer="lecun_uniform", bias_initializer="ones"),
        Dense(4, bias_initializer=initializers.Constant(0.1)),
    ),
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("spec", [NETWORK, zoo.lenet((8, 8, 1)), zoo.mlp((8, 8, 1))], ids=lambda spec: spec.name)
def test_whole_models_start_from_the_same_bits(spec, dtype):
    for seed in (0, 7):
        ours, theirs = NumpyModel(spec, seed, dtype).weights, KerasModel(spec, seed, dtype).weights
        assert list(ours) == list(theirs)
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    # The seed matters, and it differs from layer to layer
    other = KerasModel(spec, 1, dtype).weights
    assert all(not np.array_equal(other[name], theirs[name]) for name in theirs if name.endswith("kernel"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(7,), (13, 3), (5, 3, 3)], ids=str)
def test_ten_consecutive_masks_are_equal_in_every_bit(shape, dtype):
    rates = (0.1, 0.25, 0.5)
    spec = ModelSpec("masks", shape, tuple(Dropout(rate) for rate in rates))
    model = KerasModel(spec, seed=3, dtype=dtype, dropout_seed=11)
    ones = np.ones((3, *shape), dtype)
    seen = []
    for call in range(10):
        for index, (rate, layer) in enumerate(zip(rates, model.keras_model.layers, strict=True)):
            theirs = np.asarray(layer(ones, training=True))
            mask = KerasMask(layer_seed(11, index, "dropout"), call).keep_mask(ones.shape, rate, np.dtype(dtype))
            np.testing.assert_array_equal(theirs != 0, mask)
            np.testing.assert_array_equal(theirs, mask * ones.dtype.type(1 / (1 - rate)))
        seen.append(mask)
        ours = NumpyModel(spec, seed=4, dtype=dtype, dropout_seed=11).activations(ones, True, dropout_call=call)
        np.testing.assert_array_equal(ours["dropout_2"], model.activations(ones, True, call)["dropout_2"])
    assert len({mask.tobytes() for mask in seen}) == 10


def distance(a, b, learning_rate):
    """Largest difference over the largest entry; a tensor that started at zero is measured by one step."""
    return float(np.abs(a - b).max() / max(np.abs(a).max(), learning_rate))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_twenty_steps_of_lenet_with_dropout_agree_from_the_seed_alone(optimizer):
    spec = zoo.lenet((8, 8, 1))
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 200)
    x = np.clip(random.random((10, 8, 8, 1))[labels] + 0.1 * random.standard_normal((200, 8, 8, 1)), 0, 1)
    training = TrainingSpec(optimizer=optimizer, batch_size=16, steps=20, seed=2)
    ours, theirs = NumpyModel(spec, seed=7, dtype="float64"), KerasModel(spec, seed=7, dtype="float64")
    start = ours.weights
    histories = [model.fit(x, labels, training, verbose=0) for model in (ours, theirs)]
    rate = training.optimizer.learning_rate
    found, expected = ours.weights, theirs.weights
    for name in expected:
        assert distance(expected[name], found[name], rate) < 1e-9, name
        # It did train
        assert distance(expected[name], start[name], rate) > 1e-3, name
    assert histories[0].history["loss"] == pytest.approx(histories[1].history["loss"], rel=1e-12)
    # And dropout was on: other masks lead elsewhere
    other = NumpyModel(spec, seed=7, dtype="float64", dropout_seed=8)
    other.fit(x, labels, training, verbose=0)
    assert distance(expected["dense/kernel"], other.weights["dense/kernel"], rate) > 1e-4


@pytest.mark.parametrize("kind", [NumpyModel, KerasModel])
def test_a_model_shows_what_it_was_made_of(kind):
    assert repr(kind(zoo.mlp(), seed=3, dtype="float64")) == f"{kind.__name__}('mlp', seed=3, dtype='float64')"
