"""Modules of PyTorch and functions of JAX as they stand, where these are installed; their faults are named."""

import numpy as np
import pytest

from bridge import check_layer, from_jax
from model_spec import Activation, BatchNormalization, Conv2D, Dense, MaxPooling2D


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(params=[True, False], ids=["64 bits", "32 bits"])
def jax(request):
    found = pytest.importorskip("jax")
    found.config.update("jax_enable_x64", request.param)
    return found


def modules(torch):
    """(module, claim, input shape, options) of each."""
    nn = torch.nn
    return {
        "linear": (nn.Linear(6, 5), Dense(5), (6,), {}),
        "convolution": (nn.Conv2d(2, 4, 3), Conv2D(4, 3), (6, 7, 2), {"layout": "NCHW"}),
        "pooling": (nn.MaxPool2d(2), MaxPooling2D(2), (4, 6, 3), {"layout": "NCHW"}),
        "relu": (nn.ReLU(), Activation("relu"), (9,), {}),
        "normalization": (
            nn.BatchNorm1d(6, eps=1e-3, momentum=0.01),
            BatchNormalization(),
            (6,),
            {"kernel_layout": None, "names": {"gamma": "params.weight", "beta": "params.bias"}},
        ),
    }


@pytest.mark.parametrize("name", ["linear", "convolution", "pooling", "relu", "normalization"])
def test_a_module_is_taken_as_it_stands(torch, name):
    module, claim, shape, options = modules(torch)[name]
    report = check_layer(module, claim, shape, **options)
    assert report.passed, str(report)
    assert {row.tensor for row in report.rows} >= {"y", "gradient of x"}


def test_a_fault_in_a_module_is_named(torch):
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(5, 6))
            self.bias = torch.nn.Parameter(torch.zeros(5))

        def forward(self, x):
            return x @ self.weight.T + 2 * self.bias

    report = check_layer(Twice(), Dense(5), (6,))
    assert not report.passed and "bias is added twice" in report.explanations[0]


def affine(k):
    return lambda x, W, b: k * (x @ W) + b


def test_a_function_of_jax_is_taken_and_its_fault_named(jax):
    params = {"W": np.zeros((6, 5)), "b": np.zeros(5)}
    report = check_layer(from_jax(affine(1), params), Dense(5), (6,))
    assert report.passed, str(report)
    assert {row.tensor for row in report.rows} >= {"y", "gradient of x", "gradient of kernel", "gradient of bias"}
    assert not check_layer(from_jax(affine(2), params), Dense(5), (6,)).passed
    report = check_layer(from_jax(jax.nn.softmax), Activation("softmax"), (5,))
    assert report.passed, str(report)
    report = check_layer(from_jax(jax.nn.sigmoid), Activation("tanh"), (5,))
    assert not report.passed and "sigmoid in place of tanh" in report.explanations[0]


def test_jax_that_was_not_imported_is_told(monkeypatch):
    import sys

    monkeypatch.delitem(sys.modules, "jax", raising=False)
    with pytest.raises(ValueError, match="import jax first"):
        from_jax(affine(1))
