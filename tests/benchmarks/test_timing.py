"""The paired timing, run on a clock that the tests turn by hand: planted differences are found, absent ones are not."""

import gc
import sys

import numpy as np
import pytest

from benchmarks import timing


class HandClock:
    """A clock that stands still until an arm works."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def arm(self, seconds, noise=0.0, seed=0):
        """A function that takes ``seconds`` on this clock, give or take a share of ``noise``."""
        random = np.random.default_rng(seed)

        def work():
            self.now += seconds * (1 + noise * random.uniform(-1, 1))

        return work


def compare(clock, arms, **options):
    return timing.compare_speed(arms, clock=clock, **options)


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(0.02, "slower"), (0.005, "faster"), (0.0101, "no demonstrable difference")]
)
def test_planted_differences_are_found(seconds, verdict):
    clock = HandClock()
    result = compare(clock, {"first": clock.arm(0.01, 0.1, 1), "second": clock.arm(seconds, 0.1, 2)})
    (ratio,) = result.ratios
    assert (ratio.arm, ratio.baseline, ratio.verdict) == ("second", "first", verdict)
    assert ratio.ratio == pytest.approx(seconds / 0.01, rel=0.05)
    assert ratio.low <= ratio.ratio * 1.02
    assert ratio.high >= ratio.ratio * 0.98


def pairs_of_processes(ratios, noise=0.01):
    """A comparison a pair: the second arm takes so many times as long as the first."""
    found = []
    for seed, ratio in enumerate(ratios):
        clock = HandClock()
        arms = {"first": clock.arm(0.06, noise, 2 * seed), "second": clock.arm(0.06 * ratio, noise, 2 * seed + 1)}
        found.append(compare(clock, arms))
    return found


def test_processes_that_differ_widen_the_interval():
    alike = timing.pooled(pairs_of_processes([1.2] * 5)).ratios[0]
    apart = timing.pooled(pairs_of_processes([1.0, 1.4, 1.1, 1.3, 1.2])).ratios[0]
    assert 1.18 < alike.low < alike.high < 1.22
    assert (alike.verdict, apart.verdict) == ("slower", "slower")
    # Student's interval of five: 2.78 standard errors
    logs = np.log([1.0, 1.4, 1.1, 1.3, 1.2])
    reach = 2.776 * logs.std(ddof=1) / np.sqrt(5)
    assert apart.low == pytest.approx(np.exp(logs.mean() - reach), rel=0.01)
    assert apart.high == pytest.approx(np.exp(logs.mean() + reach), rel=0.01)


def test_what_is_pooled():
    one, other = pairs_of_processes([1.1, 1.3])
    both = timing.pooled([one, other])
    assert both.blocks == one.blocks + other.blocks
    assert both.arms["second"].samples == one.arms["second"].samples + other.arms["second"].samples
    assert timing.pooled([one]) is one
    clock = HandClock()
    with pytest.raises(ValueError, match=r"the same arms, got \[\['first', 'second'\], \['third'\]\]"):
        timing.pooled([one, compare(clock, {"third": clock.arm(0.1)})])
    with pytest.raises(ValueError, match="one or more"):
        timing.pooled([])


def test_equal_arms_are_never_called_different():
    verdicts = []
    for seed in range(10):
        clock = HandClock()
        arms = {"first": clock.arm(0.06, 0.1, 2 * seed), "second": clock.arm(0.06, 0.1, 2 * seed + 1)}
        verdicts.append(compare(clock, arms).ratios[0].verdict)
    assert set(verdicts) <= {"no demonstrable difference", "inconclusive"}
    assert "no demonstrable difference" in verdicts


@pytest.mark.parametrize(
    ("second", "words"), [(0.06, {"no demonstrable difference", "inconclusive"}), (0.066, {"slower"})]
)
def test_more_blocks_where_the_samples_scatter(second, words):
    for seed in range(3):
        clock = HandClock()
        arms = {"first": clock.arm(0.06, 0.25, 2 * seed), "second": clock.arm(second, 0.25, 2 * seed + 1)}
        result = compare(clock, arms, most_blocks=120)
        (ratio,) = result.ratios
        assert ratio.verdict in words
        assert 15 < result.blocks <= 120
        assert len(result.arms["first"].samples) == 2 * result.blocks
        assert result.blocks == 120 or np.log(ratio.high / ratio.low) <= 2 * timing.PRECISION


def test_no_more_blocks_where_the_answer_is_clear():
    clock = HandClock()
    arms = {"first": clock.arm(0.06, 0.25, 1), "second": clock.arm(0.12, 0.25, 2)}
    assert compare(clock, arms, most_blocks=120).blocks == 15


def test_great_noise_is_inconclusive():
    clock = HandClock()
    result = compare(clock, {"first": clock.arm(0.06, 0.9, 1), "second": clock.arm(0.06, 0.9, 2)})
    assert result.ratios[0].verdict == "inconclusive"


def test_exact_arms_have_a_point_for_an_interval():
    clock = HandClock()
    result = compare(clock, {"first": clock.arm(0.0625), "second": clock.arm(0.125)})
    ratio = result.ratios[0]
    assert (ratio.low, ratio.ratio, ratio.high) == pytest.approx((2.0, 2.0, 2.0))
    assert result.arms["first"].mad == pytest.approx(0, abs=1e-12)


def test_a_drifting_machine_favours_no_arm():
    """The order A B B A cancels a steady slowing down, which A A B B would take for a difference."""
    clock = HandClock()

    def drifting():
        clock.now += 0.06 * (1 + clock.now / 5)

    result = compare(clock, {"first": drifting, "second": drifting}, blocks=25)
    assert result.ratios[0].verdict == "no demonstrable difference"
    assert result.ratios[0].ratio == pytest.approx(1, abs=0.01)
    samples = result.arms["first"].samples
    assert samples[-1] > 1.5 * samples[0]


def test_the_course_of_the_measurement():
    clock, calls = HandClock(), []

    def recording(name, seconds):
        def work():
            calls.append(name)
            clock.now += seconds

        return work

    result = compare(
        clock,
        {"a": recording("a", 1.0), "b": recording("b", 1.0)},
        blocks=5,
        minimum_sample_seconds=0.5,
        warmup_seconds=0.5,
    )
    # Three calls of warm-up and one to calibrate for each arm, then the blocks.
    assert "".join(calls) == "aaaa" + "bbbb" + "abba" * 5
    assert result.blocks == 5
    assert len(result.arms["a"].samples) == 10


def test_samples_are_long_enough():
    clock = HandClock()
    result = compare(clock, {"only": clock.arm(0.0003)}, blocks=5)
    arm = result.arms["only"]
    assert arm.calls_per_sample * 0.0003 >= 0.05
    assert arm.calls_per_sample * 0.0003 < 0.5
    assert arm.median == pytest.approx(0.0003)
    assert result.ratios == ()


def test_a_clock_too_coarse_to_see_one_call():
    clock = HandClock()
    coarse = timing.compare_speed({"only": clock.arm(0.0003)}, blocks=5, clock=lambda: round(clock.now, 2))
    assert coarse.arms["only"].median == pytest.approx(0.0003, rel=0.3)


def test_garbage_collection_is_off_in_a_sample_and_back_afterwards():
    clock, seen = HandClock(), []

    def work():
        seen.append(gc.isenabled())
        clock.now += 1.0

    compare(clock, {"only": work}, blocks=5)
    assert seen == [True] * 3 + [False] * 11
    assert gc.isenabled()

    def failing():
        clock.now += 1.0
        if not gc.isenabled():
            raise RuntimeError("broken arm")

    with pytest.raises(RuntimeError, match="broken arm"):
        compare(clock, {"only": failing}, blocks=5)
    assert gc.isenabled()


def test_several_arms_are_compared_with_the_first():
    clock = HandClock()
    arms = {"a": clock.arm(0.06), "b": clock.arm(0.12), "c": clock.arm(0.03)}
    ratios = compare(clock, arms, blocks=5).ratios
    assert [(ratio.arm, ratio.baseline, ratio.verdict) for ratio in ratios] == [
        ("b", "a", "slower"),
        ("c", "a", "faster"),
    ]


def test_results_are_plain_and_readable():
    clock = HandClock()
    result = compare(clock, {"first": clock.arm(0.06), "second": clock.arm(0.12)}, blocks=5)
    plain = result.to_dict()
    assert plain["blocks"] == 5
    assert plain["arms"]["first"]["samples"] == pytest.approx([0.06] * 10)
    assert plain["ratios"][0]["verdict"] == "slower"
    assert "second: slower than first, 0.5 times as fast (95 % 0.5 to 0.5)" in str(result) == repr(result)


def test_real_functions_on_the_real_clock():
    """A planted factor of four, on work so short that the whole test takes a fraction of a second."""
    result = timing.compare_speed(
        {"once": lambda: sum(range(500)), "four times": lambda: sum(range(2000))},
        blocks=5,
        minimum_sample_seconds=0.002,
        warmup_seconds=0.01,
    )
    assert result.ratios[0].verdict == "slower"
    assert all(sample > 0 for arm in result.arms.values() for sample in arm.samples)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.96, 0.99, "no demonstrable difference"),
        (1.01, 1.04, "no demonstrable difference"),
        (0.90, 0.99, "faster"),
        (1.01, 1.10, "slower"),
        (0.90, 1.00, "inconclusive"),
        (0.99, 1.20, "inconclusive"),
        (0.93, 0.99, "inconclusive"),
        (1.01, 1.07, "inconclusive"),
    ],
)
def test_words(low, high, word):
    assert timing.verdict(low, high) == word


@pytest.mark.parametrize(
    ("arms", "options", "message"),
    [
        ({}, {}, "no arms were given; give at least one"),
        ({"a": int}, {"blocks": 4}, "blocks must be an integer of at least 5, got 4"),
        ({"a": int}, {"blocks": 0}, "blocks must be an integer of at least 5, got 0"),
        ({"a": int}, {"blocks": "9"}, "blocks must be an integer of at least 5, got '9'"),
        ({"a": int}, {"minimum_sample_seconds": 0}, "minimum_sample_seconds must be a finite number above 0, got 0"),
        ({"a": int}, {"warmup_seconds": -1}, "warmup_seconds must be a finite number above 0, got -1"),
    ],
)
def test_bad_arguments_are_refused(arms, options, message):
    with pytest.raises(ValueError, match=message):
        timing.compare_speed(arms, **options)


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ("secnod", r"unknown arm 'secnod' \(did you mean 'second'\?\); known are first, second"),
        (None, "unknown arm None; known are first, second"),
        (["first"], r"unknown arm \['first'\]"),
    ],
)
def test_an_arm_that_was_not_timed_has_no_speed(arm, words):
    clock = HandClock()
    found = compare(clock, {"first": clock.arm(0.1), "second": clock.arm(0.1)}, blocks=5)
    assert found.times_as_fast("first") == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match=words):
        found.times_as_fast(arm)


def test_without_scipy_the_pip_line_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(ImportError, match=r'pip install "crosscheck\[data\]"'):
        timing.compare_speed({"a": int, "b": int})
