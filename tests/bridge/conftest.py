"""Small real data for the bridge's tests."""

import pytest

from benchmarks import datasets
from bridge.conventions import explain
from model_spec import zoo


@pytest.fixture(scope="session")
def digits():
    """The first 8 real 8x8 digits, images in 0..1 with a channel axis."""
    (x, y), _ = datasets.images("digits", limit=8)
    return x, y


@pytest.fixture
def short_search(monkeypatch):
    """Little time for two slips at once: where only the place of a fault is asked for, not its cause."""
    monkeypatch.setattr(explain, "_SECONDS", 0.01)


@pytest.fixture(
    params=(
        "flipped-kernel",
        "missing-bias",
        "uninverted-dropout",
        "dropped-bias-gradient",
        "dropout-backward-ignores-mask",
        "relu-backward-ignores-sign",
        "sigmoid-backward-forgets-factor",
        "pooling-backward-returns-early",
        "wrong-sign-input-gradient",
        "slightly-wrong-input-gradient",
        "missing-mean",
        "missing-target",
    )
)
def usual_fault(request):
    """A fault of the kinds seen most, by name, and a network that it fits."""
    network = "mlp" if request.param == "sigmoid-backward-forgets-factor" else "lenet"
    return request.param, zoo.build(network, (8, 8, 1))
