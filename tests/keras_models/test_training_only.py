"""What of a Keras model changes training alone: it is read, predictions are the same, and what is left out is named."""

import inspect
import warnings

import keras
import numpy as np
import pytest

import bridge.conversion
import model_spec as ms
from core_numpy import NumpyModel
from keras_models import KerasModel, floatx, read
from keras_models.layers import training_only
from keras_models.weight_files import save_model

layers = keras.layers
POSITIVE = {"drop_path_rate": 0.2, "factor": 0.2, "stddev": 0.1, "rate": 0.1, "height_factor": 0.1, "width_factor": 0.1}


def sequential(*members, shape=(8, 8, 3)):
    return keras.Sequential([keras.Input(shape), *members, layers.Flatten(), layers.Dense(2)])


def made(kind):
    """A layer of this kind that would do something in training."""
    needed = {name: value for name, value in POSITIVE.items() if name in inspect.signature(kind.__init__).parameters}
    if kind is layers.RandomPosterization:
        needed["factor"] = 4
    return kind(**needed)


def test_every_layer_of_noise_and_augmentation_is_the_identity_in_inference():
    assert {layers.RandomFlip, layers.RandomContrast, layers.MixUp, layers.GaussianNoise} <= set(training_only.KINDS)
    x = (300 * np.random.default_rng(0).normal(size=(3, 8, 8, 3))).astype("float32")
    for kind in training_only.KINDS:
        layer = made(kind)
        assert np.array_equal(np.asarray(layer(x, training=False)), x), kind


@pytest.mark.parametrize("suffix", [None, ".keras", ".h5"])
def test_they_are_read_and_named(suffix, tmp_path):
    kinds = (*training_only.NOISE, *training_only.PENALTIES, layers.RandomFlip, layers.RandomZoom, layers.RandomErasing)
    model = sequential(*(made(kind) for kind in kinds))
    source = model
    if suffix:
        source = tmp_path / f"model{suffix}"
        with warnings.catch_warnings():
            # Keras turns its variables into arrays the way NumPy 1 wanted it, and calls HDF5 a legacy format
            warnings.simplefilter("ignore")
            model.save(source)
    found = read(source)
    assert [layer.activation for layer in found.spec.layers[: len(kinds)]] == ["linear"] * len(kinds)
    assert len(found.notes) == len(kinds)
    for kind, note in zip(kinds, found.notes, strict=True):
        assert f"({kind.__name__}) changes training only and is left out" in note


OPTIONS = [
    (lambda: layers.Dense(3, kernel_constraint="min_max_norm"), "kernel_constraint=MinMaxNorm"),
    (lambda: layers.Dense(3, bias_constraint=keras.constraints.MaxNorm(0)), "bias_constraint=MaxNorm"),
    (lambda: layers.Dense(3, activity_regularizer="l2"), "activity_regularizer=L2"),
    (
        lambda: layers.Conv2D(3, 2, kernel_constraint=keras.constraints.MinMaxNorm(axis=(0, 1, 2))),
        "kernel_constraint=MinMaxNorm",
    ),
    (lambda: layers.Dense(3, kernel_regularizer="orthogonal_regularizer"), "kernel_regularizer=OrthogonalRegularizer"),
    (lambda: layers.PReLU(alpha_constraint="non_neg"), "alpha_constraint=NonNeg"),
    (lambda: layers.LayerNormalization(gamma_regularizer="l2"), "gamma_regularizer=L2"),
    (lambda: layers.DepthwiseConv2D(3, depthwise_constraint="unit_norm"), "depthwise_constraint=UnitNorm"),
    (
        lambda: layers.BatchNormalization(gamma_regularizer="l2", beta_constraint="min_max_norm", synchronized=True),
        "beta_constraint=MinMaxNorm, gamma_regularizer=L2, synchronized=True",
    ),
]


@pytest.mark.parametrize(("make", "named"), OPTIONS, ids=[named for _, named in OPTIONS])
def test_options_are_left_out_and_named(make, named, tmp_path):
    model = sequential(make())
    save_model(model, tmp_path / "model.keras")
    for source in (model, tmp_path / "model.keras"):
        (note,) = read(source).notes
        assert f"{named} changes training only" in note


def save(model, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Keras' own, of its files
        model.save(path)


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_augmentation_inside_a_functional_model_is_read_from_its_file(ending, tmp_path):
    """Keras writes training=True beside it, the default of its call, and predicts without it all the same."""
    begin = keras.Input((6, 6, 1))
    model = keras.Model(begin, layers.Dense(2)(layers.Flatten()(layers.RandomFlip()(begin))))
    save(model, tmp_path / f"model.{ending}")
    certificate = bridge.conversion.convert(tmp_path / f"model.{ending}", tmp_path / "model.npz")
    assert certificate.passed
    assert "(RandomFlip) changes training only" in str(certificate)
    with pytest.raises(ValueError, match="is called with training=True"):
        model = keras.Model(begin, layers.Dense(2)(layers.Flatten()(layers.Dropout(0.5)(begin, training=True))))
        save(model, tmp_path / f"dropping.{ending}")
        bridge.conversion.convert(tmp_path / f"dropping.{ending}", tmp_path / "dropping.npz")


def test_the_certificate_says_it(tmp_path):
    model = sequential(
        layers.RandomFlip(), layers.Conv2D(2, 3, kernel_constraint="min_max_norm"), layers.SpatialDropout2D(0.5)
    )
    certificate = bridge.conversion.convert(model, tmp_path / "model.npz")
    assert certificate.passed
    assert "(RandomFlip) changes training only" in str(certificate)
    assert "kernel_constraint=MinMaxNorm changes training only" in str(certificate)
    assert len(certificate.to_dict()["not_kept"]) == 2


def test_a_penalty_a_specification_has_is_no_note():
    assert read(sequential(layers.Dense(3, kernel_regularizer="l1"))).notes == ()


MASKS = [
    (layers.SpatialDropout1D(0.4), (4, 3), (None, 1, None)),
    (layers.SpatialDropout2D(0.4), (8, 8, 3), (None, 1, 1, None)),
    (layers.SpatialDropout3D(0.4), (4, 4, 4, 2), (None, 1, 1, 1, None)),
    (layers.Dropout(0.4, noise_shape=(None, 1, 3)), (4, 3), (None, 1, 3)),
    (layers.Dropout(0.4, noise_shape=[None, 4, 1]), (4, 3), (None, 4, 1)),
]


@pytest.mark.parametrize(("layer", "shape", "expected"), MASKS, ids=lambda value: str(getattr(value, "name", value)))
def test_masks_that_values_share_are_read(layer, shape, expected, tmp_path):
    model = sequential(layer, shape=shape)
    save_model(model, tmp_path / "model.keras")
    for source in (model, tmp_path / "model.keras"):
        found = read(source)
        assert found.spec.layers[0] == ms.Dropout(0.4, expected, name=layer.name)
        assert found.notes == ()


def test_a_mask_of_channels_first_images_is_turned():
    conv = layers.Conv2D(5, 3, data_format="channels_first", use_bias=False)
    model = sequential(conv, layers.SpatialDropout2D(0.5, data_format="channels_first"), shape=(2, 7, 6))
    assert read(model).spec.layers[1].noise_shape == (-1, 1, 1, -1)


def test_a_mask_that_examples_share_is_refused():
    with pytest.raises(ValueError, match=r"noise_shape=\(1, 4, 3\) is not supported"):
        read(sequential(layers.Dropout(0.4, noise_shape=(1, 4, 3)), shape=(4, 3)))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_whole_channels_are_dropped_as_spatial_dropout_drops_them(dtype):
    """Keras' SpatialDropout2D with the seed of our layer, beside both of our models in training."""
    spec = ms.ModelSpec("spatial", (6, 5, 4), (ms.Dropout(0.5, (None, 1, 1, None)), ms.Flatten(), ms.Dense(2)))
    ours, theirs = NumpyModel(spec, seed=3, dtype=dtype), KerasModel(spec, seed=3, dtype=dtype)
    x = np.random.default_rng(0).uniform(1, 2, (3, 6, 5, 4)).astype(dtype)
    with floatx(dtype):
        spatial = layers.SpatialDropout2D(0.5, seed=theirs.keras_model.layers[0].seed, dtype=dtype)
        expected = np.asarray(spatial(x, training=True))
    for model in (ours, theirs):
        np.testing.assert_array_equal(model.activations(x, training=True)["dropout"], expected)
