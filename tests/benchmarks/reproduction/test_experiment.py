"""The experiments as data: every row loads, builds on both backends, and mistakes in the file are named."""

import pytest

from benchmarks.reproduction.experiment import WAYS, chosen, load_rows, rows_from
from core_numpy import NumpyModel
from keras_models import KerasModel

VARIANTS = [
    pytest.param(variant, id=f"{row.name}, {variant.name}")
    for row in load_rows().values()
    for variant in row.variants
    if variant.trains
]

GOOD = """
[[row]]
name = "one"
title = "One"
claim = "It learns."
data = { name = "digits" }
[[row.variant]]
name = "first"
network = { dense = [4], input_shape = [8, 8, 1] }
training = { epochs = 2 }
"""


def test_every_row_is_there_with_its_published_figures():
    rows = load_rows()
    assert len(rows) == 25
    assert {variant.way for row in rows.values() for variant in row.variants} == set(WAYS)
    assert rows["mlp16-relu"].variants[0].published["inference"]["test_accuracy"] == 0.9292
    assert all(row.seeds >= 3 for row in rows.values() if row.random)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_network_is_the_same_on_both_backends(variant):
    spec = variant.model_spec()
    ours, theirs = NumpyModel(spec), KerasModel(spec)
    shapes = {name: value.shape for name, value in ours.weights.items()}
    assert shapes == {name: value.shape for name, value in theirs.weights.items()}
    assert theirs.keras_model.count_params() == sum(value.size for value in ours.weights.values())


@pytest.mark.parametrize("name", ["fashion-cnn-tape", "fashion-cnn-adam", "fashion-cnn-dropout"])
def test_the_fashion_networks_have_the_stated_parameters(name):
    assert load_rows()[name].variants[0].model_spec().parameter_count == 197_210


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "One"\n', "", "row 'one': unknown nothing, missing title; known are name, title"),
        ('title = "One"', 'titel = "One"', "row 'one': unknown titel, missing title"),
        ("epochs = 2", "epoch = 2", "row 'one': variant 'first': TrainingSpec has no option epoch"),
        ("dense = [4]", "dense = [4], relu = 1", "first: dense_stack.. got an unexpected keyword argument 'relu'"),
        ("dense = [4]", "units = [4]", "first: a network has zoo, layers or dense, one of them"),
        ('"digits"', '"digit"', "row 'one': data: unknown data set 'digit'"),
        ('claim = "It learns."', 'claim = ""\nseeds = 2', "row 'one': seeds must be at least 3"),
        ('name = "first"', 'name = "first"\nway = "walk"', "way must be one of 'fit'|way must be"),
        ('name = "first"', 'name = "first"\nparameters = 7', "the network has 310 parameters, 7 are stated"),
        ('name = "first"', 'name = "first"\nrule = { type = "Adam" }', "a rule of the courses trains by steps"),
        ('claim = "It learns."', 'claim = ""\ncompanion = "two"', "row 'one': no row 'two' to stand beside"),
    ],
)
def test_mistakes_in_the_file_are_named(old, new, message):
    assert rows_from(GOOD)["one"].seeds == 3
    assert old in GOOD
    with pytest.raises(ValueError, match=message):
        rows_from(GOOD.replace(old, new))


def test_rows_are_chosen_by_name():
    rows = load_rows()
    assert [row.name for row in chosen(["mlp16-relu", "digits"], rows)] == ["digits", "mlp16-relu"]
    assert len(chosen(["all"], rows)) == len(rows)
    assert {row.name for row in chosen(["quick"], rows)} == {name for name, row in rows.items() if row.quick}
    with pytest.raises(ValueError, match=r"unknown row typo; known are all, quick, class-data-numerical"):
        chosen(["typo", "digits"], rows)
