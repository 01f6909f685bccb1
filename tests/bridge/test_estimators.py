"""Both backends as scikit-learn classifiers: scikit-learn's own checks, images, pipelines and searches."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import model_spec as ms
from bridge import KerasClassifier, NumpyClassifier
from model_spec import zoo


@pytest.fixture(autouse=True)
def global_random_state_stays():
    """Some of scikit-learn's checks seed NumPy's global random state themselves."""
    state = np.random.get_state()  # noqa: NPY002
    yield
    np.random.set_state(state)  # noqa: NPY002


@parametrize_with_checks([NumpyClassifier(random_state=0)])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_in_pipelines_and_searches():
    x, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), NumpyClassifier((16,), epochs=60, random_state=1))
    assert cross_val_score(model, x, y, cv=3).mean() > 0.9
    search = GridSearchCV(model, {"numpyclassifier__network": [(4,), (8, 8)]}, cv=2).fit(x, y)
    assert search.best_params_["numpyclassifier__network"] in [(4,), (8, 8)]


def test_a_decision_boundary():
    pytest.importorskip("matplotlib").use("agg")
    x, y = load_iris(return_X_y=True)
    model = NumpyClassifier(epochs=5, random_state=0).fit(x[:, :2], y)
    assert DecisionBoundaryDisplay.from_estimator(model, x[:, :2], grid_resolution=10).response.shape[:2] == (10, 10)


def test_a_specification_on_rows_of_pixels_and_on_images():
    x, y = load_digits(return_X_y=True)
    x, names = x[:200] / 16, np.array(list("abcdefghij"))
    model = NumpyClassifier(zoo.cnn((8, 8, 1)), epochs=10, random_state=0)
    by_rows = clone(model).fit(x, names[y[:200]])
    by_images = clone(model).fit(x.reshape(-1, 8, 8, 1), names[y[:200]])
    assert by_rows.score(x, names[y[:200]]) > 0.9
    np.testing.assert_array_equal(by_rows.predict_proba(x), by_images.predict_proba(x.reshape(-1, 8, 8, 1)))
    with pytest.raises(ValueError, match="y has 3 classes, but network 'cnn'"):
        clone(model).fit(x[:30], np.arange(30) % 3)


def test_both_backends_train_alike():
    x, y = load_iris(return_X_y=True)
    options = {"network": (8,), "epochs": 5, "dtype": "float64", "random_state": 3}
    stop = ms.EarlyStopping(monitor="loss", patience=1)
    ours = NumpyClassifier(**options, early_stopping=stop).fit(x, y)
    theirs = KerasClassifier(**options, early_stopping=stop).fit(x, y)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), rtol=1e-9)
    assert ours.n_iter_ == theirs.n_iter_


def test_a_training_that_diverges_is_an_error():
    x = np.random.default_rng(0).standard_normal((40, 5)) * 1e30
    with np.errstate(over="ignore", invalid="ignore"):
        with pytest.raises(ValueError, match=r"training diverged in epoch \d: .* scale X"):
            NumpyClassifier((8,), epochs=3, random_state=0).fit(x, np.arange(40) % 3)


def test_one_hidden_layer_may_be_a_number_and_what_is_no_size_is_refused():
    x, y = np.random.default_rng(0).random((20, 3)), np.arange(20) % 2
    assert NumpyClassifier(8, epochs=1, random_state=0).fit(x, y).model_.spec.layers[0].units == 8
    for network in (None, 8.5, {"units": 8}):
        with pytest.raises(ValueError, match=r"network must be a ModelSpec or sizes of hidden layers, \(8,\) for one"):
            NumpyClassifier(network).fit(x, y)


def test_a_seed_repeats_itself():
    x, y = load_iris(return_X_y=True)
    first, second, other = (
        NumpyClassifier(epochs=2, optimizer=ms.SGD(0.1), random_state=seed).fit(x, y).predict_proba(x)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_validation_fraction_holds_back_each_class_in_its_share():
    """Iris stands sorted by class; scikit-learn's own networks draw what they hold back."""
    X, y = load_iris(return_X_y=True)  # noqa: N806
    seen = {}

    class Spy(NumpyClassifier):
        def _build(self, spec, seed):
            model = super()._build(spec, seed)
            right = model.fit

            def fit(x, labels, training, held_out, verbose):
                seen.update(train=np.bincount(labels), held_out=np.bincount(held_out[1]))
                return right(x, labels, training, held_out, verbose=verbose)

            model.fit = fit
            return model

    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    classifier = Spy((16,), validation_fraction=0.34, random_state=0, epochs=40).fit(scaled, y)
    assert set(seen["train"]) <= {32, 33}
    assert set(seen["held_out"]) <= {17, 18}
    assert classifier.score(scaled, y) > 0.95
    assert "val_loss" in classifier.history_.history
    again = Spy((16,), validation_fraction=0.34, random_state=0, epochs=40).fit(scaled, y)
    np.testing.assert_array_equal(classifier.predict_proba(scaled), again.predict_proba(scaled))
