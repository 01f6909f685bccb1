"""The noise floor: Keras with other kernels and threads stays within the bounds that NumPy is held to."""

import json
from dataclasses import replace

import numpy as np
import pytest

import bridge
from bridge.judge.keras_noise import CONFIGURATIONS, MODES, RecordedModel
from bridge.judge.truth import random_cotangent
from core_numpy import NumpyModel
from keras_models import KerasModel
from model_spec import zoo

SPEC = zoo.mlp((4, 4, 1))
X = np.random.default_rng(0).standard_normal((6, 4, 4, 1)).astype(np.float32)
Y = np.arange(6) % 10


@pytest.fixture(scope="module")
def floor():
    """One process for each configuration, so once for all tests."""
    return bridge.noise_floor(SPEC, X, Y)


def test_every_other_configuration_stays_within_the_bound(floor):
    assert list(floor.reports) == [configuration.name for configuration in CONFIGURATIONS[1:]]
    for name, report in floor.reports.items():
        assert report.passed, str(report)
        assert report.sides == (CONFIGURATIONS[0].name, name)
        assert {(row.dtype, row.mode) for row in report.rows} == {("float32", "inference"), ("float32", "training")}
        assert {row.stage for row in report.rows} == {"forward", "loss gradient", "pullback"}
        assert max(row.error_over_bound for row in report.rows) < 1
        assert floor.worst(name).error_over_bound == max(row.error_over_bound for row in report.rows)


def test_as_text_and_json(floor):
    first, *lines = str(floor).splitlines()
    assert first == f"Keras against itself ({CONFIGURATIONS[0].name}):"
    assert len(lines) == len(CONFIGURATIONS) - 1
    for line, configuration in zip(lines, CONFIGURATIONS[1:], strict=True):
        assert line.split("  ")[1] == configuration.name
        assert line.endswith(floor.worst(configuration.name).tensor)
    facts = json.loads(json.dumps(floor.to_dict()))
    assert {name: len(rows) for name, rows in facts.items()} == {
        name: len(report.rows) for name, report in floor.reports.items()
    }


def recorded(model, seed):
    cotangent = random_cotangent(SPEC, len(X), seed, model.dtype)
    return RecordedModel(
        SPEC,
        model.dtype,
        model.dropout_seed,
        model.weights,
        {mode: model.activations(X, training=mode, preactivations=True) for mode in MODES},
        {mode: model.loss_and_gradients(X, Y, training=mode) for mode in MODES},
        {mode: model.pullback(X, cotangent, training=mode) for mode in MODES},
    )


def test_what_is_recorded_is_judged_like_the_model_itself():
    ours, theirs = (kind(SPEC, 1, "float32", dropout_seed=0) for kind in (NumpyModel, KerasModel))
    bridge.copy_weights(ours, theirs)
    keras = recorded(theirs, 3)
    assert bridge.compare_models(ours, keras, X, Y, 3, locate=False).passed
    pulled = keras.pullbacks_by_mode[True]
    changed = {**pulled.parameters, "dense/bias": pulled.parameters["dense/bias"] * np.float32(1.001)}
    faulty = replace(keras, pullbacks_by_mode={**keras.pullbacks_by_mode, True: replace(pulled, parameters=changed)})
    report = bridge.compare_models(ours, faulty, X, Y, 3, locate=False)
    assert [(row.mode, row.stage, row.tensor) for row in report.failures] == [
        ("training", "pullback", "gradient of dense/bias")
    ]
