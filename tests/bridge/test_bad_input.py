"""Bad input gives the same one-line error on both backends, and leaves the model as it was."""

import numpy as np
import pytest

from core_numpy import NumpyModel
from keras_models import KerasModel
from model_spec import Adam, EarlyStopping, TrainingSpec, zoo

SPEC = zoo.cnn((8, 8, 1))
X = np.random.default_rng(0).uniform(size=(6, 8, 8, 1))
Y = np.arange(6)


def with_value(value):
    x = X.copy()
    x[2, 1, 0, 0] = value
    return x


CASES = {
    "NaN": (
        lambda model: model.predict(with_value(np.nan)),
        "x contains NaN: 1 of 384 values are not finite, first at",
    ),
    "Inf": (lambda model: model.fit(with_value(np.inf), Y, TrainingSpec(), verbose=0), "x contains Inf"),
    "label too large": (
        lambda model: model.fit(X, np.array([0, 1, 2, 3, 4, 12]), TrainingSpec(), verbose=0),
        "labels must be 0..9, got 12 at index 5; renumber the labels or give the network more outputs",
    ),
    "negative label": (lambda model: model.evaluate(X, Y - 1), "labels must be 0..9, got -1 at index 0"),
    "fractional label": (lambda model: model.loss_and_gradients(X, Y + 0.5), "labels must be whole numbers in 0..9"),
    "not one-hot": (lambda model: model.evaluate(X, np.ones((6, 10))), "must be probabilities that add up to 1, got"),
    "no channel axis": (
        lambda model: model.predict(X[..., 0]),
        "x must have shape (examples, *(8, 8, 1)), got (6, 8, 8); add the channel axis with x[..., None]",
    ),
    "one image": (lambda model: model.activations(X[0]), "got (8, 8, 1); add the batch axis with x[None]"),
    "wrong size": (lambda model: model.predict(X[:, :7]), "got (6, 7, 8, 1); reshape it to (examples, 8, 8, 1)"),
    "strings": (lambda model: model.predict(np.full((6, 8, 8, 1), "a")), "x must hold numbers, got dtype <U1"),
    "too few labels": (
        lambda model: model.evaluate(X, Y[:4]),
        "x and y must have the same number of rows, got 6 and 4",
    ),
    "no data to fit": (lambda model: model.fit(X[:0], Y[:0], TrainingSpec(), verbose=0), "x has no rows"),
    "no data to evaluate": (lambda model: model.evaluate(X[:0], Y[:0]), "x has no rows"),
    "batch size 0": (
        lambda model: model.predict(X, batch_size=0),
        "batch_size must be an integer of at least 1, got 0",
    ),
    "unknown option": (
        lambda model: model.fit(X, Y, TrainingSpec(), verbose=0, epoch=3),
        "unknown training option epoch; known are batch_size, early_stopping, epochs",
    ),
    "unknown loss": (lambda model: model.loss_and_gradients(X, Y, loss="typo"), "unknown loss 'typo'; use one of"),
    "no validation data": (
        lambda model: model.fit(X, Y, TrainingSpec(early_stopping=EarlyStopping()), verbose=0),
        "early stopping watches 'val_loss', but there is no validation data",
    ),
    "validation split too small": (
        lambda model: model.fit(X[:2], Y[:2], TrainingSpec(validation_split=0.9), verbose=0),
        "validation_split=0.9 of 2 examples leaves an empty part",
    ),
    "cotangent": (lambda model: model.pullback(X, np.ones((6, 3))), "cotangent must have shape (examples, *(10,))"),
    "weights of another network": (
        lambda model: model.set_weights(NumpyModel(zoo.mlp((8, 8, 1))).weights),
        "conv2d/kernel: missing",
    ),
    "weights that are not finite": (
        lambda model: model.set_weights([np.full_like(value, np.nan) for value in model.get_weights()]),
        "conv2d/bias: contains values that are not finite",
    ),
    "too few weights": (lambda model: model.set_weights([]), "0 weight arrays were given, this network has 4"),
    "step without a run": (lambda model: model.train_on_batch(X, Y), "no training was started; call start_training"),
    "training by name": (
        lambda model: model.fit(X, Y, "adam", verbose=0),
        "training must be a TrainingSpec, got 'adam'",
    ),
    "verbosity": (lambda model: model.fit(X, Y, TrainingSpec(), verbose="loud"), "verbose must be 0, 1, 2 or"),
}


@pytest.mark.parametrize("name", list(CASES))
def test_both_backends_refuse_with_the_same_words(name):
    call, expected = CASES[name]
    messages = []
    for kind in (NumpyModel, KerasModel):
        model = kind(SPEC, seed=1)
        before = model.weights
        with pytest.raises(ValueError) as error:
            call(model)
        assert expected in str(error.value)
        assert "\n" not in str(error.value)
        after = model.weights
        assert all(np.array_equal(before[variable], after[variable]) for variable in before)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("kind", [NumpyModel, KerasModel])
def test_what_is_not_an_error(kind):
    model = kind(SPEC)
    assert model.predict(X[:0]).shape == (0, 10)
    assert model.fit(X, Y, TrainingSpec(epochs=0), verbose=0).history == {}
    assert model.predict((X * 255).astype(np.uint8)).dtype == np.float32
    as_columns, as_floats, one_hot = Y[:, None], Y.astype(float), np.eye(10)[Y]
    losses = [model.evaluate(X, labels)["loss"] for labels in (Y, as_columns, as_floats, one_hot)]
    assert losses == pytest.approx([losses[0]] * 4, rel=1e-6)


def test_bad_training_runs_are_refused_when_they_are_written():
    for wrong, expected in [
        (lambda: TrainingSpec(batch_size=0), "batch_size must be an integer of at least 1, got 0"),
        (lambda: TrainingSpec(optimizer="adamm"), "unknown optimizer 'adamm'; use one of sgd, adagrad"),
        (lambda: Adam(learning_rate=-1), "learning_rate must be a finite number above 0, got -1"),
        (lambda: EarlyStopping(patience=-1), "patience|at least 0, got -1"),
    ]:
        with pytest.raises(ValueError, match=expected):
            wrong()
