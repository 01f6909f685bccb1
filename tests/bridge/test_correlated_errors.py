"""Errors that many positions share: constant images, global averages and batch statistics give no false alarm."""

import numpy as np
import pytest

import bridge
from bridge.judge.bounds import Expected, RoundingModel
from bridge.judge.bounds.ensemble import EnsembleBackward
from bridge.judge.layers import rule_of
from bridge.judge.repeats import ColumnGroups, RowGroups
from bridge.judge.rounding import Cotangent, Rounding
from bridge.judge.truth import as_float64
from core_numpy import NumpyModel
from core_numpy.network import Network
from model_spec import (
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    GlobalAveragePooling2D,
    LayerNormalization,
    ModelSpec,
    ZeroPadding2D,
)

SIDE, BATCH = 24, 6


def network(name, *layers):
    tail = (GlobalAveragePooling2D(), Dense(4, activation="softmax"))
    return ModelSpec(name, (SIDE, SIDE, 1), (*layers, *tail))


NETWORKS = [
    network("average", Conv2D(3, 3, activation="sigmoid"), Conv2D(3, 3, activation="tanh", padding="same")),
    network("statistics", Conv2D(3, 3, activation="tanh"), BatchNormalization(), Conv2D(2, 3, activation="sigmoid")),
    network("linear", Conv2D(4, 3), BatchNormalization(), Conv2D(4, 3)),
    network("groups", Conv2D(3, 3, activation="tanh"), LayerNormalization((1, 2)), Conv2D(2, 3, activation="sigmoid")),
    network("windows", Conv2D(4, 3, activation="elu"), AveragePooling2D(3, 2, "same"), Conv2D(4, 3)),
    network("padding", ZeroPadding2D(3), Conv2D(2, 1, activation="sigmoid")),
]


def images(kind):
    random = np.random.default_rng(4)
    x = random.normal(size=(BATCH, SIDE, SIDE, 1))
    if kind == "constant background":
        x[:, :10] = x[:, 14:] = x[:, :, :10] = x[:, :, 14:] = 0.3
    elif kind == "constant":
        x[:] = np.where(random.random((BATCH, 1, 1, 1)) < 0.5, 0.7, 0.3)
    elif kind == "offset":
        x += 5
    return x, random.integers(0, 4, BATCH)


@pytest.mark.parametrize("kind", ["normal", "offset", "constant background", "constant"])
@pytest.mark.parametrize("spec", NETWORKS, ids=lambda spec: spec.name)
def test_shared_errors_are_no_bugs(spec, kind):
    report = bridge.compare(spec, *images(kind), seed=3)
    assert report.passed, str(report)
    assert max(row.error_over_bound for row in report.rows) < 1


def test_a_group_shares_its_errors_as_a_channel_does():
    """Rows normalized by their own statistics are, turned, channels normalized by those of the batch."""
    rounding, random = Rounding.of("float32"), np.random.default_rng(0)
    x, dy = random.normal(2, 1, (7, 12)), random.normal(size=(7, 12))
    found = []
    for layer, values, cotangent in (
        (LayerNormalization(epsilon=1e-3, center=False, scale=False), x, dy),
        (BatchNormalization(epsilon=1e-3, center=False, scale=False), x.T, dy.T),
    ):
        spec = ModelSpec("m", values.shape[1:], (layer,))
        (name, state), *_ = NumpyModel(spec, dtype="float64").state.items()
        network = Network.of(spec)
        (trace,) = RoundingModel(network, {name: {}}, {name: state}, "float32", values, True, None).traces
        rule, given = rule_of(trace.layer), Cotangent.given(cotangent)
        modes = [*rule.forward_modes(rounding, trace), *rule.backward_modes(rounding, trace, given, cotangent)]
        found.append([np.broadcast_to(mode.pattern**2 * mode.variance, values.shape) for mode in modes])
    assert len(found[0]) == 5
    for group, channel in zip(*found, strict=True):
        np.testing.assert_allclose(group, channel.T, rtol=0.5)


def test_a_small_fault_is_still_found_where_errors_are_shared():
    spec = NETWORKS[0]
    report = bridge.compare(
        spec, *images("constant background"), dtype="float32", prepare=bridge.plant("slightly-wrong-input-gradient")
    )
    assert not report.passed


def test_repeated_rows_are_needed_for_the_constant_background(monkeypatch):
    """With independent errors alone the judge would call this a bug: the rule is not there for nothing."""
    found = RowGroups.repeats
    assert isinstance(found, property)
    monkeypatch.setattr(ColumnGroups, "of", classmethod(lambda cls, values: _all_different(values)))
    monkeypatch.setattr(RowGroups, "repeats", property(lambda self: False))
    monkeypatch.setattr("bridge.judge.bounds.network.Expected.with_correlations", lambda self: self)
    assert not bridge.compare(NETWORKS[1], *images("constant background"), seed=3, dtype="float32").passed


def _all_different(values):
    columns = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    ids = np.arange(values.size).reshape(values.shape)
    return ColumnGroups(ids, columns.reshape(-1), np.ones(values.size, np.int64))


def test_column_groups_by_hand():
    values = np.array([[1.0, 2.0], [1.0, 3.0], [5.0, 3.0], [1.0, 4.0]])
    groups = ColumnGroups.of(values)
    # 3**2 + 1 and 1 + 2**2 + 1; terms that are zero round nothing
    assert groups.drifting(values).tolist() == [10, 6]
    assert groups.drifting(values - 1).tolist() == [1, 6]
    variance = np.ones((4, 2))
    # Three equal errors add up to 3**2, the fourth is independent; no weights
    assert groups.carried(variance).tolist() == [10, 6]
    # Opposite weights cancel an equal error, but the independent sum is the least that is allowed
    assert groups.carried(variance, np.array([[1.0, 1], [-1, 1], [1, -1], [0, 1]])).tolist() == [3, 4]


def test_row_groups_by_hand():
    groups = RowGroups.of(np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 3.0]]))
    assert groups.repeats
    assert sorted(groups.sizes.tolist()) == [1, 2]
    sums = groups.sums(np.array([[1.0], [10.0], [100.0]]))
    assert sorted(sums.reshape(-1).tolist()) == [11, 100]
    assert not RowGroups.of(np.array([[1.0], [2.0]])).repeats


def test_equal_terms_drift_together():
    rounding = Rounding(2.0**-24)
    # A plain float32 sum of 5000 thirds: the error the drift is there for
    terms = np.full((5000, 1), 1 / 3, np.float32)
    error = abs(float(np.cumsum(terms[:, 0])[-1]) - 5000 * float(terms[0, 0]))
    exact = terms.astype(float)
    assert error > 4 * np.sqrt(rounding.column_sum(exact, np.array([5000.0])))[0]
    drifting = ColumnGroups.of(exact).drifting(exact)
    assert 0.05 < error / np.sqrt(rounding.column_sum(exact, drifting))[0] < 4


def test_partial_sums_count_where_the_sum_cancels():
    """Terms that rise and fall again: hardly anything is left, but its rounding is that of the way there."""
    random = np.random.default_rng(0)
    terms = np.concatenate([random.random(3000), -random.random(3000)])
    exact = terms.astype(np.float32).astype(float)
    error = abs(float(np.cumsum(exact.astype(np.float32))[-1]) - exact.sum())
    rounding = Rounding(2.0**-24)
    assert error > 8 * np.sqrt(rounding.sum_of(np.square(exact).sum(), exact.sum(), 64))
    assert error < 4 * np.sqrt(rounding.column_sum(exact[:, None], np.array([6000.0])))[0]


def test_runs_of_the_network_find_the_variance_of_a_shared_error():
    """Behind a global average one error reaches every position: the kernel's gradient collects it with the sum of x."""
    spec = ModelSpec("shared", (12, 12, 2), (Conv2D(2, 1), GlobalAveragePooling2D()))
    random = np.random.default_rng(0)
    x, cotangent = random.normal(size=(4, 12, 12, 2)), random.normal(size=(4, 2))
    model = RoundingModel(Network.of(spec), *as_float64(spec, bridge.random_weights(spec, 1)), "float32", x)
    # Much larger than what the layers add
    variance = np.full((4, 2), 1e-6)
    runs = EnsembleBackward(model.ensemble, 2, lambda output: (0.0, cotangent), variance)
    expected = np.square(x.mean(axis=(1, 2))).T @ variance
    ratio = runs.variance_of("0 kernel")[0, 0] / expected
    assert np.all((0.2 < ratio) & (ratio < 3))
    assert 0.5 < np.mean(ratio) < 2


def test_the_greater_variance_counts(monkeypatch):
    tensor = Expected(np.ones(2), np.array([1.0, 4.0]), np.zeros(2), lambda: np.array([2.0, 2.0]))
    assert tensor.with_correlations().variance.tolist() == [2.0, 4.0]
    assert tensor.with_correlations().correlated is None
    # And without the runs of the network there would be a false alarm
    spec, data = NETWORKS[2], images("offset")
    assert bridge.compare(spec, *data, seed=3, dtype="float32").passed
    monkeypatch.setattr(Expected, "with_correlations", lambda self: self)
    assert not bridge.compare(spec, *data, seed=3, dtype="float32").passed
