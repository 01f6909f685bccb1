"""Fuzzing a backend of one's own: what it is given, what is a finding, what is counted apart, and what is saved."""

import json

import numpy as np
import pytest

import crosscheck
from benchmarks.cli import main
from bridge.fuzzing.known_layers import KnownLayers
from bridge.fuzzing.own_backends import fuzz
from core_numpy import NumpyModel
from model_spec import Activation, Add, BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D, zoo

ROWS = (Dense, Activation)


class Predicting:
    """A backend that predicts and can no more."""

    def __init__(self, spec, weights):
        self.model = NumpyModel(spec, dtype=str(next(iter(weights.values())).dtype), weights=weights)

    def predict(self, x):
        return self.model.predict(x)


class Wrong(Predicting):
    """Its outputs are off where the network has a relu."""

    def predict(self, x):
        wrong = any(getattr(layer, "activation", "") == "relu" for layer in self.model.spec.layers)
        return super().predict(x) + wrong * np.float32(0.125)


class WrongGradient(Predicting):
    """It predicts rightly, and forgets to sum a bias' gradient."""

    def pullback(self, x, cotangent, training=False):
        found = self.model.pullback(x, cotangent, training=training)
        for name in found.parameters:
            if name.endswith("bias"):
                found.parameters[name] = found.parameters[name] / max(len(x) - 1, 1)
        return found


class WrongPredict(NumpyModel):
    """All that it shows is right; its predictions are not."""

    def predict(self, x, batch_size=None, verbose=0):
        return -super().predict(x)


def own(spec, weights):
    return NumpyModel(spec, 5, str(next(iter(weights.values())).dtype), weights=weights)


@pytest.mark.parametrize("make", [own, Predicting], ids=["everything", "predict alone"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_right_backend_agrees_on_all_layers(make, dtype):
    report = fuzz(make, networks=40, seed=3, dtype=dtype, directory=None)
    assert report.passed, report
    assert report.networks + report.proves_nothing == 40
    assert report.networks > 30
    assert str(report).startswith(f"AGREE: {report.networks} networks on {report.side} agree")


def test_the_first_finding_is_shrunk_saved_and_repeated(tmp_path, capsys):
    report = fuzz(Wrong, networks=100, directory=tmp_path)
    assert report.verdict == "DIFFER" and not report.passed
    spec = report.finding.case.spec
    assert len(spec.layers) <= 2, repr(spec)
    assert repr(spec) in str(report)
    assert report.first_divergence.stage == "forward"
    assert report.saved.parent == tmp_path
    again = fuzz(Wrong, replay=report.saved)
    assert again.finding.kind == report.finding.kind
    assert again.finding.case == report.finding.case
    assert fuzz(Predicting, replay=report.saved).passed
    assert json.dumps(report.to_dict())
    for command in (["replay"], ["replay", "--pytest", str(tmp_path / "test_case.py")]):
        assert main([*command, str(report.saved)]) == 2
        assert "a finding of 'Wrong', a backend written elsewhere" in capsys.readouterr().err
    same = fuzz(Wrong, networks=100, directory=tmp_path / "again")
    assert same.finding.case == report.finding.case and same.networks == report.networks


@pytest.mark.parametrize(
    ("make", "tensor"), [(WrongGradient, "gradient of dense/bias"), (WrongPredict, "by predict")], ids=str
)
def test_whatever_is_there_is_compared(make, tensor):
    kind = make if make is WrongGradient else lambda spec, weights: WrongPredict(spec, weights=weights)
    report = fuzz(kind, networks=60, layers=ROWS, directory=None)
    assert tensor in report.first_divergence.tensor


def test_what_a_backend_raises_is_a_finding_with_its_line():
    class Raising(Predicting):
        def predict(self, x):
            raise KeyError("no kernel")

    report = fuzz(Raising, networks=5, layers=Dense, directory=None)
    assert report.first_divergence.startswith("KeyError: 'no kernel' (test_own_backends.py, line")
    report = fuzz(lambda spec, weights: weights, networks=5, layers=Dense, directory=None)
    assert "make must return an object with predict(x)" in str(report)


def test_what_a_backend_does_not_know_is_counted_apart():
    def make(spec, weights):
        return None if len(spec.layers) > 2 else Predicting(spec, weights)

    report = fuzz(make, networks=30, layers=ROWS, directory=None)
    assert report.passed and report.not_taken > 3
    assert f"{report.not_taken} are not known to Predicting" in str(report)
    nothing = fuzz(lambda spec, weights: None, networks=5, directory=None)
    assert nothing.verdict == "NOTHING COMPARED" and not nothing.passed


def test_zeros_are_counted_apart(monkeypatch):
    import bridge.fuzzing.own_backends as module

    def zeros(spec, seed):
        return {name: np.zeros(shape) for name, shape in spec.variable_shapes.items()}

    monkeypatch.setattr(module, "random_weights", zeros)
    report = fuzz(Predicting, networks=5, layers=Dense, activations="linear", directory=None)
    assert report.proves_nothing == 5 and report.finding is None and not report.passed


def test_networks_with_dropout_need_no_masks_of_a_foreign_model():
    class Drops(Predicting):
        """In training it drops units of its own."""

        def pullback(self, x, cotangent, training=False):
            return self.model.pullback(x, cotangent, training=training, dropout_call=77)

    report = fuzz(Drops, networks=30, layers=(Dense, Dropout, BatchNormalization), directory=None)
    assert report.passed, report


def drawn(known, count=60):
    specs = []

    def make(spec, weights):
        specs.append(spec)

    fuzz(make, networks=count, directory=None, **known)
    return specs


def test_networks_have_the_layers_and_activations_that_are_known():
    specs = drawn({"layers": (Conv2D, MaxPooling2D, "Flatten", Dense, Add), "activations": ("relu", "linear")})
    layers = [layer for spec in specs for layer in spec.layers]
    assert {type(layer) for layer in layers} == {Conv2D, MaxPooling2D, Flatten, Dense, Add}
    assert {layer.activation for layer in layers if hasattr(layer, "activation")} == {"relu", "linear"}
    assert all(layer.trainable and not getattr(layer, "kernel_regularizer", None) for layer in layers)
    # Networks are for a convolution where one is known
    assert sum(any(isinstance(layer, Conv2D) for layer in spec.layers) for spec in specs) > 15
    assert {type(layer) for spec in drawn({"layers": (Conv2D,)}, 20) for layer in spec.layers} == {Conv2D}
    assert all(spec.outputs is None and not spec.input_parts for spec in drawn({}))


KINDS = sorted((kind for kind in KnownLayers.of(None, None).layers if not kind.merges), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", KINDS)
def test_any_single_layer_makes_networks(kind):
    assert {type(layer) for spec in drawn({"layers": kind}, 6) for layer in spec.layers} == {kind}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": ("Conv2",)}, "'Conv2'.*did you mean.*Conv2D"),
        ({"layers": (zoo,)}, "layers must be classes of model_spec"),
        ({"layers": ()}, "need one entry at least"),
        ({"layers": (Add,)}, "nothing but merges"),
        ({"activations": ("rleu",)}, "unknown activation 'rleu'.*relu"),
        ({"networks": 0}, "networks"),
        ({"dtype": "float16"}, "float32"),
        ({"replay": "no/such.json"}, "no file"),
    ],
    ids=str,
)
def test_wrong_arguments_say_what_to_give(options, message):
    with pytest.raises(ValueError, match=message):
        crosscheck.fuzz(Predicting, **options)
    with pytest.raises(ValueError, match="make must be a function"):
        crosscheck.fuzz(zoo)
