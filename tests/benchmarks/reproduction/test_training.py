"""Every way of training and measuring, a few steps on both backends: they give the same."""

import dataclasses

import numpy as np
import pytest

from benchmarks.datasets import class_data
from benchmarks.reproduction import cells, measuring
from benchmarks.reproduction.experiment import load_rows, row_from
from benchmarks.reproduction.slices import DataSlice, Draw, Split
from benchmarks.reproduction.training import loss_of_parameters
from core_numpy import NumpyModel
from keras_models import KerasModel
from model_spec import ModelSpec, TrainingSpec
from model_spec.layers import Dense

DROPOUT = {"dense": [8, 6], "dropout": 0.15, "uninverted": True, "input_shape": [8, 8, 1]}
NORMALISED = {"dense": [8], "batch_normalization": {"center": False, "scale": False}, "input_shape": [8, 8, 1]}
LENGTH = {"batch_size": 64, "steps": 5, "sampling": "with_replacement"}


def shortened(variant, steps):
    """The same variant with at most this many epochs or steps."""
    if not variant.trains:
        return variant
    lengths = {key: min(value, steps) for key, value in variant.training.items() if key in ("epochs", "steps")}
    return dataclasses.replace(variant, training={**variant.training, **lengths})


def run_both(variant, data=None):
    entry = {"name": "short", "title": "", "claim": "", "data": data or {"name": "digits", "train": 200, "test": 100}}
    row = row_from({**entry, "variant": [{"name": "it", "dtype": "float64", **variant}]})
    wanted = [cells.cell(row, row.variants[0], backend, 1, 1).arguments for backend in cells.BACKENDS]
    return [cells.run(**arguments) for arguments in wanted]


def same(first, second, tolerance):
    """All numbers of two results, except seconds and machine."""
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert set(first) == set(second)
        for name in set(first) - {"seconds", "environment"}:
            same(first[name], second[name], tolerance)
    elif isinstance(first, list):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            same(one, other, tolerance)
    elif isinstance(first, float):
        assert first == pytest.approx(second, rel=tolerance, abs=tolerance)
    else:
        assert first == second


@pytest.mark.parametrize(
    "variant",
    [
        {"network": DROPOUT, "training": LENGTH, "readings": ["as_training", "inference"], "watch": ["train", "test"]},
        {"network": NORMALISED, "training": LENGTH, "readings": ["as_training", "inference"]},
        {"network": DROPOUT, "training": {"epochs": 2}, "printed_penalty": {"strength": 0.1, "layers": 2}},
        {"network": {**DROPOUT, "penalty": 0.1, "penalties": 2}, "training": {"epochs": 2}},
        {"network": DROPOUT, "training": LENGTH, "way": "steps"},
        {"network": DROPOUT, "training": LENGTH, "way": "steps", "rule": {"type": "TextbookAdagrad"}},
    ],
    ids=["dropout", "batch normalization", "printed penalty", "penalty", "steps", "rule"],
)
def test_a_few_steps_are_the_same_on_both_backends(variant):
    ours, theirs = run_both(variant)
    # float64: rounding of a few steps, amplified by a division by small deviations in batch normalization
    same(ours, theirs, 1e-9)
    assert ours["alone"]
    assert ours["seconds"] > 0


def test_validation_and_early_stopping():
    stop = {"type": "EarlyStopping", "monitor": "val_loss", "patience": 0}
    training = {"optimizer": {"type": "SGD", "learning_rate": 3.0}, "epochs": 30, "early_stopping": stop}
    data = {"name": "digits", "split": {"share": 0.3, "random_state": 777}}
    ours, theirs = run_both({"network": NORMALISED, "training": training, "watch": []}, data)
    # A rate this large makes the loss rise soon; how soon is the same for both
    assert ours["figures"]["run"] == pytest.approx(theirs["figures"]["run"], rel=1e-6)
    assert ours["figures"]["run"]["epochs"] < 30
    assert ours["figures"]["run"]["epoch_of_lowest_validation_loss"] < ours["figures"]["run"]["epochs"]
    assert set(ours["curves"]["history"]) == {"at", "loss", "accuracy", "val_loss", "val_accuracy"}


def test_the_numerical_gradient_takes_the_steps_of_backpropagation():
    rows = load_rows()
    found = {}
    for name in ("class-data-numerical", "class-data-backpropagation"):
        variant = shortened(rows[name].variants[0], 5)
        for backend in cells.BACKENDS:
            found[name, backend] = cells.run(**cells.cell(rows[name], variant, backend, 0, 1).arguments)
    curves = [result["curves"]["history"]["loss"] for result in found.values()]
    assert len(curves[0]) == 5
    for curve in curves[1:]:
        # The central difference is off by its width squared, a millionth
        assert curve == pytest.approx(curves[0], abs=1e-6)
    assert curves[0][0] > curves[0][-1]


def test_the_loss_of_changed_parameters_is_that_of_a_model_with_them():
    (x, y), _ = class_data()
    spec = ModelSpec("two layers", (2,), (Dense(2, activation="sigmoid"), Dense(3, activation="softmax")))
    for kind in (NumpyModel, KerasModel):
        model = kind(spec, 1, "float64")
        model.start_training(TrainingSpec())
        values, loss = loss_of_parameters(model, x, y)
        values[0][0, 0] += 0.5
        expected = kind(spec, 1, "float64")
        expected.set_weights(values)
        assert loss(values) == pytest.approx(expected.loss_and_gradients(x, y).loss, rel=1e-14)


@pytest.mark.parametrize("kind", [NumpyModel, KerasModel])
def test_the_courses_check_values(kind):
    (x, y), _ = class_data()
    spec = ModelSpec("two layers", (2,), (Dense(2, activation="sigmoid"), Dense(3, activation="softmax")))
    model = kind(spec, dtype="float64")
    model.set_weights([np.ones_like(value) for value in model.get_weights()])
    values = model.activations(x[:2], preactivations=True)
    np.testing.assert_allclose(values["dense/preactivation"][:, 0], [1.72359839, -1.12079826], atol=5e-9)
    np.testing.assert_allclose(values["dense"][:, 1], [0.84859175, 0.24586324], atol=5e-9)
    np.testing.assert_allclose(values["dense_1/preactivation"][:, 2], [2.6971835, 1.49172649], atol=5e-9)
    assert model.loss_and_gradients(x[:2], y[:2]).loss == pytest.approx(1.0986122886681098, rel=1e-15)


def test_inspection_gives_the_same_on_both_backends():
    look = {"hidden": [6, 5], "weights": [1.0, "he"], "activations": ["sigmoid", "relu"], "rows": 20}
    ours, theirs = run_both({"way": "histograms", "look": look})
    same(ours["figures"], theirs["figures"], 1e-9)
    assert len(ours["looked"]["histograms"]) == 8
    assert sum(ours["looked"]["histograms"][0]["counts"]) == 20 * 6
    look = {"image": 0, "kernels": [[[1, 1, 1], [1, 1, 1], [-2, -2, -2]]]}
    ours, theirs = run_both({"way": "filters", "look": look})
    same(ours["looked"], theirs["looked"], 1e-12)
    image = np.asarray(ours["looked"]["image"])
    expected = image[:2, :3].sum() - 2 * image[2, :3].sum()
    assert ours["looked"]["maps"][0][0][0] == pytest.approx(expected, abs=1e-12)


def test_measuring_as_in_training_has_dropout_on_and_the_batchs_statistics():
    random = np.random.default_rng(0)
    part = random.normal(2.0, 3.0, (50, 64)).reshape(50, 8, 8, 1), random.integers(10, size=50)
    from benchmarks.reproduction.networks import network

    model = NumpyModel(network("bn", NORMALISED), 0, "float64")
    before = model.weights
    inference, as_training = (measuring.measure(model, reading, part, 1) for reading in ("inference", "as_training"))
    assert inference["loss"] != pytest.approx(as_training["loss"], rel=1e-3)
    model.start_training(TrainingSpec())
    # The first step's loss is that of the batch as training sees it
    assert model.train_on_batch(*part) == pytest.approx(as_training["loss"], rel=1e-5)
    assert set(before) == set(model.weights)


def test_slices():
    parts = DataSlice("digits", split=Split(0.3, 777)).parts(0)
    assert {name: len(x) for name, (x, _) in parts.items()} == {"train": 1005, "test": 360, "validation": 432}
    drawn = DataSlice("digits", draw=Draw(1000, 70, 30))
    first, again, other = drawn.parts(0), drawn.parts(0), drawn.parts(1)
    assert len(first["train"][0]) == 70
    assert len(first["validation"][1]) == 30
    np.testing.assert_array_equal(first["train"][0], again["train"][0])
    assert not np.array_equal(first["train"][0], other["train"][0])
    with pytest.raises(ValueError, match="draw.pool must leave rows for validation: 2000 of 1437"):
        DataSlice("digits", draw=Draw(2000, 70, 30)).parts(0)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, row in load_rows().items() if row.data.name != "class_data"])
def test_every_row_trains_on_both_backends(name, monkeypatch):
    """Two epochs or steps each, on a handful of random images in the place of the data."""
    random = np.random.default_rng(0)
    side = 8 if name == "digits" else 28
    parts = {
        part: (random.random((40, side, side, 1)), random.integers(10, size=40))
        for part in ("train", "test", "validation")
    }
    row = load_rows()[name]
    if row.data.split is None and row.data.draw is None:
        del parts["validation"]
    monkeypatch.setattr(
        DataSlice, "parts", lambda self, seed, dtype: {k: (x.astype(dtype), y) for k, (x, y) in parts.items()}
    )
    for variant in row.variants:
        wanted = [cells.cell(row, shortened(variant, 2), backend, 0, 1).arguments for backend in cells.BACKENDS]
        ours, theirs = (cells.run(**arguments) for arguments in wanted)
        for reading in ours["figures"]:
            for figure, value in ours["figures"][reading].items():
                if figure.endswith("loss"):
                    # float32: two steps of a deep network, some thousand roundings of 6e-8
                    assert value == pytest.approx(theirs["figures"][reading][figure], rel=1e-3)
