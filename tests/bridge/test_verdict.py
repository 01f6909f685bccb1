"""The verdict on one tensor, worked by hand."""

import numpy as np
import pytest

from bridge.judge.bounds import KINK_SAFETY, SAFETY, Expected
from bridge.judge.tensor import Place, judge

PLACE = Place("float32", "inference", "eager", "forward")


def expected(value, deviation=1e-7, kink=0.0):
    value = np.asarray(value, float)
    return Expected(value, np.full(value.shape, deviation**2), np.full(value.shape, kink**2))


def test_exact_rounding_and_bug():
    truth = [1.0, 2.0]
    assert judge(truth, truth, expected(truth), PLACE, "t", "layer").verdict == "EXACT"
    allowed = SAFETY * np.sqrt(2) * 1e-7
    row = judge([1.0, 2.0 + 0.9 * allowed], truth, expected(truth), PLACE, "t", "layer")
    assert row.verdict == "ROUNDING"
    assert row.error_over_bound == pytest.approx(0.9, rel=1e-6)
    assert row.index == (1,)
    row = judge([1.0, 2.0 + 1.1 * allowed], truth, expected(truth), PLACE, "t", "layer")
    assert (row.verdict, row.failing, row.nearer, row.agrees) == ("BUG", 1, "second", False)
    assert row.values == (2.0 + 1.1 * allowed, 2.0, 2.0)


def test_a_tie_explains_only_what_a_subgradient_could_change():
    truth = [1.0, 2.0]
    tie = expected(truth, kink=0.01)
    assert judge([1.0, 2.0 + 0.9 * KINK_SAFETY * 0.01], truth, tie, PLACE, "t", "l").verdict == "TIE"
    assert judge([1.0, 2.0 + 1.1 * KINK_SAFETY * 0.01], truth, tie, PLACE, "t", "l").verdict == "BUG"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_bugs(bad):
    row = judge([1.0, 2.0], [1.0, bad], expected([1.0, 2.0]), PLACE, "t", "layer")
    assert (row.verdict, row.nearer) == ("BUG", "first")
    assert row.index == (1,)
    assert isinstance(row.to_dict()["error"], str)


def test_an_all_zero_reference_proves_nothing():
    row = judge([0.0, 0.0], [0.0, 0.0], expected([0.0, 0.0]), PLACE, "t", "layer")
    assert row.verdict == "VACUOUS"
    assert not row.agrees


def test_where_the_truth_is_zero_a_side_that_is_not_is_judged_by_the_bound():
    """Batch normalization of one row has a gamma gradient of exactly zero, and rounding on one side."""
    assert judge([0.0, 1e-7], [0.0, 0.0], expected([0.0, 0.0]), PLACE, "t", "layer").verdict == "ROUNDING"
    assert judge([0.0, 1e-4], [0.0, 0.0], expected([0.0, 0.0]), PLACE, "t", "layer").verdict == "BUG"
    assert judge([0.0, np.nan], [0.0, 0.0], expected([0.0, 0.0]), PLACE, "t", "layer").verdict == "BUG"


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"t: the two sides have shapes \(1,\) and \(2,\)"):
        judge([1.0], [1.0, 2.0], expected([1.0, 2.0]), PLACE, "t", "layer")
