"""Kernels in a network whose shapes do not tell their layouts: given for each kind, or seen in the others."""

import numpy as np
import pytest

from bridge import check_layer, compare_models, copy_weights, model_from_layers
from core_numpy import NumpyModel
from model_spec import Activation, Conv2D, Dense, Flatten, ModelSpec


class Affine:
    def __init__(self, inputs, outputs, turned):
        self.turned, self.W = turned, np.zeros((outputs, inputs) if turned else (inputs, outputs))
        self.b = np.zeros(outputs)

    def forward(self, x):
        return x @ (self.W.T if self.turned else self.W) + self.b


class Convolution:
    """Valid, over channels first, with a kernel (out, in, h, w) or (h, w, in, out)."""

    def __init__(self, inputs, outputs, turned):
        self.turned, self.b = turned, np.zeros(outputs)
        self.W = np.zeros((outputs, inputs, 3, 3) if turned else (3, 3, inputs, outputs))

    def forward(self, x):
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))
        kernel = self.W if self.turned else self.W.transpose(3, 2, 0, 1)
        return np.einsum("nchwij,ocij->nohw", windows, kernel) + self.b[:, None, None]


SPEC = ModelSpec("net", (5, 5, 3), (Conv2D(3, 3), Flatten(), Dense(27), Dense(27)))


def layers(turned_convolution=True, turned_dense=False):
    dense = [Affine(27, 27, turned_dense) for _ in range(2)]
    return [Convolution(3, 3, turned_convolution), None, *dense]


def agrees(mine, spec=SPEC):
    reference = NumpyModel(spec, seed=1, dtype="float64")
    copy_weights(reference, mine)
    x = np.random.default_rng(0).normal(size=(2, *spec.input_shape))
    return compare_models(reference, Predicts(mine), x, locate=False).passed


class Predicts:
    def __init__(self, model):
        self.predict = model.predict


@pytest.mark.parametrize("turned_convolution", [True, False])
@pytest.mark.parametrize("turned_dense", [True, False])
def test_a_layout_for_each_kind_of_kernel(turned_convolution, turned_dense):
    told = ["OIHW" if turned_convolution else "HWIO", "OI" if turned_dense else "IO"]
    made = layers(turned_convolution, turned_dense)
    assert agrees(model_from_layers(made, SPEC, layout="NCHW", kernel_layout=told))
    wrong = (told[0], "IO" if turned_dense else "OI")
    assert not agrees(model_from_layers(made, SPEC, layout="NCHW", kernel_layout=wrong))


REFUSED = {
    None: r"layer 'conv2d': the kernel of Convolution has shape \(3, 3, 3, 3\), .* one of HWIO, OIHW; layer 'dense': "
    r".* one of IO, OI; several are given together, .* kernel_layout=\('HWIO', 'IO'\)",
    "OIHW": r"^layer 'dense': the kernel of Affine .* one of IO, OI; .* kernel_layout=\('OIHW', 'IO'\)",
    "IO": r"^layer 'conv2d': .* one of HWIO, OIHW; .* kernel_layout=\('IO', 'HWIO'\)",
    ("IO", "OI"): "kernel_layout has IO and OI for kernels of 2 axes; give one",
    "OIHV": r"got 'OIHV' \(did you mean 'OIHW'\?\)",
    ("OIW", "IO"): "kernel_layout OIW is for kernels of 3 axes, and no layer has one",
    3: r'must be a layout or several, such as \("OIHW", "IO"\), got 3',
}


@pytest.mark.parametrize("told", list(REFUSED))
def test_a_layout_that_is_not_seen_is_asked_for(told):
    with pytest.raises(ValueError, match=REFUSED[told]) as error:
        model_from_layers(layers(), SPEC, layout="NCHW", kernel_layout=told)
    assert told is not None or "got" not in str(error.value)


def test_one_kind_is_given_and_the_other_seen():
    spec = ModelSpec("net", (5, 5, 3), (Conv2D(3, 3), Flatten(), Dense(8), Dense(8)))
    made = [Convolution(3, 3, True), None, Affine(27, 8, True), Affine(8, 8, True)]
    assert agrees(model_from_layers(made, spec, layout="NCHW", kernel_layout="OIHW"), spec)
    spec = ModelSpec("net", (7, 7, 2), (Conv2D(3, 3), Conv2D(3, 3), Flatten(), Dense(27)))
    made = [Convolution(2, 3, True), Convolution(3, 3, True), None, Affine(27, 27, False)]
    assert agrees(model_from_layers(made, spec, layout="NCHW", kernel_layout="IO"), spec)


def test_a_single_layer():
    options = {"layout": "NCHW", "backward": False}
    square = Convolution(3, 3, True)
    assert check_layer(square, Conv2D(3, 3), (5, 5, 3), kernel_layout=("IO", "OIHW"), **options).passed
    with pytest.raises(ValueError, match="kernel_layout must be one of IO, OI for Affine, got HWIO"):
        check_layer(Affine(6, 6, True), Dense(6), (6,), kernel_layout="HWIO")
    with pytest.raises(ValueError, match="kernel_layout must be one of .*got 'FOO'"):
        check_layer(lambda x: x * (x > 0), Activation("relu"), (6,), kernel_layout="FOO")
