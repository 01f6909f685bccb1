"""The networks with branches, depthwise convolutions and sequences: both backends agree on them and train alike."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits

import bridge
from model_spec import Adam, TrainingSpec, zoo, zoo_extended

SPECS = {
    "resnet8": zoo_extended.resnet8((8, 8, 1)),
    "inception_block": zoo_extended.inception_block((8, 8, 1)),
    "mobilenet_small": zoo_extended.mobilenet_small((8, 8, 1)),
    "har_conv1d": zoo_extended.har_conv1d((16, 3)),
    "har_conv1d of images": zoo_extended.har_conv1d((8, 8, 1), 10),
    "autoencoder": zoo_extended.autoencoder((8, 8, 1)),
    "regressor": zoo_extended.regressor((5,), 2),
}


def examples(spec, rows):
    """Inputs, and targets with the loss that takes them."""
    random = np.random.default_rng(0)
    x = random.random((rows, *spec.input_shape))
    if spec.name == "autoencoder":
        return x, x, "mse"
    if spec.name == "regressor":
        return x, random.normal(size=(rows, *spec.output_shape)), "mse"
    return x, random.integers(spec.output_shape[0], size=rows), None


@pytest.mark.parametrize("name", SPECS)
def test_one_batch_agrees(name):
    x, y, loss = examples(SPECS[name], 6)
    report = bridge.compare(SPECS[name], x, y, loss=loss)
    assert report.passed, str(report)


ON_DATA = [*(("digits", name) for name in SPECS if name not in ("regressor", "har_conv1d")), ("diabetes", "regressor")]


def test_sequences_trained_in_lock_step():
    """The one network that no data here fits; the others are trained below."""
    x, y, _ = examples(SPECS["har_conv1d"], 48)
    training = TrainingSpec(optimizer=Adam(0.001), batch_size=16)
    report = bridge.compare_training(SPECS["har_conv1d"], x, y, training, 5, dtype="float64", controls=1)
    assert report.passed, str(report)


@pytest.mark.slow
@pytest.mark.parametrize(("data", "name"), ON_DATA)
def test_fifty_steps_in_lock_step_stay_together(data, name):
    """On real data, in float64: all that both backends carry is within 1e-9 after each of fifty steps."""
    if data == "digits":
        images, y = load_digits(return_X_y=True)
        spec, x = SPECS[name], images.reshape(-1, 8, 8, 1) / 16
    else:
        x, y = load_diabetes(return_X_y=True)
        spec, y = zoo_extended.regressor((10,)), ((y - y.mean()) / y.std())[:, None]
    y = x if name == "autoencoder" else y
    loss = "mse" if name in ("autoencoder", "regressor") else None
    training = TrainingSpec(optimizer=Adam(0.001), loss=loss, batch_size=32)
    # One control alone may by chance stay four times nearer than the others do
    report = bridge.compare_training(spec, x[:320], y[:320], training, 50, dtype="float64")
    assert report.passed, str(report)
    assert len(report.steps) == 50
    assert max(step.largest for step in report.steps) < 1e-9


def test_they_are_known_by_name():
    for name in zoo_extended.CLASSIFIERS:
        assert zoo.build(name, (28, 28, 1), 7).output_shape == (7,)
    with pytest.raises(ValueError, match=r"did you mean 'resnet8'\?"):
        zoo.build("resnet18")
