"""Seeds and batch order: known answers, every row once in an epoch, the same for whoever asks."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import model_spec as ms
from model_spec.streams import batch_indices, epoch_count, held_out, layer_seed, steps_per_epoch


@pytest.mark.parametrize(
    ("seed", "index", "purpose", "expected"),
    # First 8 hexadecimal digits of sha256 of "7/0/kernel" and so on, without the top bit.
    [(7, 0, "kernel", 1449677020), (7, 3, "dropout", 377603086), (0, 1, "bias", 1972103100)],
)
def test_layer_seed_known_answers(seed, index, purpose, expected):
    assert layer_seed(seed, index, purpose) == expected
    digits = hashlib.sha256(f"{seed}/{index}/{purpose}".encode()).hexdigest()[:8]
    assert expected == int(digits, 16) % 2**31


def test_layer_seeds_differ():
    seeds = {layer_seed(s, i, p) for s in range(3) for i in range(20) for p in ("kernel", "bias", "dropout")}
    assert len(seeds) == 180


@given(examples=st.integers(1, 60), batch_size=st.integers(1, 70), epoch=st.integers(0, 3), shuffle=st.booleans())
def test_an_epoch_shows_every_row_once(examples, batch_size, epoch, shuffle):
    training = ms.TrainingSpec(batch_size=batch_size, epochs=5, shuffle=shuffle)
    batches = batch_indices(training, examples, epoch)
    assert len(batches) == steps_per_epoch(training, examples)
    assert all(len(batch) == batch_size for batch in batches[:-1])
    rows = np.concatenate(batches)
    assert sorted(rows.tolist()) == list(range(examples))
    if not shuffle:
        assert rows.tolist() == list(range(examples))


def test_order_depends_on_seed_and_epoch_only():
    training = ms.TrainingSpec(batch_size=10, epochs=3, seed=4)

    def order(training, epoch):
        return np.concatenate(batch_indices(training, 50, epoch)).tolist()

    assert order(training, 1) == order(training.replace(optimizer="sgd", epochs=9), 1)
    assert order(training, 0) != order(training, 1)
    assert order(training, 0) != order(training.replace(seed=5), 0)
    assert order(training, 0) == order(training.replace(batch_size=7), 0)


def test_steps_cut_the_last_epoch_short():
    training = ms.TrainingSpec(batch_size=10, steps=7)
    assert steps_per_epoch(training, 45) == 5
    assert epoch_count(training, 45) == 2
    first, second = batch_indices(training, 45, 0), batch_indices(training, 45, 1)
    assert [len(batch) for batch in first] == [10, 10, 10, 10, 5]
    assert [len(batch) for batch in second] == [10, 10]
    whole = batch_indices(training.replace(steps=None, epochs=2), 45, 1)
    assert [batch.tolist() for batch in second] == [batch.tolist() for batch in whole[:2]]
    assert epoch_count(training.replace(steps=None, epochs=4), 45) == 4


def test_with_replacement_draws_anew():
    training = ms.TrainingSpec(batch_size=50, steps=3, sampling="with_replacement")
    batches = batch_indices(training, 60, 0)
    assert [batch.shape for batch in batches] == [(50,), (50,)]
    rows = np.concatenate(batches)
    assert rows.min() >= 0
    assert rows.max() < 60
    assert len(set(rows.tolist())) < len(rows)
    assert [batch.shape for batch in batch_indices(training, 60, 1)] == [(50,)]


def test_held_out_rows():
    assert held_out(100, 0.2) == 80
    assert held_out(7, 0.5) == 3
    assert held_out(7, 0.0) == 7
    with pytest.raises(ValueError, match="validation_split=0.9 of 1 examples leaves an empty part"):
        held_out(1, 0.9)
