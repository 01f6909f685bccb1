"""The verdict: how parts are combined, NaN among errors, and JSON that every reader takes."""

import json
import math

import numpy as np
import pytest

from model_spec.verdict import Verdict, combine, json_text, largest, plain

AGREE, DIFFER, NOTHING, DIVERGED, FAILED = Verdict


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([], NOTHING),
        ([AGREE], AGREE),
        ([AGREE, "AGREE"], AGREE),
        ([AGREE, NOTHING], NOTHING),
        ([AGREE, DIVERGED], DIVERGED),
        ([NOTHING, DIVERGED], DIVERGED),
        ([AGREE, FAILED, DIVERGED], FAILED),
        ([AGREE, DIFFER, FAILED], DIFFER),
        (iter([NOTHING, DIFFER]), DIFFER),
    ],
)
def test_the_whole_is_no_better_than_its_worst_part(parts, whole):
    assert combine(parts) is whole


def test_a_word_that_is_no_verdict_is_refused():
    with pytest.raises(ValueError, match="PASSED"):
        combine(["PASSED"])


def test_a_verdict_is_its_text():
    assert f"{AGREE}: cnn" == "AGREE: cnn"
    assert NOTHING == "NOTHING COMPARED"
    assert json.dumps({"verdict": DIVERGED}) == '{"verdict": "BOTH DIVERGED"}'


@pytest.mark.parametrize("values", [[math.nan, 1.0], [1.0, math.nan], [np.float32("nan")], [0.0, math.inf]])
def test_the_largest_sees_what_is_not_a_number_wherever_it_stands(values):
    assert largest(values) == math.inf


def test_the_largest_of_numbers():
    assert largest([3, 1.5]) == 3.0
    assert largest([]) == 0.0
    assert largest(value for value in (-2.0, -1.0)) == -1.0


def test_json_holds_no_nan_and_no_infinity():
    value = {1: [math.nan, -math.inf, 2.5], "array": np.array([1.0, np.inf], np.float32), "count": np.int64(3)}
    text = json_text(value | {"verdict": AGREE, "none": None, "yes": True, "set": {4}})

    def refuse(constant):
        raise AssertionError(constant)

    assert json.loads(text, parse_constant=refuse) == {
        "1": ["nan", "-inf", 2.5],
        "array": [1.0, "inf"],
        "count": 3,
        "verdict": "AGREE",
        "none": None,
        "yes": True,
        "set": [4],
    }
    assert plain(np.float64("nan")) == "nan"
