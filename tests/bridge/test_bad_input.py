"""Bad input gives the same one-line error on both backends, and leaves the model as it was."""

import re

import numpy as np
import pytest
import scipy.sparse

from core_numpy import NumpyModel
from keras_models import KerasModel
from model_spec import Adam, EarlyStopping, TrainingSpec, zoo

SPEC = zoo.cnn((8, 8, 1))
X = np.random.default_rng(0).uniform(size=(6, 8, 8, 1))
Y = np.arange(6)
ROWS = iter(X)


def with_value(value):
    x = X.copy()
    x[2, 1, 0, 0] = value
    return x


def started(model):
    model.start_training(TrainingSpec())
    return model


CASES = {
    "NaN": (
        lambda model: model.predict(with_value(np.nan)),
        "x contains NaN: 1 of 384 values are not finite, first at",
    ),
    "Inf": (lambda model: model.fit(with_value(np.inf), Y, TrainingSpec(), verbose=0), "x contains Inf"),
    "beyond float32": (
        lambda model: model.predict(with_value(1e39)),
        "first at [2, 1, 0, 0]; clean or drop these rows, or scale what is beyond 3.4e+38, float32's largest",
    ),
    "no x": (lambda model: model.predict(None), "x must be an array of numbers, got None; give rows of numbers"),
    "generator": (lambda model: model.predict(ROWS), "a generator gives one with np.stack(list(x))"),
    "sparse": (lambda model: model.predict(scipy.sparse.eye(4)), "a sparse matrix becomes one with x.toarray()"),
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
    "wrong size": (lambda model: model.predict(X[:, :7]), "got (6, 7, 8, 1); resize it to what"),
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
        "unknown training option epoch (did you mean 'epochs'?); known are batch_size, early_stopping, epochs",
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
    "minus Inf": (lambda model: model.predict(np.where(X > 2, X, -np.inf)), "x contains Inf: 384 of 384"),
    "NaN in validation data": (
        lambda model: model.fit(X, Y, TrainingSpec(), validation_data=(np.full_like(X, np.nan), Y), verbose=0),
        "validation x contains NaN",
    ),
    "complex": (lambda model: model.predict(X + 1j), "x must hold numbers, got dtype complex128"),
    "objects": (lambda model: model.predict(np.array([{}] * 6, dtype=object)), "x must hold numbers, got dtype object"),
    "ragged rows": (lambda model: model.predict([[1, 2], [3]]), "x cannot be made an array"),
    "three channels": (lambda model: model.predict(np.ones((6, 8, 8, 3))), "got (6, 8, 8, 3)"),
    "channels first": (lambda model: model.predict(X.transpose(0, 3, 1, 2)), "got (6, 1, 8, 8)"),
    "flat rows": (lambda model: model.predict(X.reshape(6, 64)), "got (6, 64); reshape it to (examples, 8, 8, 1)"),
    "text labels": (lambda model: model.evaluate(X, np.array(list("abcdef"))), "y must hold numbers, got dtype <U1"),
    "no labels": (
        lambda model: model.fit(X, None, TrainingSpec(), verbose=0),
        "y must be an array of numbers, got None",
    ),
    "NaN labels": (lambda model: model.evaluate(X, np.full(6, np.nan)), "y contains NaN: 6 of 6"),
    "nine columns": (lambda model: model.evaluate(X, np.eye(9)[Y]), "one-hot rows of shape (6, 10), got shape (6, 9)"),
    "cube of labels": (lambda model: model.evaluate(X, np.ones((6, 2, 5))), "got shape (6, 2, 5)"),
    "negative share": (
        lambda model: model.evaluate(X, np.eye(10)[Y] * 2 - np.eye(10)[Y + 1]),
        "each row of y must be probabilities that add up to 1",
    ),
    "weights of examples, too few": (
        lambda model: model.fit(X, Y, TrainingSpec(), verbose=0, sample_weight=np.ones(4)),
        "sample_weight must have shape (6,), got (4,)",
    ),
    "weights of examples, NaN": (
        lambda model: model.fit(X, Y, TrainingSpec(), verbose=0, sample_weight=np.full(6, np.nan)),
        "sample_weight contains NaN",
    ),
    "class weights as a list": (
        lambda model: model.fit(X, Y, TrainingSpec(), verbose=0, class_weight=[1, 2]),
        "class_weight must be a dict such as",
    ),
    "class weights of no class": (
        lambda model: model.fit(X, Y, TrainingSpec(), verbose=0, class_weight={12: 1.0}),
        "class_weight names classes [12], but labels are 0..9",
    ),
    "batch size -1": (
        lambda model: model.evaluate(X, Y, batch_size=-1),
        "batch_size must be an integer of at least 1, got -1",
    ),
    "batch size 2.5": (lambda model: model.predict(X, batch_size=2.5), "at least 1, got 2.5"),
    "batch size as text": (lambda model: model.predict(X, batch_size="8"), "at least 1, got '8'"),
    "epochs -1": (
        lambda model: model.fit(X, Y, TrainingSpec(), verbose=0, epochs=-1),
        "epochs must be an integer of at least 0, got -1",
    ),
    "epochs 1.5": (
        lambda model: model.fit(X, Y, TrainingSpec(), verbose=0, epochs=1.5),
        "epochs must be an integer of at least 0, got 1.5",
    ),
    "dropout call -1": (
        lambda model: model.activations(X, training=True, dropout_call=-1),
        "dropout_call must be an integer of at least 0, got -1",
    ),
    "NaN cotangent": (lambda model: model.pullback(X, np.full((6, 10), np.nan)), "cotangent contains NaN"),
    "no cotangent": (lambda model: model.pullback(X, None), "cotangent must be an array of numbers"),
    "one row of cotangent": (
        lambda model: model.pullback(X, np.ones((1, 10))),
        "x and cotangent must have the same number of rows, got 6 and 1",
    ),
    "weights of other shapes": (
        lambda model: model.set_weights([w[..., :1] for w in model.get_weights()]),
        "conv2d/kernel: expected shape (3, 3, 1, 8), got (3, 3, 1, 1)",
    ),
    "an unknown variable": (
        lambda model: model.set_weights({**model.weights, "conv2d/extra": np.ones(2)}),
        "conv2d/extra: unknown here",
    ),
    "a missing variable": (
        lambda model: model.set_weights({k: v for k, v in model.weights.items() if k != "dense/bias"}),
        "dense/bias: missing",
    ),
    "weights as text": (lambda model: model.set_weights("weights"), "weight arrays were given, this network has 4"),
    "weights of text": (
        lambda model: model.set_weights([np.full(w.shape, "a") for w in model.get_weights()]),
        "conv2d/kernel must hold numbers",
    ),
    "learning rate 0": (
        lambda model: setattr(started(model), "learning_rate", 0),
        "learning_rate must be a finite number above 0, got 0",
    ),
    "learning rate NaN": (
        lambda model: setattr(started(model), "learning_rate", float("nan")),
        "learning_rate must be a finite number above 0, got nan",
    ),
    "learning rate of nothing": (lambda model: model.learning_rate, "no training was started"),
    "state as a list": (
        lambda model: started(model).set_training_state([1]),
        "a training state is a dict of arrays, got list",
    ),
    "a callback that is none": (
        lambda model: model.fit(X, Y, TrainingSpec(), verbose=0, callbacks=[print]),
        "callbacks must be objects of model_spec.Callback",
    ),
    "validation data without labels": (
        lambda model: model.fit(X, Y, TrainingSpec(), verbose=0, validation_data=X),
        "validation_data must be a pair (x, y)",
    ),
    "validation data of another shape": (
        lambda model: model.fit(X, Y, TrainingSpec(), verbose=0, validation_data=(X[:, :7], Y)),
        "validation x must have shape",
    ),
    "unknown figure to watch": (
        lambda model: model.fit(
            X,
            Y,
            TrainingSpec().replace(early_stopping=EarlyStopping(monitor="val_f1")),
            verbose=0,
            validation_data=(X, Y),
        ),
        "monitor must be one of accuracy, loss, val_accuracy, val_loss, got 'val_f1'",
    ),
    "training as a class": (lambda model: model.start_training(TrainingSpec), "training must be a TrainingSpec"),
    "step of no rows": (lambda model: started(model).train_on_batch(X[:0], Y[:0]), "x has no rows"),
    "step with a bad label": (
        lambda model: started(model).train_on_batch(X, Y + 7),
        "labels must be 0..9, got 10 at index 3",
    ),
    "step with NaN": (lambda model: started(model).train_on_batch(X * np.nan, Y), "x contains NaN"),
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


BUILDING = {
    "float16": (lambda kind: kind(SPEC, dtype="float16"), 'dtype must be "float32" or "float64", got \'float16\''),
    "integers": (lambda kind: kind(SPEC, dtype="int32"), 'dtype must be "float32" or "float64", got \'int32\''),
    "no dtype": (lambda kind: kind(SPEC, dtype=None), 'dtype must be "float32" or "float64", got None'),
    "no specification": (lambda kind: kind("cnn"), "spec must be a ModelSpec, got 'cnn'"),
    "a text seed": (lambda kind: kind(SPEC, seed="one"), "seed must be an integer of at least 0, got 'one'"),
    "a negative seed": (lambda kind: kind(SPEC, seed=-1), "seed must be an integer of at least 0, got -1"),
    "a fraction as dropout seed": (
        lambda kind: kind(SPEC, dropout_seed=0.5),
        "dropout_seed must be an integer of at least 0, got 0.5",
    ),
}


@pytest.mark.parametrize("name", list(BUILDING))
def test_neither_backend_is_built(name):
    build, expected = BUILDING[name]
    for kind in (NumpyModel, KerasModel):
        with pytest.raises(ValueError, match=re.escape(expected)):
            build(kind)


def test_the_table_is_long():
    assert len(CASES) + len(BUILDING) >= 60


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
        (
            lambda: TrainingSpec(optimizer="adamm"),
            r"unknown optimizer 'adamm' \(did you mean 'adam'\?\); use one of sgd, adagrad",
        ),
        (lambda: Adam(learning_rate=-1), "learning_rate must be a finite number above 0, got -1"),
        (lambda: EarlyStopping(patience=-1), "patience|at least 0, got -1"),
    ]:
        with pytest.raises(ValueError, match=expected):
            wrong()
