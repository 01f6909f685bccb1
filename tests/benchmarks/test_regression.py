"""Values to predict: how they are read, which networks and losses they take, and both backends trained on them."""

import json

import jsonschema
import numpy as np
import pytest

import keras_models
from benchmarks import experiments, own_data, regression
from benchmarks.accuracy import figures_on, train_both
from benchmarks.cli import main
from benchmarks.commands.open import page_of
from model_spec import Dense, ModelSpec, Softmax, TrainingSpec, losses
from model_spec.verdict import Verdict
from tests.benchmarks.report.test_report import SCHEMA

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((60, 3)).round(3)
Y = (X @ [1.0, -2.0, 0.5] + 0.25).round(3)
LINE = """name = "{name}"
input_shape = [3]
layers = [{{type = "Dense", units = 1}}]
training = {{learning_rate = 0.1, epochs = 30}}
"""


def archive(folder, **arrays):
    np.savez(folder / "own.npz", **arrays)
    return str(folder / "own.npz")


def table(folder, y):
    rows = [",".join(map(str, (*x, value))) for x, value in zip(X, y, strict=True)]
    (folder / "own.csv").write_text("\n".join(["a,b,c,target", *rows]))
    return str(folder / "own.csv")


READ = {
    "fractions": ({"x": X, "y": Y}, False, 1),
    "a column of fractions": ({"x": X, "y": Y[:, None]}, False, 1),
    "several values": ({"x": X, "y": np.stack([Y, -Y], 1)}, False, 2),
    "whole numbers, asked for": ({"x": X, "y": np.arange(60)}, True, 1),
    "a test part": ({"x_train": X, "y_train": Y, "x_test": X[:9], "y_test": np.arange(9)}, False, 1),
}


@pytest.mark.parametrize("name", READ)
def test_values_are_read_as_they_are(name, tmp_path):
    arrays, as_values, count = READ[name]
    data = own_data.read(archive(tmp_path, **arrays), as_values)
    (x, y), (x_test, y_test) = data.train, data.test
    assert y.dtype == y_test.dtype == np.float64
    assert y.shape == (len(x), count) and y_test.shape == (len(x_test), count)
    assert "values in" in data.notes[0] and "a regression" in data.notes[0]
    # Each row has kept its value
    given = {tuple(row): value for row, value in zip(X, np.reshape(arrays.get("y", Y), (60, count)), strict=True)}
    assert all(np.array_equal(given[tuple(row)], value) for row, value in zip(x, y, strict=True))
    assert experiments.load_data(archive(tmp_path, **arrays), as_values=as_values).is_regression


REFUSED = {
    "a gap": ({"x": X, "y": np.where(np.arange(60) == 3, np.nan, Y)}, "y holds nan; leave out rows without a value"),
    "one value": ({"x": X, "y": np.full(60, 0.5)}, "every value to predict is 0.5"),
    "other targets for testing": (
        {"x_train": X, "y_train": Y, "x_test": X, "y_test": np.stack([Y, Y], 1)},
        "as many values a row, got 1 and 2",
    ),
    "a volume": ({"x": X, "y": Y[:, None, None]}, r"y is float64 \(60, 1, 1\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_values_that_cannot_be_learned_are_refused(name, tmp_path):
    arrays, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        own_data.read(archive(tmp_path, **arrays))


ENDS = {
    "softmax": ((Dense(1, activation="softmax"),), Y, "ends in softmax, which gives probabilities"),
    "a softmax layer": ((Dense(1), Softmax()), Y, "ends in softmax"),
    "ten outputs": ((Dense(10),), Y, r"gives output \(10,\).*a value to predict.*end the network with Dense\(1\)"),
    "sigmoid": ((Dense(1, activation="sigmoid"),), Y, r"ends in sigmoid, which gives 0\.\.1.*a value to predict"),
    "relu": ((Dense(1, activation="relu"),), Y, "ends in relu, which gives 0..inf"),
    "a sigmoid that suffices": ((Dense(1, activation="sigmoid"),), np.abs(Y) / 9, None),
    "linear": ((Dense(1),), Y, None),
}


@pytest.mark.parametrize("name", ENDS)
def test_ends_that_fit_and_do_not(name):
    layers, y, message = ENDS[name]
    spec = ModelSpec("net", (3,), layers)
    if message is None:
        regression.check_end(spec, "own", y[:, None])
    else:
        with pytest.raises(ValueError, match=message):
            regression.check_end(spec, "own", y[:, None])


def test_losses_of_classes_are_refused():
    regression.check_loss(losses.get("mae"), "own")
    for name in ("categorical_crossentropy", "binary_crossentropy", "hinge"):
        with pytest.raises(ValueError, match="is one of classes.*take mean_squared_error"):
            regression.check_loss(losses.get(name), "own")


def test_figures_are_those_of_scikit_learn():
    from sklearn import metrics

    targets, outputs = RANDOM.standard_normal((2, 40, 2))
    found = regression.figures(targets, outputs)
    assert found["r2"] == pytest.approx(metrics.r2_score(targets, outputs))
    assert found["rmse"] == pytest.approx(metrics.mean_squared_error(targets, outputs) ** 0.5)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(targets, outputs))
    assert np.isnan(regression.figures(targets, np.full_like(outputs, np.nan))["r2"])


def test_a_worse_backend_differs_and_rounding_does_not():
    y, noise = Y[:, None], RANDOM.standard_normal((60, 1))
    assert regression.p_value(y, y + noise, y + noise) == 1
    assert regression.p_value(y, y + noise, y + noise * (1 + 1e-6)) > 0.99
    assert regression.p_value(y, y + noise, y + 3 * noise) < 1e-4


def test_the_interval_of_r2_is_that_of_a_bootstrap():
    from scipy.stats import bootstrap
    from sklearn.metrics import r2_score

    random = np.random.default_rng(3)
    targets = random.standard_normal((80, 2))
    outputs = targets + 0.5 * random.standard_normal((80, 2))
    low, high = regression.r2_interval(targets, [outputs])
    expected = bootstrap(
        (np.arange(80),),
        lambda rows: r2_score(targets[rows], outputs[rows]),
        n_resamples=2000,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.02)
    assert regression.r2_interval(targets, [outputs]) == (low, high)
    assert regression.r2_interval(targets, [outputs, outputs]) == (low, high)
    assert low < regression.r2_interval(targets, [outputs, targets])[0]
    assert np.isnan(regression.r2_interval(targets, [np.full_like(outputs, np.inf)])).all()
    assert np.isnan(regression.r2_interval(targets[:1], [outputs[:1]])).all()


def test_errors_of_two_networks_are_compared_example_by_example():
    random = np.random.default_rng(4)
    y, noise = Y[:, None], random.standard_normal((60, 1)) + 2
    # A little worse on each example: paired it shows, among the scatter of the examples it does not
    assert (
        regression.paired_p_value(y, y + noise, y + 1.05 * noise)
        < 1e-4
        < regression.p_value(y, y + noise, y + 1.05 * noise)
    )
    assert regression.paired_p_value(y, y + noise, y + noise) == 1
    assert regression.paired_p_value(y, y, y + 1) == 0


def test_both_backends_learn_the_line():
    spec = ModelSpec("line", (3,), (Dense(1),))
    training = TrainingSpec(loss="mse", optimizer="adam", epochs=60, batch_size=10).replace(seed=1)
    result = train_both(spec, training, (X, Y[:, None]), (X, Y[:, None]))
    assert result.verdict == Verdict.AGREE
    for backend in result.backends:
        assert backend.test["rmse"] ** 2 == pytest.approx(backend.test["loss"], rel=1e-5)
        assert figures_on(backend.model, X, Y[:, None])[0] == backend.test
    assert "test R^2" in str(result.table())
    assert "95 % interval" in str(result.table()) and max(map(len, str(result.table()).splitlines())) <= 120
    assert list(result.to_dict()["r2_intervals"]) == ["NumPy", "Keras"]
    assert "Welch" in result.word()


def test_compare_train_and_data_of_a_table(short_speeds, tmp_path, monkeypatch, capsys):
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keras_models, "set_threads", lambda threads: None)
    path = table(tmp_path, Y)
    for name in ("line", "other"):
        (tmp_path / f"{name}.toml").write_text(LINE.format(name=name))
    with short_speeds():
        assert main(["compare", "line.toml", "other.toml", "--data", path, "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "test R^2" in shown and "side by side" in shown and "accuracy" not in shown
    assert "line - other" in shown and "no more than chance" in shown and "95 % interval" in shown
    # Each side by side has a directory of its own, and the newest is opened
    with short_speeds():
        assert main(["compare", "line.toml", "other.toml", "--data", path, "--quiet", "--limit", "30"]) == 0
    capsys.readouterr()
    first, second = (tmp_path / "runs" / name / "side_by_side.html" for name in ("side-by-side", "side-by-side-2"))
    assert 'href="../line/report.html"' in first.read_text() and 'href="../line-2/report.html"' in second.read_text()
    assert page_of(tmp_path / "runs").resolve() == second
    (report,) = tmp_path.glob("runs/line/report.json")
    entry = json.loads(report.read_text())
    jsonschema.validate(entry, SCHEMA)
    assert entry["accuracy"] is None
    assert [backend["test"]["r2"] > 0.9 for backend in entry["regression"]["backends"]] == [True, True]
    page = report.with_suffix(".html").read_text()
    assert "R^2 of the test set is NumPy 0.9" in page and "Predicted over true values" in page
    assert "Confusion" not in page and "test accuracy" not in page.lower()
    assert main(["data", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["targets"][0]["largest"] > 0
    assert main(["data", path]) == 0
    assert "ends with Dense(1)" in capsys.readouterr().out


def test_whole_numbers_are_values_where_loss_and_network_say_so(tmp_path, monkeypatch, capsys):
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keras_models, "set_threads", lambda threads: None)
    path = table(tmp_path, np.arange(60) % 7)
    (tmp_path / "line.toml").write_text(LINE.format(name="line"))
    command = ["train", "line.toml", "--data", path, "--quiet", "--epochs", "2"]
    assert main([*command, "--loss", "mse"]) == 0
    assert "test R^2" in capsys.readouterr().out
    assert main(["train", "--resume", "runs/line-training", "--quiet"]) == 0
    assert "test R^2" in capsys.readouterr().out
    assert main(command) == 2
    assert "7 classes; end the network with Dense(7), or take its numbers for values" in capsys.readouterr().err
    assert main(["compare", "mlp", "--data", table(tmp_path, Y), "--quiet"]) == 2
    assert "ends in softmax, which gives probabilities of classes" in capsys.readouterr().err


def test_diabetes_is_a_regression_by_name():
    pytest.importorskip("sklearn")
    data = experiments.load_data("diabetes")
    assert data.is_regression and data.classes == 1
    assert len(data.train[0]) + len(data.test[0]) == 442
