"""Whichever of several equal maxima take a pooling's gradient, they get all of it and not more."""

import pytest

import bridge
from bridge.selftest.faults import find
from bridge.selftest.faults.probes import PROBES
from bridge.selftest.variants import VARIANTS

ALL_OF_THEM = (
    "pooling-gradient-to-all-maxima",
    "pooling-gradient-to-all-computed-maxima",
    "global-pooling-gradient-to-all-maxima",
)
SHARED_OUT = (
    "pooling-ties-last",
    "pooling-ties-shared",
    "global-pooling-global-ties-last",
    "global-pooling-computed-ties-unevenly",
)


def compared(change):
    probe = PROBES[change.probe]
    return bridge.compare(
        probe.spec, probe.x, probe.y, dtype="float64", loss=probe.loss, prepare=bridge.plant(change), locate=False
    )


@pytest.mark.parametrize("name", ALL_OF_THEM)
def test_the_whole_gradient_for_each_maximum_is_a_bug_by_its_sums(name):
    report = compared(find(name))
    assert {row.verdict for row in report.failures} == {"BUG"}
    # Each entry alone could be right at a tie: only their sum tells
    assert all(row.tensor.startswith("channel sums of gradient of ") for row in report.failures)
    assert {row.stage for row in report.failures} == {"loss gradient", "pullback"}
    assert {row.layer for row in report.failures} == {report.prepared.rpartition(" in ")[2]}
    assert any(row.verdict == "TIE" for row in report.rows)


@pytest.mark.parametrize("name", SHARED_OUT)
def test_another_way_to_share_it_out_is_a_tie(name):
    report = compared(VARIANTS[name])
    assert report.passed, str(report)
    assert any(row.verdict == "TIE" for row in report.rows)
    sums = [row for row in report.rows if row.tensor.startswith("channel sums")]
    assert sums
    assert {row.verdict for row in sums} <= {"EXACT", "ROUNDING"}
