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
    # Differences 1, 2, 3 thousandths: mean 2, deviation 1, half width 4.30265 / sqrt(3); t is 2 sqrt(3)
    pair = statistics.paired([0.901, 0.902, 0.903], [0.9, 0.9, 0.9])
    assert pair.mean == pytest.approx(0.002)
    assert pair.high - pair.mean == pytest.approx(0.001 * 4.302652729911275 / math.sqrt(3))
    # With two degrees of freedom t is exceeded with probability 1 - t / sqrt(2 + t**2), both sides together
    assert pair.p_value == pytest.approx(1 - math.sqrt(12 / 14))
    assert not pair.misses_zero
    assert not pair.differs
    large = statistics.paired([0.904, 0.906, 0.9], [0.9, 0.9, 0.9])  # zero within, but 0.33 points
    assert not large.misses_zero
    assert large.differs


def test_a_small_difference_that_is_always_there_differs():
    # Mean 11, deviation 1 ten-thousandths: t is 11 sqrt(3), and once in 363 such pairs it is chance
    pair = statistics.paired([0.9010, 0.9011, 0.9012], [0.9, 0.9, 0.9])
    assert pair.p_value == pytest.approx(1 - math.sqrt(363 / 365))
    assert pair.misses_zero
    assert pair.differs


@pytest.mark.parametrize("shift", [0.0, 0.0005, 0.001, 0.002])
def test_the_p_value_and_the_interval_say_the_same(shift):
    pair = statistics.paired([0.9 + shift, 0.903 + shift, 0.899 + shift, 0.9004], [0.9, 0.9021, 0.899, 0.9])
    assert pair.misses_zero is not (pair.low <= 0 <= pair.high)


def test_identical_pairs_agree():
    pair = statistics.paired([0.9, 0.8, 0.7], [0.9, 0.8, 0.7])
    assert (pair.mean, pair.low, pair.high, pair.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert not pair.can_miss_zero
    assert not pair.differs


def test_pairs_that_always_differ_by_the_same_are_no_chance():
    pair = statistics.paired([0.75, 0.5], [0.625, 0.375])
    assert (pair.low, pair.high, pair.p_value) == (0.125, 0.125, 0.0)
    assert pair.misses_zero
    assert pair.differs


def test_a_single_pair_has_no_interval_and_none_in_json():
    pair = statistics.paired([0.9], [0.9])
    assert pair.to_dict() == {"mean": 0.0, "low": None, "high": None, "p_value": None}
    assert not pair.differs
    assert not pair.misses_zero
    assert not pair.can_miss_zero
    assert statistics.paired([0.9], [0.8]).differs
    # Nine images of ten thousand, after ten thousand steps of both
    assert not statistics.paired([0.9747], [0.9738]).differs
    assert statistics.paired([0.9747], [0.9716]).differs


def test_pairs_need_partners():
    with pytest.raises(ValueError, match="pairs need two values each, got 2 and 1 values"):
        statistics.paired([1.0, 2.0], [1.0])
