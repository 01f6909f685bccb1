"""Numbers that one side may flush to zero are no difference, and numbers that neither may flush still count."""

import numpy as np
import pytest

import bridge
from bridge.judge.bounds import UNDERFLOW
from bridge.judge.bounds.losses import LossTrace, loss_error
from bridge.judge.rounding import SAFETY, Rounding
from bridge.judge.truth import truth_of
from bridge.selftest.faults.probes import PROBES
from core_numpy import NumpyModel
from model_spec.losses import BinaryCrossentropy

# Where what is lost lies: in float64 only the squares of the values are too small
CASES = (("vanishing", "float64", 1e-200, 1e-150), ("confident", "float32", 0.0, 2.0**-126))


@pytest.mark.parametrize(("name", "dtype", "above", "below"), CASES)
def test_probabilities_that_underflow_agree(name, dtype, above, below):
    probe = PROBES[name]
    report = bridge.compare(probe.spec, probe.x, probe.y, dtype=dtype, loss=probe.loss)
    assert report.passed, str(report)
    model = NumpyModel(probe.spec, dtype=dtype)
    model.set_weights(bridge.random_weights(probe.spec, 0))
    probabilities = list(truth_of(model, probe.x.astype(dtype), training=False).forward().values())[-1].value
    assert np.any((above < probabilities) & (probabilities < below))


@pytest.mark.parametrize(("name", "dtype", "above", "below"), CASES)
def test_a_bound_without_the_floor_would_call_them_a_bug(name, dtype, above, below, monkeypatch):
    monkeypatch.setitem(UNDERFLOW, dtype, 0.0)
    probe = PROBES[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        report = bridge.compare(probe.spec, probe.x, probe.y, dtype=dtype, loss=probe.loss, locate=False)
    assert not report.passed


def test_the_floor_excuses_no_value_that_is_held():
    probe = PROBES["confident"]
    fault = "wrong-sign-input-gradient"
    report = bridge.compare(
        probe.spec, probe.x, probe.y, dtype="float32", loss=probe.loss, prepare=bridge.plant(fault), locate=False
    )
    assert not report.passed


FORMS = {
    "sigmoid(z) - t": lambda z, t: 1 / (1 + np.exp(-z)) - t,
    "tanh": lambda z, t: np.float32(0.5) * (np.tanh(z / 2) + 1) - t,
    "(1 - t) - sigmoid(-z)": lambda z, t: (1 - t) - 1 / (1 + np.exp(z)),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_confident_sigmoid_is_right(form):
    """TensorFlow's graph rewrites -sigmoid(-z) into sigmoid(z) - 1: what is left of the gradient is roundoff of one."""
    z = np.linspace(0.5, 80, 400, dtype=np.float32)[:, None]
    t = np.ones_like(z)
    trace = LossTrace(BinaryCrossentropy(), True, z.astype(np.float64), np.zeros(z.shape), t.astype(np.float64))
    allowed = SAFETY * np.sqrt(loss_error(Rounding.of("float32"), trace).gradient)
    truth = -1 / (1 + np.exp(trace.output)) / len(z)
    errors = np.abs(FORMS[form](z, t).astype(np.float64) / len(z) - truth)
    assert (errors <= allowed).all()
    wrong = truth + 64 * np.finfo(np.float32).eps / len(z)
    assert (np.abs(wrong - truth) > allowed).all()
