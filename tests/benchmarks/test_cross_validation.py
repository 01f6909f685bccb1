"""Cross-validation of either backend through scikit-learn's splitters, and smoothed curves."""

import pytest
from sklearn.model_selection import KFold

from benchmarks import datasets, plots
from benchmarks.cross_validation import cross_validate
from core_numpy import NumpyModel
from keras_models import KerasModel
from model_spec import TrainingSpec, zoo


def test_both_backends_have_the_same_folds():
    (x, y), _ = datasets.images("digits", limit=120)
    spec, training = zoo.mlp((8, 8, 1)), TrainingSpec(epochs=2)
    ours, theirs = (
        cross_validate(lambda: kind(spec, seed=1), x, y, training, KFold(3, shuffle=True, random_state=0))  # noqa: B023
        for kind in (NumpyModel, KerasModel)
    )
    assert len(ours.folds["accuracy"]) == 3
    assert ours.folds["loss"] == pytest.approx(theirs.folds["loss"], rel=1e-4)
    assert ours.mean["loss"] == pytest.approx(sum(ours.folds["loss"]) / 3)
    assert ours.spread["loss"] > 0


def test_default_splitter_keeps_the_shares_of_the_classes():
    (x, y), _ = datasets.images("digits", limit=200)
    result = cross_validate(lambda: NumpyModel(zoo.mlp((8, 8, 1))), x, y, TrainingSpec(epochs=1))
    assert len(result.folds["loss"]) == 5


def test_smoothing():
    assert plots.smoothed([4.0, 0.0, 0.0], 0.5) == [4.0, 2.0, 1.0]
    assert plots.smoothed([1.0, 2.0], 0.0) == [1.0, 2.0]
    with pytest.raises(ValueError, match="weight must be a finite number and at least 0 and below 1"):
        plots.smoothed([1.0], 1.0)
