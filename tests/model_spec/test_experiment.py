"""A network, its training and its data in one file: what it says counts, and what it cannot mean is named."""

import pytest

from model_spec import SGD, EarlyStopping, TrainingSpec, load_model
from model_spec.experiment import load_experiment, with_table

MODEL = """
name = "mine"
input_shape = [4]
layers = [{type = "Dense", units = 3, activation = "softmax"}]
"""


def written(folder, more):
    path = folder / "mine.toml"
    path.write_text(MODEL + more)
    return path


def test_all_three_in_one_file(tmp_path):
    (tmp_path / "own.npz").touch()
    path = written(
        tmp_path,
        """
        [training]
        optimizer = "sgd"
        learning_rate = {type = "ExponentialDecay", initial_learning_rate = 0.5, decay_steps = 10, decay_rate = 0.9}
        loss = "mse"
        epochs = 7
        early_stopping = {patience = 2, monitor = "loss"}
        [data]
        path = "own.npz"
        limit = 50
        """,
    )
    found = load_experiment(path)
    assert found.spec == load_model(path)
    assert found.data == {"path": str(tmp_path / "own.npz"), "limit": 50}
    training = with_table(TrainingSpec(batch_size=9), found.training)
    assert (training.epochs, training.batch_size, training.optimizer.learning_rate.decay_rate) == (7, 9, 0.9)
    assert training.early_stopping == EarlyStopping(patience=2, monitor="loss")
    later = with_table(training, {"learning_rate": 0.25, "early_stopping": False, "epochs": None})
    assert (later.optimizer, later.early_stopping, later.epochs) == (SGD(0.25), None, 7)


def test_a_data_set_by_name_stays_a_name(tmp_path):
    assert load_experiment(written(tmp_path, '[data]\npath = "mnist"\n')).data == {"path": "mnist"}
    assert load_experiment(written(tmp_path, "")) == (load_model(tmp_path / "mine.toml"), {}, {})


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("[training]\nepoch = 3", r"training has no option epoch \(did you mean 'epochs'\?\)"),
        ("[training]\nepochs = -1", "mine.toml: epochs must be"),
        ('[training]\noptimizer = "adamm"', r"unknown optimizer 'adamm' \(did you mean 'adam'\?\)"),
        ("[training.early_stopping]\npatiense = 3", r"EarlyStopping has no option patiense \(did you mean 'patience'"),
        ("[data]\nfile = 3", "data has no option file; known are path, limit"),
        ("[data]\npath = 3", "data: path must be a text, got 3"),
        ("training = 3", "training must be a table"),
        ("[trainig]\nepochs = 3", "unknown: trainig"),
    ],
)
def test_what_a_file_cannot_mean(more, message, tmp_path):
    path = written(tmp_path, more)
    with pytest.raises(ValueError, match=message):
        load_experiment(path)


def test_a_training_of_no_epochs_is_refused():
    with pytest.raises(ValueError, match="epochs must be at least 1, got 0"):
        with_table(TrainingSpec(), {"epochs": 0})
