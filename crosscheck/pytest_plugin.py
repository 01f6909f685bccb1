"""The pytest plugin: a fixture ``crosscheck`` that judges, records the verdict, and fails the test that disagrees.

pytest loads this file at every start, so it imports nothing of Crosscheck; the judge is loaded when a test first asks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

import crosscheck as front

if TYPE_CHECKING:
    from benchmarks.timing import SpeedComparison
    from bridge import LayerReport, LossReport, OptimizerReport, ParityReport
    from bridge.fuzzing.fuzz_report import FuzzReport


NOTHING_COMPARED = ("fail", "pass")

_ITEM = pytest.StashKey[pytest.Item]()


class Crosscheck:
    """The judge for the tests. Every method returns the report where all agrees, and fails the test where not.

    The verdict and the first divergence become properties of the test, which ``--junitxml`` writes out. With
    ``nothing_compared="pass"`` a comparison that proves nothing, such as of a dead relu on random inputs, passes.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def compare(self, spec: Any, x: Any, y: Any, *, nothing_compared: str = "fail", **options: Any) -> ParityReport:
        """``bridge.compare``: both backends on this network."""
        return self._settled(front.compare, nothing_compared, spec, x, y, **options)

    def compare_models(
        self, a: Any, b: Any, x: Any, y: Any = None, *, nothing_compared: str = "fail", **options: Any
    ) -> ParityReport:
        """``bridge.compare_models``: two models that hold the same weights."""
        return self._settled(front.compare_models, nothing_compared, a, b, x, y, **options)

    def check_layer(
        self, my_layer: Any, spec_layer: Any, input_shape: Any, *, nothing_compared: str = "fail", **options: Any
    ) -> LayerReport:
        """``bridge.check_layer``: one layer written elsewhere against its specification."""
        return self._settled(front.check_layer, nothing_compared, my_layer, spec_layer, input_shape, **options)

    def check_loss(self, my_loss: Any, claim: Any, *, nothing_compared: str = "fail", **options: Any) -> LossReport:
        """``bridge.check_loss``: a loss written elsewhere against its specification."""
        return self._settled(front.check_loss, nothing_compared, my_loss, claim, **options)

    def check_optimizer(
        self, my_optimizer: Any, claim: Any, *, nothing_compared: str = "fail", **options: Any
    ) -> OptimizerReport:
        """``bridge.check_optimizer``: an optimizer written elsewhere against its specification."""
        return self._settled(front.check_optimizer, nothing_compared, my_optimizer, claim, **options)

    def fuzz(self, make: Any, *, nothing_compared: str = "fail", **options: Any) -> FuzzReport:
        """``crosscheck.fuzz``: random networks on a backend of one's own; fails with the smallest that differs."""
        return self._settled(front.fuzz, nothing_compared, make, **options)

    def compare_speed(self, first: Any, second: Any, at_least: float = 1.0, **options: Any) -> SpeedComparison:
        """``crosscheck.timing.compare``: the second function is at least so many times as fast as the first.

        The test fails where that is ruled out: where the whole 95 % interval lies below ``at_least``, and for 1.0 more
        than 5 % below it.
        """
        if isinstance(at_least, bool) or not isinstance(at_least, (int, float)) or not 0 < at_least < math.inf:
            raise ValueError(f"at_least must be a finite number above 0, got {at_least!r}")
        found = front.timing.compare(first, second, **options)
        times, low, high = found.ratios[0].times_as_fast
        said = f"{times:.3g} times as fast as {found.ratios[0].baseline} [{low:.3g}, {high:.3g}]"
        self._note("crosscheck_speed", said)
        too_slow = found.ratios[0].verdict == "slower" if at_least == 1 else high < at_least
        if too_slow:
            pytest.fail(f"{found.ratios[0].arm} is {said}, where at least {at_least:g} was asked for", pytrace=False)
        return found

    def _settled(self, judge: Any, nothing_compared: str, *arguments: Any, **options: Any) -> Any:
        if nothing_compared not in NOTHING_COMPARED:
            raise ValueError(f'nothing_compared must be "fail" or "pass", got {nothing_compared!r}')
        report = judge(*arguments, **options)
        first = report.first_divergence
        place = "none" if first is None else str(first)
        if hasattr(first, "tensor"):
            place = f"{first.tensor} ({first.dtype})"
        self._note("crosscheck_verdict", str(report).partition("\n")[0])
        self._note("crosscheck_first_divergence", place)
        proves_nothing = report.verdict == "NOTHING COMPARED" and nothing_compared == "pass"
        if not report.passed and not proves_nothing:
            pytest.fail(str(report), pytrace=False)
        return report

    def _note(self, name: str, value: str) -> None:
        """Make this a property of the running test, once: Hypothesis runs a test many times."""
        # Not record_property: under JUnit's default family it warns, and a suite may turn warnings into errors
        item = self._config.stash.get(_ITEM, None)
        if item is not None and (name, value) not in item.user_properties:
            item.user_properties.append((name, value))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Remember the running test: the fixture is there for the whole session, as Hypothesis' tests need it."""
    item.config.stash[_ITEM] = item


@pytest.fixture(scope="session")
def crosscheck(pytestconfig: pytest.Config) -> Crosscheck:
    """Judges models and layers by derived rounding bounds; a disagreement fails the test with the report."""
    return Crosscheck(pytestconfig)
