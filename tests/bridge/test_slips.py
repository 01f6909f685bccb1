"""A table of slips in layers, losses, optimizers and networks: all are refused, and the sentence names the slip."""

import numpy as np
import pytest

from bridge import check_layer
from tests.bridge.slips import layers, networks, table


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
