"""The pytest plugin: a fixture ``crosscheck`` that judges, records the verdict, and fails the test that disagrees.

pytest loads this file at every start, so it imports nothing of Crosscheck; the judge is loaded when a test first asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import crosscheck as front

if TYPE_CHECKING:
    from benchmarks.timing import SpeedComparison
    from bridge import LayerReport, LossReport, OptimizerReport, ParityReport
    from bridge.fuzzing.own_backends import FuzzReport


class Crosscheck:
    """The judge for one test. Every method returns the report where all agrees, and fails the test where not.

    The verdict and the first divergence become properties of the test, which ``--junitxml`` writes out.
    """

    def __init__(self, properties: list[tuple[str, object]]) -> None:
        self._properties = properties

    def compare(self, spec: Any, x: Any, y: Any, **options: Any) -> ParityReport:
        """``bridge.compare``: both backends on this network."""
        return self._settled(front.compare(spec, x, y, **options))

    def compare_models(self, a: Any, b: Any, x: Any, y: Any = None, **options: Any) -> ParityReport:
        """``bridge.compare_models``: two models that hold the same weights."""
        return self._settled(front.compare_models(a, b, x, y, **options))

    def check_layer(self, my_layer: Any, spec_layer: Any, input_shape: Any, **options: Any) -> LayerReport:
        """``bridge.check_layer``: one layer written elsewhere against its specification."""
        return self._settled(front.check_layer(my_layer, spec_layer, input_shape, **options))

    def check_loss(self, my_loss: Any, claim: Any, **options: Any) -> LossReport:
        """``bridge.check_loss``: a loss written elsewhere against its specification."""
        return self._settled(front.check_loss(my_loss, claim, **options))

    def check_optimizer(self, my_optimizer: Any, claim: Any, **options: Any) -> OptimizerReport:
        """``bridge.check_optimizer``: an optimizer written elsewhere against its specification."""
        return self._settled(front.check_optimizer(my_optimizer, claim, **options))

    def fuzz(self, make: Any, **options: Any) -> FuzzReport:
        """``crosscheck.fuzz``: random networks on a backend of one's own; fails with the smallest that differs."""
        return self._settled(front.fuzz(make, **options))

    def compare_speed(self, first: Any, second: Any, at_least: float = 1.0, **options: Any) -> SpeedComparison:
        """``crosscheck.timing.compare``: the second function is at least so many times as fast as the first.

        The test fails where that is ruled out: where the whole 95 % interval lies below ``at_least``, and for 1.0 more
        than 5 % below it.
        """
        front.timing.least_ratio(at_least)
        found = front.timing.compare(first, second, **options)
        times, low, high = found.times_as_fast(found.ratios[0].arm) or (1.0, 1.0, 1.0)
        said = f"{times:.3g} times as fast as {found.ratios[0].baseline} [{low:.3g}, {high:.3g}]"
        self._properties.append(("crosscheck_speed", said))
        too_slow = found.ratios[0].verdict == "slower" if at_least == 1 else high < at_least
        if too_slow:
            pytest.fail(f"{found.ratios[0].arm} is {said}, where at least {at_least:g} was asked for", pytrace=False)
        return found

    def _settled(self, report: Any) -> Any:
        first = report.first_divergence
        place = "none" if first is None else str(first)
        if hasattr(first, "tensor"):
            place = f"{first.tensor} ({first.dtype})"
        self._properties.append(("crosscheck_verdict", str(report).partition("\n")[0]))
        self._properties.append(("crosscheck_first_divergence", place))
        if not report.passed:
            pytest.fail(str(report), pytrace=False)
        return report


@pytest.fixture
def crosscheck(request: pytest.FixtureRequest) -> Crosscheck:
    """Judges models and layers by derived rounding bounds; a disagreement fails the test with the report."""
    # Not record_property: under JUnit's default family it warns, and a suite may turn warnings into errors
    return Crosscheck(request.node.user_properties)
