"""Shrinks a case on which the backends differ: Hypothesis looks for the smallest network that differs the same way."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import perf_counter

from bridge.fuzzing.random_cases import Case, cases
from bridge.fuzzing.random_networks import need_hypothesis


class _OutOfTime(BaseException):
    """Ends Hypothesis' search; no Exception, because that would count as a failing case."""


class _Differs(Exception):
    """Tells Hypothesis that a case is worth shrinking further."""


def shrink(
    case: Case, differs: Callable[[Case], bool], count: int, seed: int, seconds: float = 30.0, max_layers: int = 8
) -> Case:
    """The smallest case found that differs too; the case itself where nothing smaller does.

    Args:
        case: drawn by ``fuzz.run(count, seed)`` with the same ``max_layers``: Hypothesis draws it again, because
            it shrinks the choices that led to a case, not the case.
        differs: whether a case shows the same difference.
        count: of the drawing.
        seed: of the drawing.
        seconds: when to stop and be content (Hypothesis alone would give up after 300).
        max_layers: of the drawing.
    """
    need_hypothesis()
    import hypothesis

    found: list[Case] = []
    end = perf_counter() + seconds

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        derandomize=False,
        deadline=None,
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
        suppress_health_check=list(hypothesis.HealthCheck),
        report_multiple_bugs=False,
        verbosity=hypothesis.Verbosity.quiet,
    )
    @hypothesis.given(cases(max_layers))
    def narrow(candidate: Case) -> None:
        if not found and candidate != case:
            return
        if perf_counter() > end:
            raise _OutOfTime
        if differs(candidate):
            found.append(candidate)
            raise _Differs

    try:
        narrow()
    except (_Differs, _OutOfTime, hypothesis.errors.Flaky):
        pass
    return min([case, *found], key=_size)


def _size(case: Case) -> tuple[int, int]:
    entry = json.dumps(case.to_dict())
    return len(case.spec.layers), len(entry)
