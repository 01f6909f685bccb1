"""Mean, spread, verdicts and pairs, against examples worked by hand."""

import math

import pytest

from benchmarks.reproduction import statistics


def test_mean_and_deviation():
    # Squares of -1, 0, 1 over n - 1 = 2
    assert statistics.mean([1.0, 2.0, 3.0]) == 2.0
    assert statistics.deviation([1.0, 2.0, 3.0]) == 1.0
    assert statistics.deviation([0.1, 0.1, 0.1]) == 0.0
    assert math.isnan(statistics.deviation([0.5]))


def test_interval_of_one_more():
    # t of 2 degrees of freedom at 97.5 % is 4.30265; times sqrt(1 + 1/3)
    low, high = statistics.interval_of_one_more([1.0, 2.0, 3.0])
    half = 4.302652729911275 * math.sqrt(4 / 3)
    assert (low, high) == (pytest.approx(2 - half), pytest.approx(2 + half))


@pytest.mark.parametrize(
    ("values", "published", "word"),
    [
        ([1.0, 2.0, 3.0], 6.9, "within"),
        ([1.0, 2.0, 3.0], 7.0, "above"),
        ([1.0, 2.0, 3.0], -3.0, "below"),
        ([1.0, 1.0, 1.0], 1.0, "within"),
        ([1.0, 1.0, 1.0], 0.9999, "below"),
        ([0.304, 0.304, 0.304], "0.30", "within"),
        ([0.306, 0.306, 0.306], "0.30", "below"),
        ([0.5], 0.5, "one run"),
    ],
)
def test_a_published_figure_beside_ours(values, published, word):
    assert statistics.published_verdict(values, published) == word


@pytest.mark.parametrize(
    ("published", "word"), [([0.789, 0.799], "within"), ([0.81, 0.82], "above"), ([0.70, 0.77], "below")]
)
def test_a_published_range_beside_the_range_of_ours(published, word):
    assert statistics.published_verdict([0.78, 0.785], published, late=[0.79, 0.80]) == word


def test_pairs():
    # Differences 1, 2, 3 thousandths: mean 2, deviation 1, half width 4.30265 / sqrt(3)
    pair = statistics.paired([0.901, 0.902, 0.903], [0.9, 0.9, 0.9])
    assert pair.mean == pytest.approx(0.002)
    assert pair.high - pair.mean == pytest.approx(0.001 * 4.302652729911275 / math.sqrt(3))
    assert pair.agrees
    assert not statistics.paired([0.904, 0.906, 0.9], [0.9, 0.9, 0.9]).agrees  # zero within, but 0.33 points
    assert not statistics.paired([0.9010, 0.9011, 0.9012], [0.9, 0.9, 0.9]).agrees  # small, but surely not zero


def test_identical_pairs_agree():
    pair = statistics.paired([0.9, 0.8, 0.7], [0.9, 0.8, 0.7])
    assert (pair.mean, pair.low, pair.high, pair.agrees) == (0.0, 0.0, 0.0, True)


def test_a_single_pair_has_no_interval_and_none_in_json():
    pair = statistics.paired([0.9], [0.9])
    assert pair.agrees
    assert pair.to_dict() == {"mean": 0.0, "low": None, "high": None, "agrees": True}
    assert not statistics.paired([0.9], [0.8]).agrees
    # Nine images of ten thousand, after ten thousand steps of both
    assert statistics.paired([0.9747], [0.9738]).agrees
    assert not statistics.paired([0.9747], [0.9716]).agrees


def test_pairs_need_partners():
    with pytest.raises(ValueError, match="pairs need two values each, got 2 and 1 values"):
        statistics.paired([1.0, 2.0], [1.0])
