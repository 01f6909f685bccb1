"""A table of slips in layers, losses, optimizers and networks: all are refused, and the sentence names the slip."""

import numpy as np
import pytest

from bridge import check_layer
from model_spec import Dense, Dropout
from tests.bridge.slips import layers, more_layers, networks, table


def test_the_figure():
    """All are caught, nine of ten named, and none wrongly: a sentence that is not the slip's counts as wrong."""
    found = table.run()
    count = len(found["caught"]) + len(found["missed"])
    assert count >= 340
    assert (found["missed"], found["wrong"]) == ([], [])
    assert len(found["named"]) >= 0.9 * count


@pytest.mark.parametrize("name", list(networks.SLIPS))
def test_a_slip_in_a_branch_is_named_with_its_layer(name):
    at, change, words = networks.SLIPS[name]
    report = networks.compared(at, change)
    assert not report.passed
    layer = [step.name for step in networks.NumpyModel(networks.BRANCHES).network.steps][at]
    (said,) = [line for line in str(report).splitlines() if line.startswith("explained") and words in line]
    assert f"'{layer}' of wrong" in said


def test_networks_without_a_slip_pass():
    assert networks.compared(0, lambda layer: layer).passed


@pytest.mark.parametrize("at", range(len(layers.RIGHT)))
def test_the_layers_without_a_slip_pass(at):
    layer, claim, shape, options = layers.RIGHT[at]
    with np.errstate(all="ignore"):
        report = check_layer(layer, claim, shape, **options)
    assert report.passed, str(report)


def test_what_the_random_points_refute_is_not_said():
    layer, (claim, shape), *_ = more_layers.SLIPS["every cell of a tie"]
    assert check_layer(layer, claim, shape).explanations == ["backward pays the whole gradient to each cell of a tie"]


def test_a_gradient_has_no_words_while_the_output_has_none():
    layer = layers.Affine(y=lambda x, W, b: x / x.std() @ W + b, dW=lambda x, dy, W, b: (x / x.std()).T @ dy)
    report = check_layer(layer, Dense(5), (6,))
    assert (report.first_divergence.tensor, report.explanations) == ("y", [])


@pytest.mark.parametrize(("rate", "units"), [(0.1, 3), (0.01, 50), (0.9, 4), (0.5, 1), (0.99, 5), (0.001, 10)])
def test_a_right_dropout_of_few_units_is_right_whatever_it_draws(rate, units):
    for _ in range(25):
        report = check_layer(layers.Dropping(rate), Dropout(rate), (units,), training=True)
        assert report.passed, str(report)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (layers.Dropping(0.25), "values were dropped, the rate is 0.2"),
        (layers.Dropping(0.2, once=True), "the same units are dropped at every call"),
        (layers.Dropping(0.2, shared=True), "all examples of the batch lose the same units"),
    ],
)
def test_a_wrong_dropout_of_few_units_is_found(layer, words):
    report = check_layer(layer, Dropout(0.2), (3,), training=True)
    assert words in str(report)


def test_a_bias_that_the_claim_has_not_is_noted():
    said = "its bias b stayed as it is and was not judged: the claim has use_bias=False"
    assert said in check_layer(layers.Affine(), Dense(5, use_bias=False), (6,)).notes
    assert said not in check_layer(layers.Affine(), Dense(5), (6,)).notes
